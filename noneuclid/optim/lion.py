"""Riemannian Lion."""

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from noneuclid.manifolds import Manifold
from noneuclid.numerics import combination, safe_divide, safe_sqrt
from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim._pieces import Piece
from noneuclid.optim._rule import Rule
from noneuclid.optim._step import TangentSpace


class RiemannianLion(RiemannianOptimizer):
    """Lion on manifolds: x <- retr_x(-lr c / |c|_x) with c = beta1 m + (1 - beta1) grad f.

    Every step has the length lr: per row, per factor of a product and, on R^n, per coordinate,
    where c / |c| is sign(c). m <- beta2 m + (1 - beta2) grad f is carried along by transport.
    Weight decay is decoupled: x <- exp_x(lr weight_decay log_x(o)) before the step. Plain
    parameters, and those on R^n, take the published step x <- (1 - lr weight_decay) x - lr sign(c);
    torch's sign of NaN is 0, so there a NaN stops its coordinate for good (`error_if_nonfinite`).

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed.
        lr: length of a step; a third to a tenth of Adam's, as every step has it in full.
        betas: how much of m enters c, and how much of it stays.
        weight_decay: share of the way to the origin that a step goes, over lr.
        maximize: ascend.
        foreach: whether to step plain parameters together; default: where torch would.
        decays_spheres: whether weight decay acts on factors of positive curvature too.
        error_if_nonfinite: as in `RiemannianAdam`.

    Raises:
        ValueError: an argument out of range, or weight decay on a manifold without origin.
        RuntimeError: in `step`, a sparse gradient of a plain parameter.

    Source: [chen2023symbolic] Algorithm 2.
    """

    _counts_steps = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        decays_spheres: bool = False,
        error_if_nonfinite: bool = False,
    ) -> None:
        if not lr >= 0:
            raise ValueError(f"lr must be at least 0, got {lr}")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must lie in [0, 1), got {betas}")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay must be at least 0, got {weight_decay}")
        defaults = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
        }
        own = {"decays_spheres": decays_spheres, "error_if_nonfinite": error_if_nonfinite}
        super().__init__(params, defaults, own=own)

    def _step_plain(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        averages = []
        parameters = [p for p in parameters if p.grad is not None]
        for parameter in parameters:
            if parameter.grad is not None and parameter.grad.is_sparse:
                raise RuntimeError(
                    "Lion moves every coordinate by lr and has no form for sparse gradients of"
                    " plain parameters; use sparse=False, or RiemannianAdagrad"
                )
            state = self.state[parameter]
            if "exp_avg" not in state:
                state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            averages.append(state["exp_avg"])
        gradients = [p.grad for p in parameters if p.grad is not None]
        _lion_flat(group, parameters, gradients, averages)

    def _step_flat(self, group: dict[str, Any], pieces: list[Piece]) -> None:
        averages = [piece.state["exp_avg"] for piece in pieces]
        _lion_flat(group, [p.x for p in pieces], [p.gradient for p in pieces], averages)

    def _state_names(self, group: dict[str, Any], manifold: Manifold) -> tuple[str, ...]:
        return ("exp_avg",)

    def _rule(self, group: dict[str, Any], pieces: list[Piece]) -> Rule:
        return Rule(
            _lion,
            (group["lr"], *group["betas"]),
            vectors=("exp_avg",),
            decay=group["weight_decay"],
            lr=group["lr"],
            is_decoupled=True,
            decays_spheres=group["decays_spheres"],
            maximize=group["maximize"],
        )


def _lion(space: TangentSpace, settings: list[Tensor], u: Tensor, m: Tensor) -> tuple[Tensor, ...]:
    """Return -lr c / |c|, 0 where c = 0, with the new m."""
    lr, beta1, beta2 = settings
    c = combination((beta1, m), (1 - beta1, u))
    length = safe_sqrt(space.square(c))
    scale = safe_divide(lr * torch.ones_like(length), length)
    return combination((-scale, c)), combination((beta2, m), (1 - beta2, u))


def _lion_flat(
    group: dict[str, Any], points: list[Tensor], gradients: list[Tensor], averages: list[Tensor]
) -> None:
    """Take the published step on R^n, in place."""
    if not points:
        return
    lr, (beta1, beta2) = group["lr"], group["betas"]
    if group["maximize"]:
        gradients = [-gradient for gradient in gradients]
    together = group["foreach"] if group["foreach"] is not None else points[0].is_cuda
    if together:
        steps = torch._foreach_mul(averages, beta1)
        torch._foreach_add_(steps, gradients, alpha=1 - beta1)
        torch._foreach_sign_(steps)
        torch._foreach_mul_(steps, -lr)
        torch._foreach_mul_(points, 1 - lr * group["weight_decay"])
        torch._foreach_add_(points, steps)
        torch._foreach_mul_(averages, beta2)
        torch._foreach_add_(averages, gradients, alpha=1 - beta2)
        return
    for x, gradient, average in zip(points, gradients, averages, strict=True):
        step = average.mul(beta1).add_(gradient, alpha=1 - beta1).sign_().mul_(-lr)
        x.mul_(1 - lr * group["weight_decay"]).add_(step)
        average.mul_(beta2).add_(gradient, alpha=1 - beta2)
