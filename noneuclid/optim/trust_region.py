"""The Riemannian trust-region method."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from noneuclid.optim._bundle import Bundle
from noneuclid.optim._hessian import Hessian
from noneuclid.optim._joint import JointOptimizer

_NOISE = 1e3  # rounding errors of the loss, in units of eps max(1, |f|)


class RiemannianTrustRegion(JointOptimizer):
    """Newton's method on manifolds, kept where its model of the loss is right.

    An iteration minimises m(u) = f(x) + <grad f, u> + <H u, u> / 2 over |u|_x <= radius by
    truncated conjugate gradients, where H is the Hessian of f o retr_x at 0. It moves to retr_x(u)
    if the loss falls by more than `eta` of what the model promised; the radius becomes a quarter
    where that ratio is below 1/4, and twice as large where it is above 3/4 on the rim. Near a
    minimum both differences are rounding noise: 1e3 eps max(1, |f|) is added to both, so the
    ratio tends to 1 and the gradient goes on to shrink, quadratically for theta = 1.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed; any number
            of groups, equal in all options.
        radius: the first radius, in units of |u|_x; default max_radius / 8.
        max_radius: the largest; default the root of the number of coordinates.
        eta: the least ratio of a step that is taken, in [0, 1/4).
        kappa: the inner iteration ends where the residual is kappa |grad f| or less, ...
        theta: ... or |grad f|^(1 + theta) or less.
        max_iter: iterations of one step; each evaluates the loss once, and again after a step that
            was not taken.
        max_inner: products H u of one iteration; default: the number of coordinates.
        tolerance_grad: a smaller |grad f|_x ends the step.

    State, kept with one parameter: `radius`, `n_iter`, `func_evals`.

    Raises:
        ValueError: an argument out of range, groups that differ in an option, complex or sharded
            parameters. TypeError: in `step`, no closure, or one that returns no tensor with a
            graph. RuntimeError: in `step`, a closure that called backward, a sparse gradient.

    Source: [absil2007trust] algorithms 1 and 2; [boumal2023introduction] section 6.4 for the
    ratio near a minimum.
    """

    closure_calls_backward: ClassVar[bool] = False

    def __init__(  # noqa: PLR0913 - the parameters of the method
        self,
        params: ParamsT,
        radius: float | None = None,
        max_radius: float | None = None,
        *,
        eta: float = 0.1,
        kappa: float = 0.1,
        theta: float = 1.0,
        max_iter: int = 20,
        max_inner: int | None = None,
        tolerance_grad: float = 1e-7,
    ) -> None:
        for name, value in (("radius", radius), ("max_radius", max_radius)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")
        if not 0 <= eta < 0.25:
            raise ValueError(f"eta must be in [0, 1/4), got {eta}")
        if not (0 < kappa < 1 and theta >= 0):
            raise ValueError(f"kappa must be in (0, 1) and theta >= 0, got {kappa} and {theta}")
        options = {
            "radius": radius,
            "max_radius": max_radius,
            "eta": eta,
            "kappa": kappa,
            "theta": theta,
            "max_iter": max_iter,
            "max_inner": max_inner,
            "tolerance_grad": tolerance_grad,
        }
        super().__init__(params, options)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take up to `max_iter` iterations; return the loss before them, detached.

        Args:
            closure: evaluates the model and returns the loss, without calling backward.

        Raises:
            TypeError: no closure, or no loss with a graph. RuntimeError: a closure that called
                backward, or a sparse gradient. ValueError: groups that differ in an option.
        """
        closure, bundle = self._required(closure), self._bundle()
        options, state = self._options(), self.state[bundle.anchor]
        state.setdefault("n_iter", 0)
        state.setdefault("func_evals", 0)
        before = loss = _evaluate(closure, state)
        for _ in range(options["max_iter"]):
            if loss is None:  # the last step was not taken, and writing has outdated its graph
                loss = _evaluate(closure, state)
            x = bundle.point()
            hessian = Hessian(bundle, x, loss)
            if not bundle.norm(x, hessian.gradient) > options["tolerance_grad"]:  # NaN too
                break
            try:
                loss = self._iterate(closure, bundle, x, hessian, float(loss), options, state)
            except BaseException:
                bundle.write(x)
                raise
        return before.detach() if isinstance(before, Tensor) else before

    def _iterate(
        self,
        closure: Callable[[], Any],
        bundle: Bundle,
        x: Tensor,
        hessian: Hessian,
        value: float,
        options: dict[str, Any],
        state: dict[str, Any],
    ) -> Any:
        """Try one step; return the loss where it leads, or None with the point back at `x`."""
        size = len(x)
        largest = options["max_radius"] or size**0.5
        radius = min(state.get("radius", options["radius"] or largest / 8), largest)
        target = _target(bundle.norm(x, hessian.gradient), options["kappa"], options["theta"])
        u, hu, on_rim = steihaug(bundle, x, hessian, radius, target, options["max_inner"] or size)
        promised = -bundle.inner(x, hessian.gradient, u) - bundle.inner(x, u, hu) / 2
        bundle.advance(x, u, 1.0)
        loss = _evaluate(closure, state)
        noise = _NOISE * torch.finfo(loss.dtype).eps * max(1.0, abs(value))
        ratio = (value - float(loss) + noise) / (promised + noise)
        state["n_iter"] += 1
        if not ratio >= 1 / 4:  # NaN too
            state["radius"] = radius / 4
        else:
            state["radius"] = min(2 * radius, largest) if ratio > 3 / 4 and on_rim else radius
        if ratio > options["eta"] and math.isfinite(float(loss)):
            return loss
        bundle.write(x)
        return None


