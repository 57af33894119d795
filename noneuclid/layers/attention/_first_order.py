"""A guard that says what to use instead where a fused kernel has no second derivative."""

from typing import Any

import torch
from torch import Tensor

_MESSAGE = (
    'attention="fused" has first derivatives in backward mode only; use attention="math" for'
    " second derivatives and for forward mode (jvp)"
)


def first_order(x: Tensor) -> Tensor:
    """Return `x`; to differentiate its gradient, or to use forward mode, is an error that helps.

    The compiler refuses second derivatives by itself.
    """
    return x if torch.compiler.is_compiling() else _FirstOrder.apply(x)


class _FirstOrder(torch.autograd.Function):
    """The identity, once differentiable."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        return

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return _Last.apply(g)

    @staticmethod
    def jvp(ctx: Any, v: Tensor) -> Tensor:
        raise RuntimeError(_MESSAGE)


class _Last(torch.autograd.Function):
    """The identity on a gradient, which nothing may be differentiated through."""

    generate_vmap_rule = True

    @staticmethod
    def forward(g: Tensor) -> Tensor:
        return g.view_as(g)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        return

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        raise RuntimeError(_MESSAGE)
