"""All pairwise distances and their gradients, compiled: what `pairs.c` computes, called.

The functions take eight tensors for each factor of a product, contiguous after one batch axis:

    x (B, n, d), y (B, m, d), their weights (B, n, 1) and (B, m, 1), K (B, 1, 1): float64;
    the antipodes of y (B, m, d), and x and y as rows of `Chart.near`: float64 or None.

The distance on a factor is the arc over the chord w w' |x - y|; that on a product is
sqrt(sum of d^2). Differences are formed coordinate by coordinate in float64, so that equal rows are
at distance 0 and near ones keep their digits; arcs in the dtype of the result.
"""

import array
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics.native.threads import spans_of
from noneuclid.numerics.native.tiles import Call, Tiles, address, tiles_of

FIELDS = 8  # tensors of one factor ...
DIFFERENTIABLE = 5  # ... of which the first have gradients

_ROWS, _COLUMNS = 8, 64  # as in tiles.h and pairs.c
_CACHE = 2**14  # numbers of a chunk of y that stay in the cache


def _tiles(dtype: torch.dtype) -> Tiles | None:
    return tiles_of(("pairs.c",), ("distances", "gradients"), dtype)


def has_pairs(dtype: torch.dtype) -> bool:
    """Tell whether the compiled functions are there for results of `dtype`."""
    return _tiles(dtype) is not None


def distances(tensors: Sequence[Tensor | None], dtype: torch.dtype) -> Tensor:
    """Return all distances in `dtype`: (B, n, m)."""
    tensors = _laid_out(tensors)
    out = torch.empty(_shape(tensors), dtype=dtype, device="cpu")
    job = _Job(tensors, out)
    table = job.table([None] * len(tensors))
    job.tiles(0, [(table, *span) for span in job.spans()])
    return out


def gradients(
    tensors: Sequence[Tensor | None], needs: Sequence[bool], g: Tensor
) -> list[Tensor | None]:
    """Return the gradients in float64, where they are needed, from that by the distances."""
    tensors = _laid_out(tensors)
    job = _Job(tensors, g.contiguous())
    calls: list[Call] = []
    found: list[list[Tensor | None]] = []
    for span in job.spans() or [(0, 0)]:
        # Rows of x belong to one thread each; whatever else gets its parts from all of them.
        fresh = [_gradient(t, need) for t, need in zip(tensors, needs, strict=True)]
        if found:
            fresh[0::FIELDS], fresh[2::FIELDS] = found[0][0::FIELDS], found[0][2::FIELDS]
        found.append(fresh)
        calls.append((job.table(fresh), *span))
    job.tiles(1, calls)
    for other in found[1:]:
        for place, (total, part) in enumerate(zip(found[0], other, strict=True)):
            if total is not None and part is not None and place % FIELDS not in (0, 2):
                total += part
    return found[0]


def _laid_out(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if t is None else t.to(torch.float64).contiguous() for t in tensors]


def _gradient(tensor: Tensor | None, need: bool) -> Tensor | None:
    return torch.zeros_like(tensor) if need and tensor is not None else None


def _shape(tensors: Sequence[Any]) -> tuple[int, int, int]:
    x, y = tensors[:2]
    return x.shape[0], x.shape[1], y.shape[1]


class _Job:
    """The tables that describe the pairs to the compiled functions (Job and Factor in pairs.c)."""

    def __init__(self, tensors: Sequence[Any], pairs: Tensor) -> None:
        self.tensors, self.pairs = tensors, pairs
        self.tiles: Any = _tiles(pairs.dtype)
        self.batch, self.n, self.m = pairs.shape
        turned = [t for i in (1, 1, 5, 7) for t in tensors[i::FIELDS] if t is not None]
        most = _CACHE // sum(t.shape[-1] for t in turned)
        self.chunk = _COLUMNS * max(1, min(most, self.m + _COLUMNS - 1) // _COLUMNS)

    def spans(self) -> list[tuple[int, int]]:
        """Return the spans of rows of x, over all batches, that threads take."""
        widths = sum(x.shape[-1] for x in self.tensors[0::FIELDS])
        return spans_of(self.batch * self.n, _ROWS, work=self.pairs.numel() * (widths + 16))

    def table(self, found: Sequence[Tensor | None]) -> Any:
        """Return the table for gradients that are added to `found`."""
        factors = range(0, len(self.tensors), FIELDS)
        table = array.array("q", (self.n, self.m, len(factors), self.chunk))
        table.append(self.pairs.data_ptr())
        for i in factors:
            near = self.tensors[i + FIELDS - 1]
            table.extend((self.tensors[i].shape[-1], 0 if near is None else near.shape[-1]))
            table.extend(address(t) for t in self.tensors[i : i + FIELDS])
            table.extend(address(t) for t in found[i : i + DIFFERENTIABLE])
        return table
