"""Euclidean twins that torch.nn has no single module for, and adapters of those it has."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """torch.nn.MultiheadAttention of a set with itself and an additive bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.inner(x, x, x, attn_mask=bias.flatten(0, 1), need_weights=False)[0]


class Biased(nn.Module):
    """A curved attention called with a bias."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.inner(x, bias=bias)


class Moved(nn.Module):
    """A module of torch.nn with channels second, called with channels last."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.movedim(-1, 1)).movedim(1, -1)


class First(nn.Module):
    """The first result of a module that returns several."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)[0]


class Plain(nn.Module):
    """A function of tensors as a module, with one parameter of the given shape, if any."""

    def __init__(self, function: Callable[..., Tensor], *shape: int) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.randn(*shape)) if shape else None

    def forward(self, *tensors: Any) -> Tensor:
        return (
            self.function(*tensors) if self.weight is None else self.function(*tensors, self.weight)
        )


class PreNorm(nn.Module):
    """Blocks of a particle transformer of `EuclideanTransformer`, for sets without a bias."""

    def __init__(self, blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.blocks.children():
            x = block(x, x, mask)
        return x
