"""Row formulas that overwrite their arguments: in one kernel, or in torch, many tensors at once."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics import formula as formulas
from noneuclid.numerics.native import overwriting
from noneuclid.numerics.precision import wide, working_dtype


def update(
    formula: Callable[..., Any], key: Hashable, shared: Tensor, pieces: Sequence[Sequence[Tensor]],
    columns: tuple[bool, ...], *, skip: int = 0, axes: int = 1,
) -> None:  # fmt: skip
    """Do tensors <- formula(*shared, *tensors) for the tensors of each piece, in place.

    Args:
        formula: of row scalars (the shared ones, and the tensors that are columns) and rows; it
            returns new values of as many of the last tensors as it overwrites.
        key: what tells the formula from others; None: it stays in torch.
        shared: scalars that are the same for all pieces, (k,) in float64.
        pieces: tensors (*, S), of one shape within a piece and one S in all of them.
        columns: which tensors hold one number for each row, in all of its columns.
        skip: leading columns of each row that are a row scalar of their own, 0 or 1.
        axes: number of axes of S.
    """
    kernel = None
    if (
        key is not None
        and not formulas.is_plain()
        and sum(piece[-1].numel() for piece in pieces) >= formulas.SMALLEST
        and all(formulas.is_ordinary(x) for piece in pieces for x in piece)
    ):
        dtypes = tuple(x.dtype for x in pieces[0])
        kernel = overwriting(formula, key, len(shared), dtypes, columns, skip)
    if kernel is not None:
        kernel(shared, pieces)
        return
    _in_torch(formula, shared, pieces, columns, axes)


def _in_torch(
    formula: Callable[..., Any], shared: Tensor, pieces: Sequence[Sequence[Tensor]],
    columns: tuple[bool, ...], axes: int,
) -> None:  # fmt: skip
    """Join the pieces, so that each operation runs once, and cut the results apart again."""
    if len(pieces) == 1:
        stacked = list(pieces[0])
    else:
        stacked = [torch.cat([x.flatten(0, -1 - axes) for x in xs]) for xs in _transposed(pieces)]
    scalars = shared.reshape(-1, *(1,) * axes)
    results = formula(*scalars, *map(_seen, stacked, columns, [axes] * len(columns)))
    for result, *targets in zip(results, *(p[-len(results) :] for p in pieces), strict=True):
        if len(targets) == 1:
            targets[0].copy_(result)
            continue
        whole = result.expand(-1, *targets[0].shape[-axes:])
        parts = whole.split([x.shape[:-axes].numel() for x in targets])
        for target, part in zip(targets, parts, strict=True):
            target.copy_(part.view(target.shape) if axes == 1 else part.reshape(target.shape))


def _transposed(pieces: Sequence[Sequence[Tensor]]) -> list[tuple[Tensor, ...]]:
    return list(zip(*pieces, strict=True))


def _seen(x: Tensor, is_column: bool, axes: int) -> Tensor:
    """Return what the formula sees of a tensor: its rows, or the number that a row holds."""
    if is_column:
        for axis in range(-axes, 0):
            x = x.narrow(axis, 0, 1)
        return wide(x)
    return x.to(working_dtype(x.dtype))
