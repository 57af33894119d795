"""Line searches on functions of one variable."""

import math
from collections.abc import Callable

import pytest
import torch

from noneuclid.optim._line_search import SEARCHES, Trial

NONE = torch.zeros(0, dtype=torch.float64)
FUNCTIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "parabola": (lambda t: (t - 2) ** 2, lambda t: 2 * (t - 2)),
    "quartic": (lambda t: (t - 0.3) ** 4 - t, lambda t: 4 * (t - 0.3) ** 3 - 1),
    "waves": (lambda t: math.cos(3 * t) - t / 9, lambda t: -3 * math.sin(3 * t) - 1 / 9),
    "far": (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),
    "steep": (lambda t: math.exp(9 * t) - 90 * t, lambda t: 9 * math.exp(9 * t) - 90),
}


class Curve:
    """A function on a line that records where it is evaluated."""

    def __init__(self, name: str, wall: float = math.inf) -> None:
        self.value, self.slope = FUNCTIONS[name]
        self.wall, self.steps = wall, []

    def __call__(self, step: float) -> Trial:
        self.steps.append(step)
        if step > self.wall:
            return Trial(step, math.nan, math.nan, NONE)
        return Trial(step, self.value(step), self.slope(step), NONE)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("first", [1e-3, 0.5, 30.0])
@pytest.mark.parametrize("flatness", [0.9, 0.1, 1e-3])
def test_conditions_hold(search: str, name: str, first: float, flatness: float) -> None:
    if name == "steep":
        first = min(first, 0.5)  # the loss overflows beyond
    curve = Curve(name)
    start = curve(0.0)
    end = SEARCHES[search](curve, start, first, longest=math.inf, trials=25, flatness=flatness)
    assert end is not None
    assert abs(end.slope) <= flatness * abs(start.slope)
    assert end.value <= start.value + (search == "strong_wolfe") * 1e-4 * end.step * start.slope
    assert end == curve(end.step)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_wall_of_nan_is_not_crossed(search: str) -> None:
    curve = Curve("parabola", wall=1.0)
    start = curve(0.0)
    end = SEARCHES[search](curve, start, 900.0, longest=math.inf, trials=25, flatness=0.9)
    assert end is not None
    assert end.value < start.value
    assert len(curve.steps) <= 8  # 0, 900, 90, 9 and 0.9 are some of them
    closed = Curve("parabola", wall=0.0)
    assert SEARCHES[search](closed, start, 1.0, longest=1.0, trials=25, flatness=0.9) is None
    assert len(closed.steps) <= 25


@pytest.mark.parametrize("search", SEARCHES)
def test_no_trial_is_beyond_the_longest_step(search: str) -> None:
    curve = Curve("parabola")
    start = curve(0.0)
    end = SEARCHES[search](curve, start, 0.1, longest=0.7, trials=25, flatness=1e-3)
    assert end is not None
    assert end.step == 0.7 == max(curve.steps)


@pytest.mark.parametrize("search", SEARCHES)
def test_the_best_remains_when_trials_run_out(search: str) -> None:
    curve = Curve("quartic")
    start = curve(0.0)
    end = SEARCHES[search](curve, start, 1e-3, longest=math.inf, trials=2, flatness=1e-3)
    assert len(curve.steps) == 3
    assert end is not None
    assert end.value < start.value


def test_a_parabola_takes_one_interpolation() -> None:
    for search in SEARCHES:
        curve = Curve("parabola")
        SEARCHES[search](curve, curve(0.0), 5.0, longest=math.inf, trials=25, flatness=1e-3)
        assert curve.steps[1:] == pytest.approx([5.0, 2.0])


def test_rounding_does_not_hide_the_minimum_from_slopes() -> None:
    """The loss 1 + t^2 - 2e-10 t is 1 for all t here; its slope is exact."""

    def noisy(t: float) -> Trial:
        rough = 1 + 2e-16 * math.sin(1e18 * t)
        return Trial(t, rough + (t * t - 2e-10 * t), 2 * t - 2e-10, NONE)

    search = SEARCHES["approximate_wolfe"]
    end = search(noisy, noisy(0.0), 1e-6, longest=math.inf, trials=25, flatness=0.01)
    assert end is not None
    assert end.step == pytest.approx(1e-10, rel=0.01)
