"""Riemannian Adagrad."""

from typing import Any

import torch
from torch import Tensor
from torch.optim.adagrad import adagrad
from torch.optim.optimizer import ParamsT

from noneuclid.manifolds import Manifold
from noneuclid.numerics import combination
from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim._pieces import Piece, steps_before
from noneuclid.optim._rule import Rule
from noneuclid.optim._step import TangentSpace

_Lists = tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]  # x, gradient, sum, step


class RiemannianAdagrad(RiemannianOptimizer, torch.optim.Adagrad):
    """Adagrad on manifolds: x <- retr_x(-lr' grad f / (sqrt s + eps)).

    s <- s + <grad f, grad f>_x is one number for each row, for each factor of a product and, on
    R^n, for each coordinate; lr' = lr / (1 + (t - 1) lr_decay) at step t. Arguments, defaults,
    groups and state are `torch.optim.Adagrad`'s; parameters that are not marked by
    `ManifoldParameter`, and those on R^n, take its very steps.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed.
        lr: length of the first step, about.
        lr_decay: how fast lr' falls.
        weight_decay: pull towards the origin, -weight_decay log_x(o), added to the gradient.
        initial_accumulator_value: s at the start.
        eps: added to the root of s.
        foreach: for the plain parameters, as in torch.
        maximize: ascend.
        differentiable, fused: refused when a parameter is marked.
        decays_spheres: whether weight decay acts on factors of positive curvature too.
        error_if_nonfinite: as in `RiemannianAdam`.

    Raises:
        ValueError: an argument out of range, weight decay on a manifold without origin, or a
            refused flag.

    Source: [becigneul2019riemannian] section 4.
    """

    def __init__(  # noqa: PLR0913 - the arguments of torch.optim.Adagrad
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decays_spheres: bool = False,
        error_if_nonfinite: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            fused=fused,
            own={"decays_spheres": decays_spheres, "error_if_nonfinite": error_if_nonfinite},
        )

    def _step_plain(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        if parameters:
            lists: _Lists = ([], [], [], [])
            is_sparse, is_complex = self._init_group({**group, "params": parameters}, *lists)
            self._step_lists(group, lists, is_sparse, is_complex)

    def _step_flat(self, group: dict[str, Any], pieces: list[Piece]) -> None:
        if pieces:
            sums = [p.state["sum"] for p in pieces]
            steps = steps_before(pieces)
            lists = ([p.x for p in pieces], [p.gradient for p in pieces], sums, steps)
            self._step_lists(group, lists, False, False)

    def _step_lists(
        self, group: dict[str, Any], lists: _Lists, is_sparse: bool, is_complex: bool
    ) -> None:
        adagrad(
            *lists,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            lr_decay=group["lr_decay"],
            eps=group["eps"],
            has_sparse_grad=is_sparse,
            foreach=group["foreach"],
            maximize=group["maximize"],
            differentiable=group["differentiable"],
            has_complex=is_complex,
            fused=group["fused"],
            grad_scale=getattr(self, "grad_scale", None),
            found_inf=getattr(self, "found_inf", None),
        )

    def _state_names(self, group: dict[str, Any], manifold: Manifold) -> tuple[str, ...]:
        return ("sum",)

    def _rule(self, group: dict[str, Any], pieces: list[Piece]) -> Rule:
        rate = group["lr"] / (1 + (self._count(group, pieces) - 1) * group["lr_decay"])
        return Rule(
            _adagrad,
            (rate, group["eps"]),
            numbers=("sum",),
            decay=group["weight_decay"],
            decays_spheres=group["decays_spheres"],
            maximize=group["maximize"],
        )


def _adagrad(
    space: TangentSpace, settings: list[Tensor], u: Tensor, s: Tensor
) -> tuple[Tensor, ...]:
    """Return -rate u / (sqrt s + eps), with the new s."""
    rate, eps = settings
    s = s + space.square(u)
    return combination((-rate / (s.sqrt() + eps), u)), s
