"""Line searches along a curve: a step at which the loss fell enough and its slope flattened."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.numerics import tolerance

_DECREASE = 1e-4  # c1 of the Wolfe conditions
_SHRINK = 0.1  # after a loss that is not finite
_GROW = 10.0  # at most, from one trial to the next, while the loss still falls
_ROUNDINGS = 16  # error of a loss, in units of eps |f|
_MARGIN = 0.1  # of a bracket: what a trial stays away from its ends


class Trial(NamedTuple):
    """The loss at one place on the curve."""

    step: float
    value: float
    slope: float  # derivative of the loss by the step
    gradient: Tensor  # Riemannian, (N,)

    @property
    def is_finite(self) -> bool:
        """Whether value and slope can be compared."""
        return math.isfinite(self.value) and math.isfinite(self.slope)


Evaluate = Callable[[float], Trial]


def strong_wolfe(
    evaluate: Evaluate,
    start: Trial,
    step: float,
    *,
    longest: float,
    trials: int,
    flatness: float,
) -> Trial | None:
    """Find a step t with f(t) <= f(0) + 1e-4 t f'(0) and |f'(t)| <= flatness |f'(0)|.

    Brackets such a step, then closes in by the minimum of a cubic. A loss that is not finite
    counts as too large; losses are compared to within 16 eps |f(0)|, about what
    they are rounded to.

    Args:
        evaluate: returns the trial at a step.
        start: at step 0, with negative slope.
        step: the first trial.
        longest: no step is longer.
        trials: how many at most.
        flatness: c2 of the source, between 1e-4 and 1.

    Returns:
        The trial; where the trials run out, the best with a smaller loss; None without one.

    Source: [nocedal2006numerical] algorithms 3.5 and 3.6.
    """
    low, high = start, None  # the best so far, and the other end of the bracket
    noise = _ROUNDINGS * torch.finfo(start.gradient.dtype).eps * abs(start.value)
    step = min(step, longest)
    for _ in range(trials):
        trial = evaluate(step)
        most = min(start.value + _DECREASE * step * start.slope, low.value) + noise
        if not (trial.is_finite and trial.value <= most):
            high = trial
        elif abs(trial.slope) <= -flatness * start.slope or (step == longest and not high):
            return trial
        else:
            outward = 1.0 if high is None else high.step - low.step
            previous = low
            if trial.slope * outward >= 0:
                high = low
            low = trial
            if high is None:
                step = _beyond(previous, low, longest)
                continue
        # A cubic through rounding errors has its minimum anywhere: there only slopes tell.
        curve = _secant if abs(high.value - low.value) <= noise else _cubic
        step = _between(low, high, curve(low, high))
    return low if low.value < start.value else None


def approximate_wolfe(
    evaluate: Evaluate,
    start: Trial,
    step: float,
    *,
    longest: float,
    trials: int,
    flatness: float,
) -> Trial | None:
    """Find a step where the slope alone says that the loss fell enough.

    Takes |f'(t)| <= flatness |f'(0)| with f(t) <= f(0) + eps |f(0)|, eps being the tolerance of
    the dtype; these are approximate Wolfe conditions, with delta = (1 - flatness) / 2 and
    sigma = flatness. Once differences of the loss are rounding noise, such a step still is what a
    slope says it is: so it resolves a minimum to eps where `strong_wolfe`, which compares losses,
    sees it to sqrt eps. Closes in by secant steps, and by bisection where two trials left more
    than 0.66 of the bracket.

    Args:
        evaluate: returns the trial at a step.
        start: at step 0, with negative slope.
        step: the first trial.
        longest: no step is longer.
        trials: how many at most.
        flatness: sigma of the source, below 1.

    Returns:
        The trial; where the trials run out, the best with a smaller loss; None without one.

    Source: [hager2005new] conditions (4.1) to (4.3) and the bracket of section 4.
    """
    low, high = start, None  # a slope < 0; one >= 0, or a loss that rose
    ceiling = start.value + tolerance(start.gradient.dtype) * abs(start.value)
    step = min(step, longest)
    widths: list[float] = []
    for _ in range(trials):
        trial = evaluate(step)
        risen = not trial.is_finite or trial.value > ceiling
        if not risen and abs(trial.slope) <= -flatness * start.slope:
            return trial
        if risen or trial.slope >= 0:
            high = trial
        elif step == longest and high is None:
            return trial if trial.value < start.value else None
        else:
            previous, low = low, trial
            if high is None:
                step = _beyond(previous, low, longest)
                continue
        widths.append(abs(high.step - low.step))
        stalls = len(widths) > 2 and widths[-1] > 0.66 * widths[-3]
        middle = (low.step + high.step) / 2
        secant = middle if stalls or high.slope < 0 else _secant(low, high)
        step = _between(low, high, secant, margin=0.0)
    return low if low.value < start.value else None


def _cubic(a: Trial, b: Trial) -> float:
    """Return the minimum of the cubic with the values and slopes of two trials, or NaN."""
    width = b.step - a.step
    if width == 0 or not (a.is_finite and b.is_finite):
        return math.nan
    mean = a.slope + b.slope - 3 * (b.value - a.value) / width
    radicand = mean * mean - a.slope * b.slope
    if not radicand >= 0:
        return math.nan
    root = math.copysign(math.sqrt(radicand), width)
    bottom = b.slope - a.slope + 2 * root
    return b.step - width * (b.slope + root - mean) / bottom if bottom else math.nan


def _secant(a: Trial, b: Trial) -> float:
    """Return where the slope would be 0 if it were linear, or NaN."""
    rise = b.slope - a.slope
    return (a.step * b.slope - b.step * a.slope) / rise if rise else math.nan


def _between(low: Trial, high: Trial, step: float, margin: float = _MARGIN) -> float:
    """Return `step` if it lies well inside the bracket, else its middle; far less after NaN."""
    width = high.step - low.step
    if not high.is_finite:
        return low.step + _SHRINK * width
    fraction = (step - low.step) / width if width else math.nan
    if not 0 < fraction < 1:  # NaN too
        return low.step + width / 2
    return low.step + min(max(fraction, margin), 1 - margin) * width


def _beyond(previous: Trial, last: Trial, longest: float) -> float:
    """Return a step after `last`, where the loss still falls."""
    shortest = last.step + _MARGIN * (last.step - previous.step)
    step = _cubic(previous, last)
    if not step > last.step:  # no minimum ahead, or NaN
        step = math.inf
    return min(max(step, shortest), _GROW * last.step, longest)


# the options of line_search_fn
SEARCHES = {"strong_wolfe": strong_wolfe, "approximate_wolfe": approximate_wolfe}
