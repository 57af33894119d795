"""Riemannian nonlinear conjugate gradients."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor
from torch.optim.optimizer import ParamsT

from noneuclid.optim._bundle import Bundle
from noneuclid.optim._descent import DescentOptimizer

_BOUND = 0.01  # eta of the Hager-Zhang rule


class RiemannianConjugateGradient(DescentOptimizer):
    """Nonlinear conjugate gradients on manifolds: x <- retr_x(t d), d <- -grad f + beta T(d).

    T is the transport from the last point to this one, g the gradient here, h = T(gradient there),
    y = g - h. The denominators are those of T(d), and equal the sources' where T is an isometry, as
    on all manifolds of this library.

    | beta | formula |
    | --- | --- |
    | hestenes-stiefel | max(0, <g, y> / <T(d), y>) |
    | polak-ribiere | max(0, <g, y> / <h, h>) |
    | fletcher-reeves | <g, g> / <h, h> |
    | dai-yuan | <g, g> / <T(d), y> |
    | hager-zhang | max(<g, y> / <T(d), y> - 2 <y, y> <T(d), g> / <T(d), y>^2, b) |

    with b = -1 / (|T(d)| min(0.01, |h|)). Where d would not descend, d = -grad f. Fletcher-Reeves
    and Dai-Yuan do not forget a bad direction and may take ten times the steps of the others.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed; any number
            of groups, equal in all options.
        lr: scales the first step tried by each line search: t_- f'_-(0) / f'(0) from the last one,
            min(1, 1 / |grad f|) at first.
        max_iter: iterations of one step.
        max_eval: evaluations of one step; default 2 max_iter. A line search takes 25 at most.
        tolerance_grad: a smaller |grad f|_x ends the step.
        tolerance_change: a smaller change of the loss or of every coordinate ends it.
        beta: a rule of the table.
        line_search_fn: "strong_wolfe" with |f'(t)| <= 0.1 |f'(0)|, or "approximate_wolfe", which
            goes by slopes alone: it reaches gradients of 1e-10 where the noise of the loss may stop
            the former at 1e-7.

    Raises:
        ValueError: an argument out of range, groups that differ in an option, complex or sharded
            parameters. TypeError: in `step`, no closure. RuntimeError: in `step`, a sparse
            gradient.

    Source: [sato2022riemannian] for the method and the first four rules, [hager2005new] for the
    last, with transported vectors.
    """

    _flatness = 0.1

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        beta: str = "hestenes-stiefel",
        line_search_fn: str = "strong_wolfe",
    ) -> None:
        if beta not in _RULES:
            raise ValueError(f"beta must be one of {[*_RULES]}, got {beta!r}")
        if line_search_fn is None:
            raise ValueError("conjugate gradients need a line search, got line_search_fn=None")
        options = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": 2 * max_iter if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "beta": beta,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, options)

    def _direction(
        self, bundle: Bundle, x: Tensor, g: Tensor, state: dict[str, Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        if not state:
            return -g, {}
        d, h = state["d"], state["prev_flat_grad"]
        beta = _RULES[self.param_groups[0]["beta"]](_Products.of(bundle, x, g, h, d))
        direction = beta * d - g
        descends = bundle.inner(x, direction, g) < 0
        return (direction if descends else -g), {}

    def _first_trial(self, state: dict[str, Any], slope: float) -> float:
        return state["t"] * state["prev_slope"] / slope


class _Products(NamedTuple):
    """Inner products of g and h, the gradients here and there, y = g - h and the direction d."""

    gg: float
    hh: float
    gy: float
    yy: float
    dg: float
    dy: float
    dd: float

    @classmethod
    def of(cls, bundle: Bundle, x: Tensor, g: Tensor, h: Tensor, d: Tensor) -> "_Products":
        y = g - h
        pairs = ((g, g), (h, h), (g, y), (y, y), (d, g), (d, y), (d, d))
        return cls(*(bundle.inner(x, *pair) for pair in pairs))


def _divide(a: float, b: float) -> float:
    """Return a / b, and 0, a restart, where the quotient would say nothing."""
    return a / b if b > 0 else 0.0


def _hager_zhang(of: _Products) -> float:
    quotient = _divide(of.gy - 2 * of.yy * _divide(of.dg, of.dy), of.dy)
    bound = -_divide(1, of.dd**0.5 * min(_BOUND, of.hh**0.5))
    return max(quotient, bound)


_RULES: dict[str, Callable[[_Products], float]] = {
    "hestenes-stiefel": lambda of: max(0.0, _divide(of.gy, of.dy)),
    "polak-ribiere": lambda of: max(0.0, _divide(of.gy, of.hh)),
    "fletcher-reeves": lambda of: _divide(of.gg, of.hh),
    "dai-yuan": lambda of: _divide(of.gg, of.dy),
    "hager-zhang": _hager_zhang,
}
