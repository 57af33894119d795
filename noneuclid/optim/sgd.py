"""Riemannian stochastic gradient descent, with momentum."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT
from torch.optim.sgd import sgd

from noneuclid.manifolds import Manifold, ManifoldParameter
from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim._geometry import factors_of, gradient_of, local, move


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
        weight_decay: pull towards the origin, -weight_decay log_x(o), added to the gradient; not
            applied on factors of positive curvature.
        nesterov: look ahead along the momentum; needs momentum > 0 and no dampening.
        maximize: ascend.
        foreach: for the plain parameters, as in torch.
        differentiable, fused: refused when a parameter is marked.

    Raises:
        ValueError: an argument out of range, weight decay on a manifold without origin, or a
            refused flag. RuntimeError: in `step`, a sparse gradient of a marked parameter.

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
        )

    def _step_plain(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        if not parameters:
            return
        gradients: list[Tensor] = []
        buffers: list[Tensor | None] = []
        with_gradient: list[Tensor] = []
        has_sparse_grad = self._init_group(
            {**group, "params": parameters}, with_gradient, gradients, buffers
        )
        sgd(
            with_gradient,
            gradients,
            buffers,
            has_sparse_grad=has_sparse_grad,
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
        if group["momentum"] != 0:
            for parameter, buffer in zip(with_gradient, buffers, strict=True):
                self.state[parameter]["momentum_buffer"] = buffer

    def _step_marked(self, group: dict[str, Any], parameters: list[ManifoldParameter]) -> None:
        manifolds: list[Manifold] = []
        tensors: list[list[Tensor]] = []  # of each factor: point, gradient, momentum
        is_first: list[bool] = []
        for parameter in parameters:
            assert parameter.grad is not None
            of_parameter = [local(parameter.detach()), local(parameter.grad)]
            first = False
            if group["momentum"] != 0:
                state = self.state[parameter]
                first = state.get("momentum_buffer") is None
                if first:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                of_parameter.append(local(state["momentum_buffer"]))
            for factor, views in factors_of(parameter.manifold, *of_parameter):
                manifolds.append(factor)
                tensors.append(views)
                is_first.append(first)
        riemannian_sgd(
            manifolds,
            tensors,
            is_first,
            lr=group["lr"],
            momentum=group["momentum"],
            dampening=group["dampening"],
            weight_decay=group["weight_decay"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
        )


def riemannian_sgd(  # noqa: PLR0913 - the arguments of torch.optim.sgd.sgd
    manifolds: Sequence[Manifold],
    tensors: Sequence[Sequence[Tensor]],
    is_first: Sequence[bool],
    *,
    lr: float | Tensor,
    momentum: float,
    dampening: float,
    weight_decay: float | Tensor,
    nesterov: bool,
    maximize: bool,
) -> None:
    """Take one SGD step in place.

    Args:
        manifolds: where each entry of `tensors` lives.
        tensors: (point, ambient gradient) or, with momentum, (point, gradient, buffer); (*, S).
        is_first: whether the buffer is still empty.
        lr: as in `RiemannianSGD`, like all that follow.
        momentum: how much of the last direction stays.
        dampening: how much of the gradient is left out of later directions.
        weight_decay: pull towards the origin.
        nesterov: look ahead along the momentum.
        maximize: ascend.
    """
    if isinstance(lr, Tensor):
        lr = lr.reshape(())
    for manifold, (x, g, *buffers), first in zip(manifolds, tensors, is_first, strict=True):
        direction = gradient_of(manifold, x, g, maximize=maximize, weight_decay=weight_decay)
        for buffer in buffers:
            if first:
                buffer.copy_(direction)
            else:
                buffer.mul_(momentum).add_(direction, alpha=1 - dampening)
            direction = direction.add(buffer, alpha=momentum) if nesterov else buffer
        move(manifold, x, direction, -lr, *buffers)
