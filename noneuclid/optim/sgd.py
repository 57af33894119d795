"""Riemannian stochastic gradient descent, with momentum."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT
from torch.optim.sgd import sgd

from noneuclid.manifolds import Manifold
from noneuclid.numerics import Lines, combination
from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim._lines import LineRule
from noneuclid.optim._pieces import Piece
from noneuclid.optim._rule import Rule
from noneuclid.optim._step import TangentSpace


class RiemannianSGD(RiemannianOptimizer, torch.optim.SGD):
    """SGD on manifolds: x <- retr_x(-lr b) with the momentum b carried along by transport.

    b <- momentum b + (1 - dampening) grad f, b = grad f at first; `nesterov` descends
    grad f + momentum b instead. Arguments, defaults, groups and state are `torch.optim.SGD`'s;
    parameters that are not marked by `ManifoldParameter`, and those on R^n, take its very steps.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed.
        lr: step length per unit of gradient.
        momentum: how much of the last direction stays.
        dampening: how much of the gradient is left out of later directions.
        weight_decay: pull towards the origin, -weight_decay log_x(o), added to the gradient.
        nesterov: look ahead along the momentum; needs momentum > 0 and no dampening.
        maximize: ascend.
        foreach: for the plain parameters, as in torch.
        differentiable, fused: refused when a parameter is marked.
        decays_spheres: whether weight decay acts on factors of positive curvature too.
        error_if_nonfinite: whether `step` raises RuntimeError on a NaN or infinite gradient,
            naming the parameter, before anything moves.

    Raises:
        ValueError: an argument out of range, weight decay on a manifold without origin, or a
            refused flag. RuntimeError: in `step`, a sparse gradient of a marked parameter whose
            entries are not rows.

    Source: [bonnabel2013stochastic] for the step without momentum.
    """

    def __init__(  # noqa: PLR0913 - the arguments of torch.optim.SGD
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
        decays_spheres: bool = False,
        error_if_nonfinite: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
            foreach=foreach,
            differentiable=differentiable,
            fused=fused,
            own={"decays_spheres": decays_spheres, "error_if_nonfinite": error_if_nonfinite},
        )

    _counts_steps = False

    def _step_plain(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        if not parameters:
            return
        points: list[Tensor] = []
        gradients: list[Tensor] = []
        buffers: list[Tensor | None] = []
        is_sparse = self._init_group({**group, "params": parameters}, points, gradients, buffers)
        self._step_lists(group, points, gradients, buffers, is_sparse)
        if group["momentum"] != 0:
            for parameter, buffer in zip(points, buffers, strict=True):
                self.state[parameter]["momentum_buffer"] = buffer

    def _step_flat(self, group: dict[str, Any], pieces: list[Piece]) -> None:
        if not pieces:
            return
        kept = [piece.state.get("momentum_buffer") for piece in pieces]
        buffers = [None if p.is_first else b for p, b in zip(pieces, kept, strict=True)]
        points, gradients = [p.x for p in pieces], [p.gradient for p in pieces]
        self._step_lists(group, points, gradients, buffers, False)
        for piece, before, after in zip(pieces, kept, buffers, strict=True):
            if piece.is_first and before is not None and after is not None:
                before.copy_(after)

    def _step_lists(
        self,
        group: dict[str, Any],
        points: list[Tensor],
        gradients: list[Tensor],
        buffers: list[Tensor | None],
        is_sparse: bool,
    ) -> None:
        sgd(
            points,
            gradients,
            buffers,
            has_sparse_grad=is_sparse,
            foreach=group["foreach"],
            fused=group["fused"],
            grad_scale=getattr(self, "grad_scale", None),
            found_inf=getattr(self, "found_inf", None),
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            lr=group["lr"],
            dampening=group["dampening"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
        )

    def _state_names(self, group: dict[str, Any], manifold: Manifold) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] != 0 else ()

    def _rule(self, group: dict[str, Any], pieces: list[Piece]) -> Rule:
        momentum = (0.0, 1.0) if pieces[0].is_first else (group["momentum"], 1 - group["dampening"])
        ahead = group["momentum"] if group["nesterov"] else 0.0
        names = self._state_names(group, pieces[0].manifold)
        return Rule(
            _momentum if names else _plain,
            (group["lr"], *momentum, float(group["nesterov"]), ahead) if names else (group["lr"],),
            vectors=names,
            decay=group["weight_decay"],
            decays_spheres=group["decays_spheres"],
            maximize=group["maximize"],
        )

    def _line_rule(self, group: dict[str, Any], pieces: list[Piece]) -> LineRule | None:
        names = self._state_names(group, pieces[0].manifold)
        lr, decay, momentum = group["lr"], group["weight_decay"], group["momentum"]
        is_new = bool(names) and pieces[0].is_first  # torch makes the first momentum
        if is_new or isinstance(lr, Tensor) or isinstance(decay, Tensor):
            return None
        settings = (-1.0 if group["maximize"] else 1.0, decay, -lr)
        if not names:
            return LineRule(_LINES, settings)
        lines = _LINES_AHEAD if group["nesterov"] else _LINES_MOMENTUM
        return LineRule(lines, (*settings, momentum, 1 - group["dampening"]), names)


_LINES = Lines(
    ("g",),
    ("x",),
    ("sign", "decay", "rate"),
    """
    const float u = fmaf(decay, x, sign * g);
    x = fmaf(rate, u, x);
    """,
)
_LINES_MOMENTUM = Lines(
    ("g",),
    ("b", "x"),
    ("sign", "decay", "rate", "keep", "take"),
    """
    const float u = fmaf(decay, x, sign * g);
    b = fmaf(take, u, keep * b);
    x = fmaf(rate, b, x);
    """,
)
_LINES_AHEAD = replace(
    _LINES_MOMENTUM,
    code="""
    const float u = fmaf(decay, x, sign * g);
    b = fmaf(take, u, keep * b);
    x = fmaf(rate, fmaf(keep, b, u), x);
    """,
)


def _plain(space: TangentSpace, settings: list[Tensor], u: Tensor) -> tuple[Tensor, ...]:
    """Return -lr u."""
    (lr,) = settings
    return (combination((-lr, u)),)


def _momentum(
    space: TangentSpace, settings: list[Tensor], u: Tensor, b: Tensor
) -> tuple[Tensor, ...]:
    """Return -lr (b or, looking ahead, u + ahead b), with the new b."""
    lr, keep, take, looks, ahead = settings
    b = combination((keep, b), (take, u))
    return combination((-lr * looks, u), (-lr * (1 - looks + ahead), b)), b
