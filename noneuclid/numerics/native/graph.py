"""The kernels as operators that torch.compile puts into its graphs as they are."""

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics.native.call import Kernels, kernels_of

_kernels: dict[str, Kernels] = {}


def name_of(
    formula: Callable[..., Any],
    key: Hashable,
    dtypes: tuple[torch.dtype | None, ...],
    skip: int,
) -> str | None:
    """Return the name under which `row_formula` knows a formula; None where it has no kernel.

    Torch keeps compiled graphs on disk: the name tells what the kernel does in any process.
    """
    kernels = kernels_of(formula, key, dtypes, skip)
    if kernels is None:
        return None
    _kernels[kernels.name] = kernels
    return kernels.name


@torch.library.custom_op("noneuclid::row_formula", mutates_args=())
def row_formula(tensors: list[Tensor], name: str) -> Tensor:
    """Return the formula of its row scalars and rows."""
    return _kernels[name](tensors)


@row_formula.register_fake
def _(tensors: list[Tensor], name: str) -> Tensor:
    kernels = _kernels[name]
    return tensors[-1].new_empty(kernels.shape_of(tensors), dtype=kernels.dtype)


@torch.library.custom_op("noneuclid::row_formula_gradients", mutates_args=())
def _gradients(tensors: list[Tensor], g: Tensor, name: str, needs: list[bool]) -> list[Tensor]:
    found = _kernels[name].gradients(tensors, tuple(needs), g)
    return [x for x in found if x is not None]


@_gradients.register_fake
def _(tensors: list[Tensor], g: Tensor, name: str, needs: list[bool]) -> list[Tensor]:
    return [x.new_empty(x.shape) for x, need in zip(tensors, needs, strict=True) if need]


def _keep(ctx: Any, inputs: tuple[list[Tensor], str], output: Tensor) -> None:
    tensors, ctx.name = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, g: Tensor) -> tuple[list[Tensor | None], None]:
    needs = list(ctx.needs_input_grad[0])
    found = iter(_gradients(list(ctx.saved_tensors), g, ctx.name, needs))
    return [next(found) if need else None for need in needs], None


row_formula.register_autograd(_backward, setup_context=_keep)
