"""The kernels as operators that torch.compile puts into its graphs as they are."""

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics.native.call import Kernels, kernels_of

_kernels: list[Kernels] = []


def number_of(
    formula: Callable[..., Any],
    key: Hashable,
    dtypes: tuple[torch.dtype | None, ...],
    skip: int,
) -> int:
    """Return the number under which `row_formula` knows a formula; -1 where it has no kernel."""
    kernels = kernels_of(formula, key, dtypes, skip)
    if kernels is None:
        return -1
    if kernels not in _kernels:
        _kernels.append(kernels)
    return _kernels.index(kernels)


@torch.library.custom_op("noneuclid::row_formula", mutates_args=())
def row_formula(tensors: list[Tensor], number: int) -> Tensor:
    """Return the formula of its row scalars and rows."""
    return _kernels[number](tensors)


@row_formula.register_fake
def _(tensors: list[Tensor], number: int) -> Tensor:
    kernels = _kernels[number]
    return tensors[-1].new_empty(kernels.shape_of(tensors), dtype=kernels.dtype)


@torch.library.custom_op("noneuclid::row_formula_gradients", mutates_args=())
def _gradients(tensors: list[Tensor], g: Tensor, number: int, needs: list[bool]) -> list[Tensor]:
    found = _kernels[number].gradients(tensors, tuple(needs), g)
    return [x for x in found if x is not None]


@_gradients.register_fake
def _(tensors: list[Tensor], g: Tensor, number: int, needs: list[bool]) -> list[Tensor]:
    return [torch.empty_like(x) for x, need in zip(tensors, needs, strict=True) if need]


def _keep(ctx: Any, inputs: tuple[list[Tensor], int], output: Tensor) -> None:
    tensors, ctx.number = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, g: Tensor) -> tuple[list[Tensor | None], None]:
    needs = list(ctx.needs_input_grad[0])
    found = iter(_gradients(list(ctx.saved_tensors), g, ctx.number, needs))
    return [next(found) if need else None for need in needs], None


row_formula.register_autograd(_backward, setup_context=_keep)
