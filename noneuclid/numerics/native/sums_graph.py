"""The compiled weighted sums as an operator that torch.compile puts into its graphs."""

from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics.native import ambient_sums as native


@torch.library.custom_op("noneuclid::ambient_sums", mutates_args=())
def ambient_sums(
    x: Tensor, w: Tensor, curvature: Tensor, model: str, moves: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return S (B, d), T (B, 1) and T^2 + K|S|^2 (B, 1)."""
    return native.ambient_sums(x, w, curvature, model, moves)


@ambient_sums.register_fake
def _(
    x: Tensor, w: Tensor, curvature: Tensor, model: str, moves: bool
) -> tuple[Tensor, Tensor, Tensor]:
    total = w.new_empty(x.shape[0], x.shape[2])
    return total, w.new_empty(x.shape[0], 1), w.new_empty(x.shape[0], 1)


@torch.library.custom_op("noneuclid::ambient_sums_gradients", mutates_args=())
def _gradients(
    tensors: list[Tensor], back: list[Tensor], model: str, moves: bool, needs: list[bool]
) -> list[Tensor]:
    x, w, curvature, total, height, square = tensors
    sums = total, height, square
    found = native.gradients(x, w, curvature, model, moves, sums, back, needs)
    return [t for t in found if t is not None]


@_gradients.register_fake
def _(
    tensors: list[Tensor], back: list[Tensor], model: str, moves: bool, needs: list[bool]
) -> list[Tensor]:
    return [t.new_empty(t.shape) for t, need in zip(tensors[:3], needs, strict=True) if need]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, ctx.model, ctx.moves = inputs
    ctx.save_for_backward(*tensors, *output)


def _backward(ctx: Any, *back: Tensor) -> tuple[Tensor | None, ...]:
    needs = list(ctx.needs_input_grad[:3])
    found = iter(_gradients(list(ctx.saved_tensors), list(back), ctx.model, ctx.moves, needs))
    return (*(next(found) if need else None for need in needs), None, None)


ambient_sums.register_autograd(_backward, setup_context=_keep)
