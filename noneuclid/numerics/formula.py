"""Row formulas as functions of tensors: by a native kernel, or in torch, with nothing kept.

A formula on rows makes dozens of row scalars on its way, and autograd would keep most of them.
Here nothing is kept for the backward pass but the arguments; it computes the rest again, which
costs less than the memory traffic.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from noneuclid.numerics.native import Joined, Rounded, kernels_of, name_of, row_formula
from noneuclid.numerics.native.build import compiler

# Numbers of a batch from which a kernel is worth the second that compiling it takes, once.
SMALLEST = 0 if os.environ.get("NONEUCLID_NATIVE") == "1" else 2**12
_DTYPES = (torch.float32, torch.float64)
# What tensors and parameters have; a subclass with another one sees the operations of its formulas.
_UNSEEN = (Tensor.__torch_function__, nn.Parameter.__torch_function__)
_state = threading.local()


def compute(
    formula: Callable[..., Tensor], scalars: tuple[Tensor, ...], rows: tuple[Tensor, ...],
    skip: int = 0, **fixed: Any,
) -> Tensor:  # fmt: skip
    """Return formula(*scalars, *rows, **fixed), which may be differentiated in every way.

    Args:
        formula: a function of its arguments alone, written with `rows`, `dots` and torch functions
            of row scalars, without a branch that depends on data.
        scalars: row scalars (*, 1) in float64, of any batch shape that broadcasts: K, weights.
        rows: (*, n).
        skip: leading columns of each row that the formula does not see, 0 or 1.
        fixed: hashable arguments without tensors.
    """
    if isinstance(rows[0], Rounded | Joined):  # part of a larger formula, which is being traced
        return formula(*scalars, *(x.rest if isinstance(x, Joined) else x for x in rows), **fixed)
    bound = partial(_without_columns, formula, len(scalars), skip, fixed)
    tensors = (*scalars, *rows)
    dtypes = (*(None for _ in scalars), *(x.dtype for x in rows))
    if torch.compiler.is_compiling():
        name = None
        if may_be_opaque(rows):
            name = _name(formula, tuple(sorted(fixed.items())), dtypes, skip)
        return bound(*tensors) if name is None else row_formula(list(tensors), name)
    if is_plain():
        return bound(*tensors)
    kernels = None
    if max(x.numel() for x in rows) >= SMALLEST and all(map(is_ordinary, tensors)):
        key = (formula, *sorted(fixed.items()))
        kernels = kernels_of(partial(formula, **fixed), key, dtypes, skip)
    if kernels is None and not (torch.is_grad_enabled() and any(t.requires_grad for t in tensors)):
        return bound(*tensors)
    return _Formula.apply(bound, kernels, *tensors)


def _name(
    formula: Callable[..., Tensor], fixed: tuple[tuple[str, Any], ...],
    dtypes: tuple[torch.dtype | None, ...], skip: int,
) -> str | None:  # fmt: skip
    if torch._C._are_functorch_transforms_active():  # vmap or grad inside the compiled function
        return None
    return name_of(partial(formula, **dict(fixed)), (formula, *fixed), dtypes, skip)


# Run while a graph is made, with the state of then: torch.compiler.assume_constant_result does
# this, at the price of importing the whole compiler with the library.
_name._dynamo_marked_constant = True  # type: ignore[attr-defined]


def may_be_opaque(rows: tuple[Tensor, ...]) -> bool:
    """Tell whether a graph may hold a kernel instead of the formula: not one that is exported."""
    return (
        not torch.compiler.is_exporting()
        and not getattr(_state, "plain", False)
        and all(x.device.type == "cpu" and x.dtype in _DTYPES for x in rows)
    )


def _without_columns(
    formula: Callable[..., Tensor], scalars: int, skip: int, fixed: dict[str, Any], *tensors: Tensor
) -> Tensor:
    rows = (x[..., skip:] for x in tensors[scalars:])
    return formula(*tensors[:scalars], *rows, **fixed)


def is_plain() -> bool:
    """Tell whether formulas must be ordinary torch operations here.

    They must where someone looks inside: a compiler or exporter, a transform of torch.func,
    forward-mode derivatives, a derivative of a derivative, a dispatch mode (fake tensors, say).
    """
    return (
        torch.compiler.is_compiling()
        or getattr(_state, "plain", False)
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack() > 0
        or forward_ad._current_level >= 0
    )


def wants_derivatives() -> bool:
    """Tell whether someone may ask for a derivative of what is computed here, in any mode."""
    return torch.is_grad_enabled() or is_plain()


def may_be_native(tensors: tuple[Tensor, ...]) -> bool:
    """Tell whether compiled functions may read these tensors here: see `is_plain`."""
    return not is_plain() and all(map(is_ordinary, tensors))


@contextmanager
def plain_formulas() -> Iterator[None]:
    """Make every formula inside an ordinary composition of torch operations."""
    before = getattr(_state, "plain", False)
    _state.plain = True
    try:
        yield
    finally:
        _state.plain = before


def are_native(tensors: list[Tensor]) -> bool:
    """Tell whether such tensors are read by compiled functions, whatever happens here."""
    return compiler() is not None and are_ordinary(tensors)


def are_ordinary(tensors: list[Tensor]) -> bool:
    """Tell whether a kernel may read the memory of all tensors, of which there may be hundreds."""
    for x in tensors:
        is_plain_tensor = type(x) is Tensor and x.is_cpu and x.layout is torch.strided
        if not ((is_plain_tensor and x.dtype in _DTYPES) or is_ordinary(x)):
            return False
    return True


def is_ordinary(x: Tensor) -> bool:
    """Tell whether a kernel may read the memory of a tensor."""
    kind = type(x)
    return (
        x.is_cpu
        and x.dtype in _DTYPES
        and x.layout is torch.strided
        and (
            kind is Tensor
            or (
                kind.__torch_dispatch__ is Tensor.__torch_dispatch__
                and kind.__torch_function__ in _UNSEEN
            )
        )
        and not torch._C._functorch.is_legacy_batchedtensor(x)  # grad(is_grads_batched=True)
    )


class _Formula(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, formula: Callable[..., Tensor], kernels: Any, *tensors: Tensor) -> Tensor:
        ctx.formula, ctx.kernels = formula, kernels
        ctx.save_for_backward(*tensors)
        if kernels is not None:
            return kernels(tensors)
        result = formula(*tensors)
        # A formula may return its argument (a vector that is already tangent).
        return result.view_as(result) if any(result is t for t in tensors) else result

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        needs = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled():  # a derivative of this derivative will be asked for
            inputs = [t.view_as(t) for t in ctx.saved_tensors]
            with plain_formulas():
                gradients = _gradients(ctx.formula, inputs, needs, g, create_graph=True)
        elif ctx.kernels is not None and not is_plain() and is_ordinary(g):
            gradients = ctx.kernels.gradients(ctx.saved_tensors, needs, g)
        else:
            saved = zip(ctx.saved_tensors, needs, strict=True)
            inputs = [t.detach().requires_grad_(need) for t, need in saved]
            gradients = _gradients(ctx.formula, inputs, needs, g, create_graph=False)
        return (None, None, *gradients)


def _gradients(
    formula: Callable[..., Tensor], inputs: list[Tensor], needs: tuple[bool, ...], g: Tensor,
    *, create_graph: bool,
) -> list[Tensor | None]:  # fmt: skip
    wanted = [t for t, need in zip(inputs, needs, strict=True) if need]
    with torch.enable_grad():
        result = formula(*inputs)
        found = iter(
            torch.autograd.grad(result, wanted, g, create_graph=create_graph, allow_unused=True)
        )
    return [next(found) if need else None for need in needs]
