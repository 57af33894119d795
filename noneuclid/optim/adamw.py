"""Riemannian AdamW: Adam with decoupled weight decay."""

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim.adam import RiemannianAdam


class RiemannianAdamW(RiemannianAdam, torch.optim.AdamW):
    """Adam on manifolds with decoupled weight decay: first x <- exp_x(lr weight_decay log_x(o)).

    The gradient and its averages are carried along to the new x; then `RiemannianAdam` takes its
    step from there. Arguments, defaults, groups and state are `torch.optim.AdamW`'s; on R^n the
    first move is its x <- (1 - lr weight_decay) x.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed.
        lr: length of a step, about.
        betas: how much of m and of v stays.
        eps: added to the root of v^.
        weight_decay: share of the way to the origin that a step goes, over lr.
        amsgrad: divide by the largest v so far.
        maximize: ascend.
        foreach: for the plain parameters, as in torch.
        capturable: keep the step count on the device, as in torch.
        differentiable, fused: refused when a parameter is marked.
        decays_spheres: whether weight decay acts on factors of positive curvature too.
        error_if_nonfinite: as in `RiemannianAdam`.

    Raises:
        ValueError: an argument out of range, weight decay on a manifold without origin (its
            default is not 0), or a refused flag.

    Source: [loshchilov2019decoupled], with the move of [becigneul2019riemannian] for the sum.
    """

    def __init__(  # noqa: PLR0913 - the arguments of torch.optim.AdamW
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decays_spheres: bool = False,
        error_if_nonfinite: bool = False,
    ) -> None:
        own: dict[str, Any] = {
            "decays_spheres": decays_spheres,
            "error_if_nonfinite": error_if_nonfinite,
        }
        RiemannianOptimizer.__init__(  # torch.optim.AdamW sets decoupled_weight_decay by itself
            self,
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            own=own,
        )