def steihaug(
    bundle: Bundle, x: Tensor, hessian: Hessian, radius: float, target: float, most: int
) -> tuple[Tensor, Tensor, bool]:
    """Minimise <g, u> + <H u, u> / 2 over |u|_x <= radius by truncated conjugate gradients.

    Ends on the rim along the first direction of negative curvature, or where it leaves the ball.

    Args:
        bundle: of all parameters.
        x: the current point.
        hessian: g and H.
        radius: of the ball.
        target: ends where |g + H u|_x is at most this.
        most: products with H, at most.

    Returns:
        u, H u, and whether |u|_x = radius.

    Source: [absil2007trust] algorithm 2.
    """
    u, hu = torch.zeros_like(x), torch.zeros_like(x)
    residual = hessian.gradient
    d = -residual
    uu, ud, dd = 0.0, 0.0, bundle.inner(x, residual, residual)  # <u, u>, <u, d>, <d, d>
    square = dd
    for _ in range(most):
        hd = hessian(d)
        bending = bundle.inner(x, d, hd)
        step = square / bending if bending > 0 else math.inf
        if not uu + 2 * step * ud + step * step * dd < radius * radius:  # NaN too
            step = (math.sqrt(ud * ud + dd * (radius * radius - uu)) - ud) / dd
            return u.add_(d, alpha=step), hu.add_(hd, alpha=step), True
        u.add_(d, alpha=step)
        hu.add_(hd, alpha=step)
        residual = residual.add(hd, alpha=step)
        previous, square = square, bundle.inner(x, residual, residual)
        if square <= target * target:
            break
        share = square / previous
        uu, ud = uu + 2 * step * ud + step * step * dd, share * (ud + step * dd)
        dd = square + share * share * dd
        d = share * d - residual
    return u, hu, False


def _target(size: float, kappa: float, theta: float) -> float:
    """Return the residual at which the inner iteration ends: |g| min(|g|^theta, kappa)."""
    return size * min(size**theta, kappa)


def _evaluate(closure: Callable[[], Any], state: dict[str, Any]) -> Any:
    state["func_evals"] += 1
    return closure()
