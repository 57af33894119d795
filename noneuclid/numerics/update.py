"""Row formulas that overwrite their arguments: in one kernel, or in torch, many tensors at once."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics import formula as formulas
from noneuclid.numerics.native import Call, overwrite_rows, overwriting, overwriting_name
from noneuclid.numerics.precision import wide, working_dtype


def update(
    formula: Callable[..., Any], recipe: tuple[Any, ...] | None, shared: Tensor,
    pieces: Sequence[Sequence[Tensor]], columns: tuple[bool, ...], *, reads: int, skip: int = 0,
    axes: int = 1,
) -> None:  # fmt: skip
    """Do tensors <- formula(*shared, *tensors) for the tensors of each piece, in place.

    Args:
        formula: of row scalars (the shared ones, and the tensors that are columns) and rows; it
            returns the new values of all tensors but the first `reads`.
        recipe: (function, *constants) that makes the same formula, hashable, to be traced for a
            kernel once; None: it stays in torch.
        shared: scalars that are the same for all rows of all pieces, (k,), or of each piece,
            (pieces, k), in float64.
        pieces: tensors (*, S), of one shape within a piece, and of one S and the same dtypes in
            all of them.
        columns: which tensors hold one number for each row, in all of its columns.
        reads: how many tensors of a piece are read only.
        skip: leading columns of each row that are a row scalar of their own, 0 or 1.
        axes: number of axes of S.
    """
    if recipe is not None and _is_worth_a_kernel(pieces):
        kind = (recipe, shared.shape[-1], tuple(x.dtype for x in pieces[0]), columns, skip)
        if torch.compiler.is_compiling():
            name = overwriting_name(*kind)
            if name is not None:
                read = [x for piece in pieces for x in piece[:reads]]
                written = [x for piece in pieces for x in piece[reads:]]
                overwrite_rows(shared, read, written, len(pieces), name)
                return
        else:
            kernel = overwriting(*kind)
            if kernel is not None:
                kernel(shared, pieces)
                return
    _in_torch(formula, shared, pieces, columns, axes)


def repeatable(
    recipe: tuple[Any, ...] | None, shared: Tensor, pieces: Sequence[Sequence[Tensor]],
    columns: tuple[bool, ...], *, skip: int = 0,
) -> Call | None:  # fmt: skip
    """Return the kernel call of such an `update`, to be run at will; None where there is none.

    It holds the addresses of all tensors but not those that are read only: see `Call.move`.
    """
    if recipe is None or not _is_worth_a_kernel(pieces) or not all(p[-1].numel() for p in pieces):
        return None
    kernel = overwriting(recipe, shared.shape[-1], tuple(x.dtype for x in pieces[0]), columns, skip)
    return None if kernel is None else kernel.call_on(shared, pieces)


def _is_worth_a_kernel(pieces: Sequence[Sequence[Tensor]]) -> bool:
    if torch.compiler.is_compiling():
        return formulas.may_be_opaque(tuple(x for piece in pieces for x in piece))
    return (
        not formulas.is_plain()
        and sum(piece[-1].numel() for piece in pieces) >= formulas.SMALLEST
        and formulas.are_ordinary([x for piece in pieces for x in piece])
    )


def _in_torch(
    formula: Callable[..., Any], shared: Tensor, pieces: Sequence[Sequence[Tensor]],
    columns: tuple[bool, ...], axes: int,
) -> None:  # fmt: skip
    """Join the pieces, so that each operation runs once, and cut the results apart again."""
    if len(pieces) == 1:
        stacked = list(pieces[0])
        shared = shared.reshape(-1)
    else:
        stacked = [
            torch.cat([x.reshape(-1, *x.shape[x.dim() - axes :]) for x in xs])
            for xs in zip(*pieces, strict=True)
        ]
    counts = [x.shape[: x.dim() - axes].numel() for x, *_ in pieces]
    if shared.dim() > 1:
        shared = torch.cat([row.expand(n, -1) for row, n in zip(shared, counts, strict=True)]).mT
    scalars = shared.reshape(shared.shape[0], -1, *(1,) * axes)
    if scalars.shape[1] == 1:
        scalars = scalars[:, 0]
    results = formula(*scalars, *map(_seen, stacked, columns, [axes] * len(columns)))
    for result, *targets in zip(results, *(p[-len(results) :] for p in pieces), strict=True):
        if len(targets) == 1:
            targets[0].copy_(result)
            continue
        whole = result.expand(-1, *targets[0].shape[-axes:])
        for target, part in zip(targets, whole.split(counts), strict=True):
            target.copy_(part.reshape(target.shape))


def _seen(x: Tensor, is_column: bool, axes: int) -> Tensor:
    """Return what the formula sees of a tensor: its rows, or the number that a row holds."""
    if is_column:
        for axis in range(-axes, 0):
            x = x.narrow(axis, 0, 1)
        return wide(x)
    return x.to(working_dtype(x.dtype))
