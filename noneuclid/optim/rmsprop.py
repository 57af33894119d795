"""Riemannian RMSprop."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT
from torch.optim.rmsprop import rmsprop

from noneuclid.manifolds import Manifold
from noneuclid.numerics import combination
from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim._pieces import Piece, steps_before
from noneuclid.optim._rule import Rule
from noneuclid.optim._step import TangentSpace

# x, gradient, mean square, mean, momentum, step
_Lists = tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[Tensor]]


class RiemannianRMSprop(RiemannianOptimizer, torch.optim.RMSprop):
    """RMSprop on manifolds: x <- retr_x(-lr grad f / (sqrt v + eps)).

    v <- alpha v + (1 - alpha) <grad f, grad f>_x is one number for each row, for each factor of a
    product and, on R^n, for each coordinate. `centered` takes <a, a>_x off v under the root, for
    the mean gradient a <- alpha a + (1 - alpha) grad f; `momentum` moves along b <- momentum b +
    grad f / (sqrt v + eps) instead. The tangent vectors a and b are carried along by transport.
    Arguments, defaults, groups and state are `torch.optim.RMSprop`'s; parameters that are not
    marked by `ManifoldParameter`, and those on R^n, take its very steps.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed.
        lr: length of a step, about.
        alpha: how much of v and of a stays.
        eps: added to the root.
        weight_decay: pull towards the origin, -weight_decay log_x(o), added to the gradient.
        momentum: how much of b stays; 0: without b.
        centered: whether to take off the square of the mean gradient.
        capturable: keep the step count on the device, as in torch.
        foreach: for the plain parameters, as in torch.
        maximize: ascend.
        differentiable: refused when a parameter is marked.
        decays_spheres: whether weight decay acts on factors of positive curvature too.
        error_if_nonfinite: as in `RiemannianAdam`.

    Raises:
        ValueError: an argument out of range, weight decay on a manifold without origin, or a
            refused flag.

    Source: torch.optim.RMSprop, with the scalars of [becigneul2019riemannian] section 4.
    """

    def __init__(  # noqa: PLR0913 - the arguments of torch.optim.RMSprop
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        *,
        decays_spheres: bool = False,
        error_if_nonfinite: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
            capturable=capturable,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            own={"decays_spheres": decays_spheres, "error_if_nonfinite": error_if_nonfinite},
        )

    def _step_plain(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        if parameters:
            lists: _Lists = ([], [], [], [], [], [])
            x, gradient, square_avg, mean, momentum, step = lists
            is_complex = self._init_group(
                {**group, "params": parameters}, x, gradient, square_avg, momentum, mean, step
            )
            self._step_lists(group, lists, is_complex)

    def _step_flat(self, group: dict[str, Any], pieces: list[Piece]) -> None:
        if pieces:
            known = self._state_names(group, pieces[0].manifold)
            square_avg, mean, momentum = (
                [p.state[name] for p in pieces] if name in known else []
                for name in ("square_avg", "grad_avg", "momentum_buffer")
            )
            steps = steps_before(pieces)
            points, gradients = [p.x for p in pieces], [p.gradient for p in pieces]
            lists = (points, gradients, square_avg, mean, momentum, steps)
            self._step_lists(group, lists, False)

    def _step_lists(self, group: dict[str, Any], lists: _Lists, is_complex: bool) -> None:
        rmsprop(
            *lists,
            lr=group["lr"],
            alpha=group["alpha"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            centered=group["centered"],
            foreach=group["foreach"],
            maximize=group["maximize"],
            differentiable=group["differentiable"],
            capturable=group["capturable"],
            has_complex=is_complex,
        )

    def _state_names(self, group: dict[str, Any], manifold: Manifold) -> tuple[str, ...]:
        mean = ("grad_avg",) if group["centered"] else ()
        momentum = ("momentum_buffer",) if group["momentum"] > 0 else ()
        return (*mean, *momentum, "square_avg")

    def _rule(self, group: dict[str, Any], pieces: list[Piece]) -> Rule:
        *vectors, number = self._state_names(group, pieces[0].manifold)
        return Rule(
            _METHODS[bool(group["centered"]), group["momentum"] > 0],
            (group["lr"], group["alpha"], group["eps"], group["momentum"]),
            vectors=tuple(vectors),
            numbers=(number,),
            decay=group["weight_decay"],
            decays_spheres=group["decays_spheres"],
            maximize=group["maximize"],
        )


def _rmsprop(
    space: TangentSpace, settings: list[Tensor], u: Tensor, *state: Tensor,
    centered: bool, has_momentum: bool,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Return -lr u / (sqrt v + eps), or -lr b with momentum, with the new a, b and v."""
    lr, alpha, eps, momentum = settings
    *vectors, v = state
    v = alpha * v + (1 - alpha) * space.square(u)
    spread, new = v, []
    if centered:
        mean = combination((alpha, vectors.pop(0)), (1 - alpha, u))
        # The mean was carried along, and rounded: its square may be the larger by that much.
        spread = (v - space.square(mean)).clamp(min=0)
        new.append(mean)
    direction = combination((1 / (spread.sqrt() + eps), u))
    if has_momentum:
        direction = combination((momentum, vectors.pop(0)), (1 / (spread.sqrt() + eps), u))
        new.append(direction)
    return combination((-lr, direction)), *new, v


_METHODS = {
    (centered, has_momentum): partial(_rmsprop, centered=centered, has_momentum=has_momentum)
    for centered in (False, True)
    for has_momentum in (False, True)
}
