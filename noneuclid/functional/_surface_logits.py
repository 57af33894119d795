"""Logits of planes and horospheres by compiled functions, inside autograd and torch.compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics import safe_divide
from noneuclid.numerics.formula import SMALLEST, may_be_opaque
from noneuclid.numerics.native import logits as native
from noneuclid.numerics.native import tiles_graph as graph
from noneuclid.numerics.native.logits import Surface

Plain = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def surface_logits(
    surface: Surface,
    plain: Plain,
    rows: Tensor,
    planes: tuple[Tensor, Tensor, Tensor],
    curvature: Tensor,
) -> Tensor | None:
    """Return the logits (n, C) of rows (n, d), in their dtype; None where nothing is compiled.

    Args:
        surface: what the logits are those of, see `numerics/native/logits.py`.
        plain: (rows, normals, shifts, lengths, K) -> the logits, as one differentiable formula.
        rows: what `surface.model` says.
        planes: normals (C, d), shifts (C,) and lengths (C,), float64.
        curvature: K, (1,) in float64.
    """
    if torch.compiler.is_compiling():
        if may_be_opaque((rows,)) and _is_built(surface.kind, rows.dtype):
            return graph.surface_logits(rows, *planes, curvature, *surface)[0]
        return None
    if is_transformed() or not _has_native(surface.kind, rows, planes[0]):
        return None
    logits: Tensor = _SurfaceLogits.apply(surface, plain, rows, *planes, curvature)[0]
    return logits


def is_transformed() -> bool:
    """Tell whether a functorch transform or forward-mode derivative is running."""
    forward_mode = torch.autograd.forward_ad._current_level >= 0
    return forward_mode or torch._C._are_functorch_transforms_active()


def _is_built(kind: str, dtype: torch.dtype) -> bool:
    return not torch._C._are_functorch_transforms_active() and native.has_logits(kind, dtype)


_is_built._dynamo_marked_constant = True  # type: ignore[attr-defined]  # see numerics/formula.py


def _has_native(kind: str, rows: Tensor, normal: Tensor) -> bool:
    return (
        rows.shape[0] * (rows.shape[1] + normal.shape[0]) >= SMALLEST
        and torch._C._len_torch_dispatch_stack() == 0
        and all(t.device.type == "cpu" for t in (rows, normal))
        and native.has_logits(kind, rows.dtype)
    )


class _SurfaceLogits(torch.autograd.Function):
    """Logits and sines; keeps both, (n, C) each."""

    @staticmethod
    def forward(
        ctx: Any, surface: Surface, plain: Plain, space: Tensor, normal: Tensor, shift: Tensor,
        length: Tensor, curvature: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        ctx.surface, ctx.plain = surface, plain
        planes = normal, shift, length
        logits, sines = native.logits(surface, space, planes, curvature)
        ctx.mark_non_differentiable(sines)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(space, *planes, curvature, logits, sines)
        return logits, sines

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        if g is None:
            return (None,) * 7
        *inputs, logits, sines = ctx.saved_tensors
        needs = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled():  # create_graph: by the plain formula
            return (None, None, *plain_gradients(ctx.plain, inputs, needs, g))
        space, normal, shift, length, curvature = inputs
        planes, kept = (normal, shift, length), (logits, sines)
        needed = needs[0], needs[4]
        found = native.gradients(ctx.surface, space, planes, curvature, kept, g, needed)
        by_length = found[3]
        assert by_length is not None
        found[3] = safe_divide(by_length, length)
        return (None, None, *found)


def plain_gradients(
    plain: Plain, inputs: list[Tensor], needs: tuple[bool, ...], g: Tensor
) -> list[Tensor | None]:
    """Return the gradients of the five tensors as differentiable functions."""
    space, normal, shift, length, curvature = inputs
    logits = plain(space, normal, shift, length, curvature)
    wanted = [t for t, needed in zip(inputs, needs, strict=True) if needed]
    found = iter(torch.autograd.grad(logits, wanted, g, create_graph=True))
    return [next(found) if needed else None for needed in needs]
