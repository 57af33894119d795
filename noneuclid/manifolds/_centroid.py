"""Sums of points on the hyperboloid or sphere, whose length is the hard part of every midpoint."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from noneuclid.numerics import (
    compute,
    dots,
    row_dot,
    rows,
    safe_divide,
    safe_sqrt,
    weighted_sum,
)
from noneuclid.numerics.formula import SMALLEST, may_be_native, may_be_opaque
from noneuclid.numerics.native import ambient_sums as native
from noneuclid.numerics.native import sums_graph as graph

Sums = tuple[Tensor, Tensor, Tensor]


class Reading(NamedTuple):
    """How rows are read as points with ambient coordinates (T, X), X = scale x.

    Attributes:
        model: which of the compiled readings it is.
        coordinates: K, x (*, n, d) -> x as it is read, scale and T, both (*, n, 1), in torch.
        sign: of K, 0 where it may be any.
        moves: whether rows beyond the last shell are read as points on it.
        in_lengths: whether `coordinates` gives T/r for T, r = sqrt -K, which far out hardly
            depends on K.
    """

    model: str
    coordinates: Callable[[Tensor, Tensor], Sums]
    sign: int
    moves: bool = False
    in_lengths: bool = False


def ambient_sum(K: Tensor, x: Tensor, w: Tensor, reading: Reading) -> Sums:
    """Return S = sum w X (*, d), T = sum w T (*, 1) and T^2 + K|S|^2 (*, 1) over axis -2.

    Where K < 0, with r = sqrt -K, the square cancels by e^2R. With e = S/|S| it is
    (T/r - |S|)(T/r + |S|) r^2, and T/r - |S| is the sum of w (t/r - X.e) over the points, formed
    where X.e > 0 as w (1/r^2 + |X - (X.e) e|^2) / (t/r + X.e): no term cancels.
    A point that outweighs all others together has the direction of e but for what they are across
    it, less than what rounding e leaves. All that lies across cancels in the sum: what that point
    has of it is read off the others.

    Args:
        K: curvature, (1,).
        x: (*, n, d).
        w: weights >= 0, (*, n, 1).
        reading: how x is read.
    """
    batch = torch.broadcast_shapes(x.shape[:-2], w.shape[:-2])
    groups = x.expand(*batch, *x.shape[-2:]).reshape(math.prod(batch), *x.shape[-2:])
    weights = w.expand(*batch, *w.shape[-2:]).reshape(math.prod(batch), w.shape[-2])
    given = K, groups, weights
    if torch.compiler.is_compiling() and may_be_opaque((x,)) and _is_built(x.dtype):
        sums = graph.ambient_sums(groups, weights, K, reading.model, reading.moves)
    elif may_be_native(given) and x.numel() >= SMALLEST and native.has_sums(x.dtype):
        sums = _Sums.apply(reading, *given)
    else:
        return plain_sum(K, x, w, reading)
    total, height, square = (part.reshape(*batch, part.shape[-1]) for part in sums)
    return total, height, square


def plain_sum(K: Tensor, x: Tensor, w: Tensor, reading: Reading) -> Sums:
    """Return `ambient_sum` by differentiable operations."""
    x = x.expand(*torch.broadcast_shapes(x.shape[:-1], w.shape[:-1]), x.shape[-1])
    x, scale, height = reading.coordinates(K, x)
    k = torch.where(K < 0, -K, 1.0)
    rate = k.sqrt()
    if reading.in_lengths:
        length, height = height, _height(k, rate * height, scale, x)
    else:
        length = height / rate
    total, total_height = weighted_sum(w * scale, x), (w * height).sum(-2, keepdim=True)
    square = (total * total).sum(-1, keepdim=True)
    length2 = total_height * total_height + K * square
    if reading.sign <= 0:
        # Where little cancels, the plain form has the right derivative by K through 0.
        far = (K < 0) & (-2 * K * square >= total_height * total_height)
        outweighs = far & (2 * w * height > total_height)
        size = safe_sqrt(square)
        short = _shortfall(k, (x, scale, length), w, safe_divide(total, size), outweighs)
        length2 = torch.where(far, short * ((w * length).sum(-2, keepdim=True) + size), length2)
    return total[..., 0, :], total_height[..., 0, :], length2[..., 0, :]


def _height(k: Tensor, far: Tensor, scale: Tensor, x: Tensor) -> Tensor:
    """Return T of points, as sqrt(1 + k|X|^2) near the origin, where it hardly depends on K."""
    square = k * scale * scale * row_dot(x, x)
    near = square < 1
    return torch.where(near, (1 + torch.where(near, square, 0.0)).sqrt(), far)


def _shortfall(k: Tensor, points: Sums, w: Tensor, outward: Tensor, outweighs: Tensor) -> Tensor:
    """Return r^2 (T/r - |S|), k = r^2, of points whose height is t/r; `outward` is e.

    e is of length 1, not S over its length in each product: on a line nothing cancels then.
    """
    x, scale, _ = points
    others = weighted_sum(torch.where(outweighs, 0.0, w) * scale, x)
    across = others - (others * outward).sum(-1, keepdim=True) * outward
    across2 = (across * across).sum(-1, keepdim=True) / torch.where(outweighs, w * w, 1.0)
    scalars = k, *points[1:], across2, outweighs.to(across2.dtype)
    return (w * compute(_shortfalls, scalars, (x, outward))).sum(-2, keepdim=True)


def _shortfalls(
    k: Tensor, scale: Tensor, height: Tensor, known: Tensor, is_known: Tensor, x: Tensor,
    outward: Tensor,
) -> Tensor:  # fmt: skip
    """Return k (t/r - X.e) of each point; |X - (X.e) e|^2 is `known` of those that outweigh."""
    X, E = rows(x, outward)
    (out,) = dots((X, E))
    along = scale * out
    A = X - out * E  # 0 on a line: nothing is rounded
    (aside2,) = dots((A, A))
    aside2 = torch.where(is_known > 0, known, scale * scale * aside2)
    ahead = along > 0
    short = (1 + k * aside2) / torch.where(ahead, height + along, 1.0)
    return torch.where(ahead, short, k * (height - along))


def _is_built(dtype: torch.dtype) -> bool:
    return not torch._C._are_functorch_transforms_active() and native.has_sums(dtype)


_is_built._dynamo_marked_constant = True  # type: ignore[attr-defined]  # see numerics/formula.py


class _Sums(torch.autograd.Function):
    """The sums by compiled functions, of groups (B, n, d) with weights (B, n)."""

    @staticmethod
    def forward(ctx: Any, reading: Reading, K: Tensor, x: Tensor, w: Tensor) -> Sums:
        ctx.reading = reading
        sums = native.ambient_sums(x, w, K, reading.model, reading.moves)
        ctx.save_for_backward(K, x, w, *sums)
        return sums

    @staticmethod
    def backward(ctx: Any, *back: Tensor) -> tuple[Tensor | None, ...]:
        (K, x, w, *sums), needs = ctx.saved_tensors, ctx.needs_input_grad[1:]
        if torch.is_grad_enabled() or not may_be_native(back):
            return (None, *_graph(ctx.reading, (K, x, w), needs, back))
        places = needs[1], needs[2], needs[0]
        model, moves = ctx.reading.model, ctx.reading.moves
        by_x, by_w, by_K = native.gradients(x, w, K, model, moves, tuple(sums), back, places)
        return None, by_K, by_x, by_w


def _graph(
    reading: Reading, given: tuple[Tensor, ...], needs: tuple[bool, ...], back: tuple[Tensor, ...]
) -> list[Tensor | None]:
    """Return the gradients as differentiable functions, where that is asked for."""
    is_differentiated = torch.is_grad_enabled()
    with torch.enable_grad():
        K, x, w = (
            t.view_as(t) if is_differentiated else t.detach().requires_grad_(need)
            for t, need in zip(given, needs, strict=True)
        )
        sums = plain_sum(K, x, w.unsqueeze(-1), reading)
        wanted = [t for t, need in zip((K, x, w), needs, strict=True) if need]
        found = iter(
            torch.autograd.grad(
                sums, wanted, back, create_graph=is_differentiated, allow_unused=True
            )
        )
    return [next(found) if need else None for need in needs]
