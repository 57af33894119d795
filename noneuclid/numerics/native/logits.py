"""Logits of surfaces and their gradients, compiled: what `classes.h` computes, called.

With (T, X) the ambient coordinates of a point, K the curvature and s = X.normal_c - shift_c T, the
logit of class c is length_c d, where

- "planes": d is the signed distance from a hyperplane, sin_K(d) = s;
- "horospheres": d = -log s, with normal_c = -sqrt(-K) v_c and shift_c = -1 for every class.

Products are float64 sums, distances are formed in the dtype of the points.
"""

import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from noneuclid.numerics.native.ambient import reading
from noneuclid.numerics.native.threads import spans_of
from noneuclid.numerics.native.tiles import Tiles, address, tiles_of

_TILE = 16  # rows, as in classes.h

Planes = tuple[Tensor, Tensor, Tensor]


class Surface(NamedTuple):
    """What logits are those of.

    Attributes:
        kind: "planes" or "horospheres".
        model: how rows are read, see `ambient.reading`, like the next.
        moves: see there.
    """

    kind: str
    model: str
    moves: bool


def _tiles(kind: str, dtype: torch.dtype) -> Tiles | None:
    return tiles_of(("classes.h", f"{kind}.c"), ("logits", "gradients"), dtype)


def has_logits(kind: str, dtype: torch.dtype) -> bool:
    """Tell whether the compiled functions of a kind are there for points of `dtype`."""
    return _tiles(kind, dtype) is not None


def logits(
    surface: Surface, space: Tensor, planes: Planes, curvature: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the logits and the sines, both (n, C) in the dtype of `space` (n, d).

    Args:
        surface: what the logits are those of.
        space: rows (n, d).
        planes: normals (C, d), shifts (C,) and lengths (C,), float64.
        curvature: K, (1,) in float64.
    """
    job = _Job(surface, space, planes, curvature)
    both = torch.empty(2, space.shape[0], planes[0].shape[0], dtype=space.dtype, device="cpu")
    table = job.table([*both, None], [None] * 5)
    job.tiles(0, [(table, *span) for span in job.spans()])
    return both[0], both[1]


def gradients(
    surface: Surface, space: Tensor, planes: Planes, curvature: Tensor,
    kept: tuple[Tensor, Tensor], g: Tensor, needs: Sequence[bool],
) -> list[Tensor | None]:  # fmt: skip
    """Return the gradients by space, normals, shifts, length d / d length and, where needed, K.

    Args:
        surface: as for `logits`, like the next three.
        space: see there.
        planes: see there.
        curvature: see there.
        kept: what `logits` returned.
        g: the gradient by the logits.
        needs: whether space and K need one; the others are always there.
    """
    job = _Job(surface, space, planes, curvature)
    # The part of K's that comes through moving a point is read off the gradient by the point.
    is_wanted = needs[0] or (surface.moves and needs[1])
    by_space = torch.empty(space.shape, dtype=space.dtype, device="cpu") if is_wanted else None
    g = g.contiguous()  # held until the calls are done: tables hold addresses only
    calls, parts = [], []
    for span in job.spans() or [(0, 0)]:
        sums: list[Tensor | None] = [torch.empty_like(t) for t in planes]
        sums.append(torch.empty_like(curvature) if needs[1] else None)
        parts.append(sums)
        calls.append((job.table([*kept, g], [by_space, *sums]), *span))
    job.tiles(1, calls)
    totals = [None if p[0] is None else torch.stack(p).sum(0) for p in zip(*parts, strict=True)]
    return [by_space if needs[0] else None, *totals]


class _Job:
    """The tables that describe the logits to the compiled functions (Job in classes.h)."""

    def __init__(self, surface: Surface, space: Tensor, planes: Planes, curvature: Tensor) -> None:
        self.space = space if space.stride(-1) == 1 or space.shape[1] == 1 else space.contiguous()
        self.planes = [t.contiguous() for t in planes]
        self.reading = reading(self.space, curvature, surface.model, surface.moves)
        self.classes = planes[0].shape[0]
        self.tiles: Any = _tiles(surface.kind, space.dtype)

    def spans(self) -> list[tuple[int, int]]:
        """Return the spans of rows that threads take."""
        count, width = self.space.shape
        return spans_of(count, _TILE, work=count * (width + self.classes))

    def table(self, rows: Sequence[Tensor | None], found: Sequence[Tensor | None]) -> Any:
        """Return the table for logits, sines and the gradient by logits, and for what is found."""
        given = [*self.planes, *rows, *found]
        return array.array("q", (*self.reading, self.classes, *map(address, given)))
