"""Descent along curves: a direction rule, a line search, and vectors carried to where it ends."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from noneuclid.optim._bundle import Bundle
from noneuclid.optim._joint import JointOptimizer
from noneuclid.optim._line_search import SEARCHES, Trial

_TRIALS = 25  # of one line search, at most


class DescentOptimizer(JointOptimizer):
    """x <- retr_x(t d): d comes from a subclass, t from a line search along t -> retr_x(t d).

    The slope of the loss along that curve is its derivative by the curve's velocity. Trials are
    points of the manifold. A search that finds nothing better leaves parameters and vectors as they
    were; so does an exception in the closure, which is passed on.

    State, kept with one parameter under torch.optim.LBFGS's names, flat tensors of all parameters:
    `d` the last direction and `prev_flat_grad` the last Riemannian gradient, both transported to
    the current point, `t`, `prev_loss`, `prev_slope`, `n_iter`, `func_evals`, and what the subclass
    remembers.
    """

    _flatness: ClassVar[float]  # a line search ends where |f'(t)| is at most this |f'(0)|

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        lr, search = defaults["lr"], defaults["line_search_fn"]
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr >= 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if search is not None and search not in SEARCHES:
            raise ValueError(f"line_search_fn must be None or one of {[*SEARCHES]}, got {search!r}")
        super().__init__(params, defaults)

    @abstractmethod
    def _direction(
        self, bundle: Bundle, x: Tensor, g: Tensor, state: dict[str, Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the direction (N,) at x, and vectors (k, N) there to keep in the state.

        Args:
            bundle: of all parameters.
            x: the current point, (N,).
            g: the Riemannian gradient there, (N,).
            state: of the last iteration, its vectors at x; empty in the first one.
        """

    @abstractmethod
    def _first_trial(self, state: dict[str, Any], slope: float) -> float:
        """Return the first step to try in an iteration that is not the first, at lr = 1."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take up to `max_iter` iterations; return the loss before them.

        Args:
            closure: clears the gradients, evaluates the model, calls backward, returns the loss.

        Raises:
            TypeError: no closure. RuntimeError: a sparse gradient. ValueError: groups that differ
                in an option.
        """
        objective = Objective(self._required(closure), self._bundle())
        options, state = self._options(), self.state[objective.bundle.anchor]
        here: Trial | None = objective.trial()
        loss = objective.loss
        moves = 0
        while True:
            here = objective.trial() if here is None else here
            if moves and abs(here.value - state["prev_loss"]) < options["tolerance_change"]:
                break
            moved, here = self._iterate(objective, here, options, state)
            moves += moved
            if not moved or moves == options["max_iter"]:
                break
            if objective.evaluations >= options["max_eval"]:
                break
            if state["t"] * state["d"].abs().max() <= options["tolerance_change"]:
                break
        state["func_evals"] = state.get("func_evals", 0) + objective.evaluations
        return loss

    def _iterate(
        self, objective: "Objective", here: Trial, options: dict[str, Any], state: dict[str, Any]
    ) -> tuple[bool, Trial | None]:
        """Return whether the point moved, and the loss where it is now if that is known."""
        bundle, lr = objective.bundle, float(options["lr"])
        x, g = bundle.point(), here.gradient
        size = bundle.norm(x, g)
        if not size > options["tolerance_grad"] or lr == 0:  # NaN too
            return False, here
        memory = state if _fits(state, x) else {}
        direction, kept = self._direction(bundle, x, g, memory)
        slope = bundle.inner(x, g, direction)
        if not slope < -options["tolerance_change"]:
            return False, here
        step = lr * (self._first_trial(memory, slope) if memory else min(1.0, 1 / size))
        step, after = min(step, bundle.reach(x, direction)), None
        if options["line_search_fn"] is not None:
            start = here._replace(step=0.0, slope=slope)
            after = self._search(objective, x, direction, start, step, options)
            if after is None:
                return False, here
            step = after.step
        carried = {"d": direction[None], "prev_flat_grad": g[None], **kept}
        moved = bundle.move(x, direction, step, torch.cat([*carried.values()]))
        parts = moved.split([len(vectors) for vectors in carried.values()])
        state.update(zip(carried, parts, strict=True))
        state.update(d=parts[0][0], prev_flat_grad=parts[1][0], t=step, prev_slope=slope)
        state.update(prev_loss=here.value, n_iter=state.get("n_iter", 0) + 1)
        return True, after

    def _search(
        self,
        objective: "Objective",
        x: Tensor,
        direction: Tensor,
        start: Trial,
        step: float,
        options: dict[str, Any],
    ) -> Trial | None:
        """Return where the line search ends, or None with the point back at `x`."""
        bundle, after = objective.bundle, None
        try:
            after = SEARCHES[options["line_search_fn"]](
                lambda t: objective.trial(t, bundle.advance(x, direction, t)),
                start,
                step,
                longest=bundle.reach(x, direction),
                trials=min(_TRIALS, options["max_eval"] - objective.evaluations),
                flatness=self._flatness,
            )
        finally:
            if after is None:
                bundle.write(x)
        return after


class Objective:
    """The loss and its gradient at the current point, counting evaluations."""

    def __init__(self, closure: Callable[[], Any], bundle: Bundle) -> None:
        self.closure, self.bundle, self.evaluations = closure, bundle, 0
        self.loss: Any = None  # what the closure returned last

    def trial(self, step: float = 0.0, velocity: Tensor | None = None) -> Trial:
        """Evaluate the closure where the parameters are, `step` along a curve."""
        self.evaluations += 1
        self.loss = self.closure()
        x = self.bundle.point()
        # The ambient gradient is not small at a minimum: its product with a vector that is tangent
        # up to rounding would be noise.
        gradient = self.bundle.sharpen(x, self.bundle.gradient())
        slope = math.nan if velocity is None else self.bundle.inner(x, gradient, velocity)
        return Trial(step, float(self.loss), slope, gradient)


def _fits(state: dict[str, Any], x: Tensor) -> bool:
    """Tell whether there is a memory, of the same parameters as now."""
    return "prev_slope" in state and state["d"].shape == x.shape
