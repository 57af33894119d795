"""Arithmetic on rows: linear combinations with row scalars, and exact products.

    x, y = rows(x, y)
    d = y - x
    xx, dd = dots((x, x), (d, d))
    z = (xx * d - dd * x).to(torch.float32)

A formula is written once. In plain torch its rows are float64 tensors (*, n) and its row scalars
float64 tensors (*, 1). Traced for a native kernel they are `Row` and `Scalar` of
`numerics/native/trace.py`, which have the same arithmetic.
"""

import functools
import operator
from collections.abc import Iterable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from noneuclid.numerics.native import Joined, Rounded, Scalar, trace
from noneuclid.numerics.native.expand import expanded
from noneuclid.numerics.precision import wide

Row: TypeAlias = Tensor  # to the type checker; a trace has `trace.Row` in its place


def rows(*tensors: Tensor) -> tuple[Row, ...]:
    """Return (*, n) tensors, whose batch axes broadcast, as rows to compute with."""
    if isinstance(tensors[0], Rounded | trace.Row):
        return tuple(_stored(t) for t in tensors)
    return tuple(wide(t) for t in tensors)


def _stored(value: Any) -> Any:
    if isinstance(value, trace.Row):  # a combination that was never rounded
        return value
    return trace.Row(value.trace, {(value.place, -1, 0): 1.0})


def dots(*pairs: tuple[Row, Row]) -> tuple[Tensor, ...]:
    """Return the products of pairs of rows, (*, 1) each, in float64.

    Accuracy: products of float32 rows are exact, so the error is that of a float64 sum.
    """
    if isinstance(pairs[0][0], trace.Row):
        return tuple(a.trace.dot(a, b) for a, b in pairs)
    return tuple((a * b).sum(-1, keepdim=True) for a, b in pairs)


def expanded_dots(*pairs: tuple[Row, Row]) -> tuple[Tensor, ...]:
    """Return the products of pairs of rows, put together from those of the rows they combine.

    In a trace that takes no pass over memory beyond the one for the products of stored rows, shared
    by all. Accuracy: 1e-16 of the largest term, so the length of a combination is off by 1e-8 of
    its longest term: less than rounding that term to float32, more than to float64.
    """
    if isinstance(pairs[0][0], trace.Row):
        return tuple(expanded(a, b) for a, b in pairs)
    return dots(*pairs)


def dots_across(x: Row, inverse: Tensor, *pairs: tuple[Row, Row]) -> tuple[Tensor, ...]:
    """Return the products of the parts of pairs of rows across x, where `inverse` is 1/|x|^2.

    In a trace they are expanded as in `expanded_dots`; a multiple of x in a combination drops out
    before anything is rounded.
    """
    if isinstance(x, trace.Row):
        return tuple(expanded(a, b, (x, inverse)) for a, b in pairs)
    parts = [[u - ((x * u).sum(-1, keepdim=True) * inverse) * x for u in pair] for pair in pairs]
    return dots(*((a, b) for a, b in parts))


def axis(x: Tensor, k: int) -> Tensor:
    """Return the unit vector of coordinate k, (n,), like the rows of x."""
    if isinstance(x, Rounded):
        return x.trace.axis(k, x.dtype)
    unit = torch.zeros(x.shape[-1], dtype=x.dtype, device=x.device)
    unit[k] = 1
    return unit


def joined(first: Tensor, rest: Tensor) -> Tensor:
    """Return a row scalar and a row as one row, in the dtype of the row: (*, 1 + n)."""
    if isinstance(rest, Rounded):
        assert isinstance(first, Scalar)
        return Joined(first, rest)
    shape = torch.broadcast_shapes(first.shape[:-1], rest.shape[:-1])
    parts = (first.to(rest.dtype).expand(*shape, 1), rest.expand(*shape, rest.shape[-1]))
    return torch.cat(parts, dim=-1)


def first(x: Any) -> Any:
    """Return the first column of joined rows as a row scalar, (*, 1)."""
    if isinstance(x, Joined):
        return x.first
    return wide(x[..., :1])


def rest(x: Any) -> Any:
    """Return joined rows without their first column."""
    if isinstance(x, Joined):
        return x.rest
    return x if isinstance(x, trace.Row) else x[..., 1:]


def combination(*terms: tuple[Tensor | float, Tensor]) -> Tensor:
    """Return the sum of row scalars times vectors, in their dtype.

    In a trace it is not rounded, so that no pass over memory is spent on it.
    """
    if isinstance(terms[0][1], Rounded | Joined | trace.Row):
        return _sum(scalar * _unrounded(x) for scalar, x in terms)
    return _sum(scalar * wide(x) for scalar, x in terms).to(terms[0][1].dtype)


def _unrounded(x: Any) -> Any:
    """Return the combination that a stand-in for a vector was rounded from; its rows if joined."""
    rest = x.rest if isinstance(x, Joined) else x
    row = rest.trace.values[rest.place].row if isinstance(rest, Rounded) else None
    return _stored(rest) if row is None else row


def _sum(terms: Iterable[Any]) -> Any:
    return functools.reduce(operator.add, terms)
