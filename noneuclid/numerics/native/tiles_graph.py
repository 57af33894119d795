"""The compiled distances and logits as operators that torch.compile puts into its graphs."""

from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics.native import logits as native_logits
from noneuclid.numerics.native import pairs as native_pairs

# -- distances: the tensors of `pairs.py` that are there, and which of them are --------------------


@torch.library.custom_op("noneuclid::pair_distances", mutates_args=())
def pair_distances(tensors: list[Tensor], present: list[bool], dtype: torch.dtype) -> Tensor:
    """Return all distances in `dtype`: (B, n, m)."""
    return native_pairs.distances(_spread(tensors, present), dtype)


@pair_distances.register_fake
def _(tensors: list[Tensor], present: list[bool], dtype: torch.dtype) -> Tensor:
    x, y = tensors[:2]
    return x.new_empty((*x.shape[:2], y.shape[1]), dtype=dtype)


@torch.library.custom_op("noneuclid::pair_gradients", mutates_args=())
def _pair_gradients(
    tensors: list[Tensor], present: list[bool], g: Tensor, needs: list[bool]
) -> list[Tensor]:
    wanted = [bool(n) for n in _spread(needs, present)]
    found = native_pairs.gradients(_spread(tensors, present), wanted, g)
    needed = [t for t, need in zip(tensors, needs, strict=True) if need]
    return [
        f.to(t.dtype, copy=True)
        for f, t in zip((f for f in found if f is not None), needed, strict=True)
    ]


@_pair_gradients.register_fake
def _(tensors: list[Tensor], present: list[bool], g: Tensor, needs: list[bool]) -> list[Tensor]:
    return [t.new_empty(t.shape) for t, need in zip(tensors, needs, strict=True) if need]


def _spread(given: list[Any], present: list[bool]) -> list[Any]:
    rest = iter(given)
    return [next(rest) if here else None for here in present]


def _keep_pairs(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    tensors, ctx.present, _ = inputs
    ctx.save_for_backward(*tensors)


def _pairs_backward(ctx: Any, g: Tensor) -> tuple[list[Tensor | None], None, None]:
    needs = list(ctx.needs_input_grad[0])
    found = iter(_pair_gradients(list(ctx.saved_tensors), ctx.present, g, needs))
    return [next(found) if need else None for need in needs], None, None


pair_distances.register_autograd(_pairs_backward, setup_context=_keep_pairs)


# -- logits ----------------------------------------------------------------------------------------


# An operator takes the fields of a `Surface` one by one.


@torch.library.custom_op("noneuclid::surface_logits", mutates_args=())
def surface_logits(
    space: Tensor, normal: Tensor, shift: Tensor, length: Tensor, curvature: Tensor, kind: str,
    model: str, moves: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return logits and sines, both (n, C)."""
    surface = native_logits.Surface(kind, model, moves)
    logits, sines = native_logits.logits(surface, space, (normal, shift, length), curvature)
    return logits, sines.clone()  # the two lie in one block, which an operator may not return


@surface_logits.register_fake
def _(
    space: Tensor, normal: Tensor, shift: Tensor, length: Tensor, curvature: Tensor, kind: str,
    model: str, moves: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    shape = space.shape[0], normal.shape[0]
    return space.new_empty(shape), space.new_empty(shape)


@torch.library.custom_op("noneuclid::surface_gradients", mutates_args=())
def _surface_gradients(
    tensors: list[Tensor], g: Tensor, kind: str, model: str, moves: bool
) -> list[Tensor]:
    space, normal, shift, length, curvature, logits, sines = tensors
    found = native_logits.gradients(
        native_logits.Surface(kind, model, moves),
        space,
        (normal, shift, length),
        curvature,
        (logits, sines),
        g,
        (True, True),
    )
    return [f for f in found if f is not None]


@_surface_gradients.register_fake
def _(tensors: list[Tensor], g: Tensor, kind: str, model: str, moves: bool) -> list[Tensor]:
    return [t.new_empty(t.shape) for t in tensors[:5]]


def _keep_logits(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, kind, model, moves = inputs
    ctx.surface = kind, model, moves
    ctx.save_for_backward(*tensors, *output)


def _logits_backward(ctx: Any, g: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    found = _surface_gradients(list(ctx.saved_tensors), g, *ctx.surface)
    length = ctx.saved_tensors[3]
    found[3] = torch.where(length == 0, 0, found[3] / torch.where(length == 0, 1, length))
    return (*found, None, None, None)


surface_logits.register_autograd(_logits_backward, setup_context=_keep_logits)
