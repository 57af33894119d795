"""The scalar work of `hyperplane_logits`: sines of signed distances, inverse and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from noneuclid.functional._surface_logits import (
    Plain,
    is_transformed,
    plain_gradients,
    surface_logits,
)
from noneuclid.numerics import asinck, row_dot, safe_divide, safe_sqrt, wide
from noneuclid.numerics.native.logits import Surface

Read = Callable[[Tensor, Tensor], Tensor]  # K, x -> the points that x stands for

_BLOCK = 2**17  # elements of x that are widened at a time: 1 MiB, which stays in the cache


def signed_distance_logits(
    space: Tensor,
    planes: tuple[Tensor, Tensor, Tensor],
    curvature: Tensor,
    model: str,
    sign: int,
    read: Read | None = None,
) -> Tensor:
    """Return |z| d for points given by `space`: (*, n) -> (*, C), in the dtype of `space`.

    Args:
        space: stereographic coordinates, the space part of a point of the hyperboloid, or a point
            of the sphere at any norm.
        planes: (cos_K(r) e, sin_K(r), |z|) of shapes (C, n), (C,), (C,) in float64; for the sphere
            the first holds -sin_K(r) and K^-1/2 cos_K(r) e, and the second zeros.
        curvature: K, (1,) in float64.
        model: "stereographic", "hyperboloid" or "direction", how `ambient` reads `space`.
        sign: the sign K is known to have; 0 if it is not known.
        read: K, x -> the points that stereographic coordinates beyond the last shell stand for.
    """
    rows = space.reshape(-1, space.shape[-1])
    plain = _plain_of(model, sign, read)
    surface = Surface("planes", model, read is not None)
    logits = surface_logits(surface, plain, rows, planes, curvature)
    if logits is None and (torch.compiler.is_compiling() or is_transformed()):
        return plain(space, *planes, curvature)
    if logits is None:
        rows = rows if read is None else read(curvature, rows)
        logits = _Logits.apply(rows, *planes, curvature, model, sign)[0]
    return logits.reshape(*space.shape[:-1], planes[0].shape[0])


def _plain_of(model: str, sign: int, read: Read | None) -> Plain:
    """Return the logits as one differentiable function of points, planes and K."""

    def plain(
        space: Tensor, normal: Tensor, shift: Tensor, length: Tensor, curvature: Tensor
    ) -> Tensor:
        space = space if read is None else read(curvature, space)
        scale, height = ambient(row_dot(space, space), curvature, model)
        return plain_logits(space, scale, height, (normal, shift, length), curvature, sign)

    return plain


def plain_logits(
    space: Tensor,
    scale: Tensor | float,
    height: Tensor,
    planes: tuple[Tensor, Tensor, Tensor],
    curvature: Tensor,
    sign: int,
) -> Tensor:
    """Return |z| d as one differentiable formula, from X = scale * space and T = height."""
    normal, shift, length = planes
    sine = scale * (wide(space) @ normal.mT) - height * shift
    return (length * _arc(sine, curvature, sign)).to(space.dtype)


def ambient(square: Tensor, curvature: Tensor, model: str) -> tuple[Tensor, Tensor]:
    """Return (X / space, T) from |space|^2, (*, 1) in float64."""
    if model == "stereographic":
        scale = 2 / (1 + curvature * square)
        return scale, scale - 1
    if model == "hyperboloid":
        return torch.ones_like(square), (1 - curvature * square).sqrt()
    return safe_divide(torch.ones_like(square), safe_sqrt(square)), torch.zeros_like(square)


def _arc(sine: Tensor, curvature: Tensor, sign: int) -> Tensor:
    """Return d with sin_K(d) = sine, odd and analytic through 0."""
    if sign >= 0:
        z = curvature * sine * sine
        return sine * asinck(z, 1 - z)
    rate = (-curvature).sqrt()
    side = torch.where(sine < 0, -1.0, 1.0).to(sine.dtype)  # |s| has derivative 0 at 0, side s 1
    size = side * rate * sine
    return side / rate * torch.log1p(size + size * size / (1 + (1 + size * size).sqrt()))


class _Logits(torch.autograd.Function):
    """|z| d, block by block; keeps the sines (N, C) and the squares of the rows (N, 1).

    The second output is those sines, in the dtype of the rows.
    """

    @staticmethod
    def forward(
        space: Tensor,
        normal: Tensor,
        shift: Tensor,
        length: Tensor,
        curvature: Tensor,
        model: str,
        sign: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        count, classes = space.shape[0], normal.shape[0]
        logits, sines = space.new_empty(count, classes), space.new_empty(count, classes)
        squares = space.new_empty(count, 1, dtype=torch.float64)
        rows = max(1, _BLOCK // space.shape[1])
        one = normal.new_ones(space.shape[1], 1)
        weight = (length / (-curvature).sqrt() if sign < 0 else length).to(space.dtype)
        blocks = (t.split(rows) for t in (space, logits, sines, squares))
        for x, logit, sine, square in zip(*blocks, strict=True):
            x = wide(x)
            torch.mm(x * x, one, out=square)
            scale, height = ambient(square, curvature, model)
            s = (x @ normal.mT).mul_(scale).addmm_(height, shift.unsqueeze(0), alpha=-1)
            sine.copy_(s)
            if sign < 0:
                _asinh_into(logit, sine * (-curvature).sqrt().to(sine.dtype)).mul_(weight)
            else:
                torch.mul(_arc(s, curvature, sign).to(sine.dtype), weight, out=logit)
        return logits, sines, squares

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        *tensors, ctx.model, ctx.sign = inputs
        _, sines, squares = output
        ctx.mark_non_differentiable(sines, squares)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *output)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
        if g is None:
            return (None,) * 7
        *inputs, logits, sines, squares = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph: by the plain formula
            plain, needs = _plain_of(ctx.model, ctx.sign, None), ctx.needs_input_grad[:5]
            return (*plain_gradients(plain, inputs, needs, g), None, None)
        space, *_, length, curvature = inputs
        by_space = torch.empty_like(space) if ctx.needs_input_grad[0] else None
        by_rows = _backward_blocks(ctx, by_space, inputs, (g, sines, squares))
        by_normal, by_shift, by_curvature = (wide(t) for t in by_rows)
        by_length = safe_divide(wide((g * logits).sum(0)), length)
        if ctx.needs_input_grad[4]:
            by_curvature += _arc_by_curvature(wide(sines), wide(g) * length, curvature, ctx.sign)
        return (by_space, by_normal, by_shift, by_length, by_curvature, None, None)


def _backward_blocks(
    ctx: Any, by_space: Tensor | None, inputs: list[Tensor], rows: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Write the gradient of `space`; return those of normals, shifts and, by T and X alone, K.

    The sines have gradient p = g |z| dd/ds. One number per row, `radial`, is their pull on
    |space|^2 through X and T, divided by -K/2; nothing in it cancels beyond the size of s.
    """
    space, normal, shift, length, curvature = inputs
    normal, shift, length = (t.to(space.dtype) for t in (normal, shift, length))
    by_normal, by_shift = torch.zeros_like(normal), torch.zeros_like(shift)
    by_curvature, one = torch.zeros_like(curvature), torch.ones_like(shift)
    count = max(1, _BLOCK // space.shape[1])
    outputs = space.split(count) if by_space is None else by_space.split(count)
    for x, y, g, s, square in zip(
        space.split(count), outputs, *(t.split(count) for t in rows), strict=True
    ):
        scale, height = ambient(square, curvature, ctx.model)
        pull = g * _slope(s, curvature.to(s.dtype), ctx.sign).mul_(length)
        drag = torch.mv(pull, shift).unsqueeze(-1)
        by_shift.sub_(torch.mv(pull.mT, height[:, 0].to(s.dtype)))
        if ctx.model == "stereographic":
            radial = scale * (torch.mv(pull * s, one).unsqueeze(-1) - drag)
            pull.mul_(scale.to(s.dtype))
        elif ctx.model == "hyperboloid":
            radial = -drag / height
        else:
            along = torch.mv(pull * s, one).unsqueeze(-1)
            radial = safe_divide(along, curvature * square)
            pull.mul_(scale.to(s.dtype))
        if ctx.model != "direction":
            by_curvature.sub_((square * radial).sum() / 2)
        by_normal.addmm_(pull.mT, x)
        if by_space is not None:
            torch.addmm(x * (-curvature * radial).to(s.dtype), pull, normal, out=y)
    return by_normal, by_shift, by_curvature


def _asinh_into(result: Tensor, x: Tensor) -> Tensor:
    """Write asinh(x) into `result`, as log1p(t + t / (1/t + sqrt(1/t^2 + 1))) with t = |x|.

    Nothing overflows, and at t = 0 the infinite 1/t gives 0.
    """
    size = x.abs()
    inverse = size.reciprocal()
    root = (inverse * inverse).add_(1).sqrt_().add_(inverse)
    size.add_(size / root).log1p_()
    return torch.copysign(size, x, out=result)


def _slope(sine: Tensor, curvature: Tensor, sign: int) -> Tensor:
    """Return dd/ds = 1 / sqrt(1 - K s^2); 0 at the pole of a great hypersphere."""
    square = (sine * sine).mul_(-curvature).add_(1)
    return (square if sign < 0 else torch.where(square > 0, square, torch.inf)).rsqrt_()


def _arc_by_curvature(sine: Tensor, g: Tensor, curvature: Tensor, sign: int) -> Tensor:
    """Return sum g dd/dK at fixed sine: (1,)."""
    with torch.enable_grad():
        leaf = curvature.detach().requires_grad_()
        return torch.autograd.grad(_arc(sine, leaf, sign), leaf, g)[0]
