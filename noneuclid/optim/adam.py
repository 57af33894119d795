"""Riemannian Adam and AMSGrad."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.optimizer import ParamsT

from noneuclid.manifolds import Manifold, ManifoldParameter
from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim._geometry import add_square, factors_of, gradient_of, local, move

# parameters, gradients, m, v, largest v, step counts
_Lists = tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[Tensor]]


class RiemannianAdam(RiemannianOptimizer, torch.optim.Adam):
    """Adam on manifolds: x <- retr_x(-lr m^ / (sqrt v^ + eps)), m carried along by transport.

    m <- beta1 m + (1 - beta1) grad f is a tangent vector; v <- beta2 v + (1 - beta2) <grad f,
    grad f>_x is one number for each row, for each factor of a product and, on R^n, for each
    coordinate, so that the step does not depend on the choice of coordinates. m^ and v^ are
    corrected for their bias. Arguments, defaults, groups and state are `torch.optim.Adam`'s;
    parameters that are not marked by `ManifoldParameter`, and those on R^n, take its very steps.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed.
        lr: length of a step, about.
        betas: how much of m and of v stays.
        eps: added to the root of v^.
        weight_decay: pull towards the origin, -weight_decay log_x(o), added to the gradient; not
            applied on factors of positive curvature.
        amsgrad: divide by the largest v so far.
        maximize: ascend.
        foreach: for the plain parameters, as in torch.
        capturable, differentiable, fused, decoupled_weight_decay: refused when a parameter is
            marked.

    Raises:
        ValueError: an argument out of range, weight decay on a manifold without origin, or a
            refused flag. RuntimeError: in `step`, a sparse gradient of a marked parameter.

    Source: [becigneul2019riemannian] section 4, with their transport of m; v is corrected for its
    bias as in Adam.
    """

    def __init__(  # noqa: PLR0913 - the arguments of torch.optim.Adam
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        )

    def _step_plain(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        if not parameters:
            return
        self._accelerator_graph_capture_health_check()
        lists: _Lists = ([], [], [], [], [], [])
        has_complex = self._init_group({**group, "params": parameters}, *lists)
        beta1, beta2 = group["betas"]
        adam(
            *lists,
            has_complex=has_complex,
            foreach=group["foreach"],
            capturable=group["capturable"],
            differentiable=group["differentiable"],
            fused=group["fused"],
            grad_scale=getattr(self, "grad_scale", None),
            found_inf=getattr(self, "found_inf", None),
            decoupled_weight_decay=group["decoupled_weight_decay"],
            amsgrad=group["amsgrad"],
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
        )

    def _step_marked(self, group: dict[str, Any], parameters: list[ManifoldParameter]) -> None:
        if not parameters:
            return
        self._accelerator_graph_capture_health_check()
        lists: _Lists = ([], [], [], [], [], [])
        self._init_group({**group, "params": parameters}, *lists)
        manifolds: list[Manifold] = []
        tensors: list[list[Tensor]] = []  # of each factor: point, gradient, m, v, largest v
        steps: list[float] = []
        for index, parameter in enumerate(parameters):
            of_parameter = [local(one[index]) for one in lists[:5] if one]
            of_parameter[0] = local(parameter.detach())
            lists[5][index] += 1
            step = float(lists[5][index])
            for factor, views in factors_of(parameter.manifold, *of_parameter):
                manifolds.append(factor)
                tensors.append(views)
                steps.append(step)
        riemannian_adam(
            manifolds,
            tensors,
            steps,
            lr=group["lr"],
            betas=group["betas"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            maximize=group["maximize"],
        )


def riemannian_adam(
    manifolds: Sequence[Manifold],
    tensors: Sequence[Sequence[Tensor]],
    steps: Sequence[float],
    *,
    lr: float | Tensor,
    betas: tuple[float | Tensor, float | Tensor],
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Take one Adam step in place; AMSGrad where the largest v is given.

    Args:
        manifolds: where each entry of `tensors` lives.
        tensors: (point, ambient gradient, m, v) or (point, gradient, m, v, largest v); (*, S).
        steps: the number of each step, from 1.
        lr: as in `RiemannianAdam`, like all that follow.
        betas: of m and of v.
        eps: added to the root of v^.
        weight_decay: pull towards the origin.
        maximize: ascend.
    """
    if isinstance(lr, Tensor):
        lr = lr.reshape(())
    beta1, beta2 = (beta.reshape(()) if isinstance(beta, Tensor) else beta for beta in betas)
    for manifold, (x, g, m, v, *largest), step in zip(manifolds, tensors, steps, strict=True):
        gradient = gradient_of(manifold, x, g, maximize=maximize, weight_decay=weight_decay)
        m.lerp_(gradient, 1 - (beta1.to(m) if isinstance(beta1, Tensor) else beta1))
        v.mul_(beta2)
        add_square(manifold, x, gradient, v, 1 - beta2)
        for most in largest:
            torch.maximum(most, v, out=most)
            v = most
        size = lr / (1 - beta1**step)
        root = (v.sqrt() / (1 - beta2**step) ** 0.5).add_(eps)
        # m (-size) / root, in this order, is what addcdiv_ computes
        move(manifold, x, (m * -size).div_(root), 1, m)
