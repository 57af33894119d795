"""Weighted sums of points in ambient coordinates, compiled: what `ambient_sums.c` computes, called.

With (T, X) the ambient coordinates of a point (T without unit, X a length), the functions take
groups of points and return S = sum w X, T = sum w T and T^2 + K|S|^2, which cancels by e^2R for
points at distance R and is formed so that it does not.
"""

import array
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics.native.ambient import reading
from noneuclid.numerics.native.threads import spans_of
from noneuclid.numerics.native.tiles import Tiles, address, tiles_of

Sums = tuple[Tensor, Tensor, Tensor]


def _tiles(dtype: torch.dtype) -> Tiles | None:
    return tiles_of(("ambient_sums.c",), ("sums", "gradients"), dtype)


def has_sums(dtype: torch.dtype) -> bool:
    """Tell whether the compiled functions are there for points of `dtype`."""
    return _tiles(dtype) is not None


def ambient_sums(x: Tensor, w: Tensor, curvature: Tensor, model: str, moves: bool) -> Sums:
    """Return S (B, d), T (B, 1) and T^2 + K|S|^2 (B, 1), all float64.

    Args:
        x: rows (B, m, d), see `ambient.reading`.
        w: weights >= 0, (B, m) in float64.
        curvature: K, (1,) in float64.
        model: see there, like the next.
        moves: see there.
    """
    job = _Job(x, w, curvature, model, moves)
    shape, like = (job.x.shape[0], 1), {"dtype": torch.float64, "device": "cpu"}
    total = torch.empty(job.x.shape[0], job.x.shape[2], **like)  # type: ignore[call-overload]
    height, square = (torch.empty(shape, **like) for _ in range(2))  # type: ignore[call-overload]
    table = job.table([total, height, square], [None] * 6)
    job.tiles(0, [(table, *span) for span in job.spans()])
    return total, height, square


def gradients(
    x: Tensor, w: Tensor, curvature: Tensor, model: str, moves: bool, sums: Sums,
    back: Sequence[Tensor], needs: Sequence[bool],
) -> list[Tensor | None]:  # fmt: skip
    """Return the gradients by x, w and K, where they are needed.

    Args:
        x: as for `ambient_sums`, like the next four.
        w: see there.
        curvature: see there.
        model: see there.
        moves: see there.
        sums: what it returned.
        back: the gradients by that.
        needs: whether x, w and K need one.
    """
    job = _Job(x, w, curvature, model, moves)
    held = [t.contiguous() for t in back]  # until the calls are done: tables hold addresses only
    # The part of K's that comes through moving a point is read off the gradient by the point.
    by_x = torch.empty_like(job.x, memory_format=torch.contiguous_format)
    by_w = torch.empty(w.shape, dtype=w.dtype, device="cpu") if needs[1] else None
    is_wanted = needs[0] or (moves and needs[2])
    parts, calls = [], []
    for span in job.spans():
        parts.append(torch.zeros_like(curvature))
        found = [by_x if is_wanted else None, by_w, parts[-1] if needs[2] else None]
        calls.append((job.table(sums, [*held, *found]), *span))
    job.tiles(1, calls)
    by_curvature = sum(parts, torch.zeros_like(curvature)) if needs[2] else None
    return [by_x if needs[0] else None, by_w, by_curvature]


class _Job:
    """The tables that describe the sums to the compiled functions (Job in ambient_sums.c)."""

    def __init__(self, x: Tensor, w: Tensor, curvature: Tensor, model: str, moves: bool) -> None:
        self.x = x if x.stride(-1) == 1 or x.shape[-1] == 1 else x.contiguous()
        self.reading, self.w = reading(self.x, curvature, model, moves), w
        self.tiles: Any = _tiles(x.dtype)

    def spans(self) -> list[tuple[int, int]]:
        """Return the spans of groups that threads take."""
        return spans_of(self.x.shape[0], 1, work=self.x.numel())

    def table(self, sums: Sequence[Tensor], found: Sequence[Tensor | None]) -> Any:
        """Return the table for the sums, the gradients by them and those that are found."""
        x, w = self.x, self.w
        table = array.array("q", (*self.reading, x.shape[1], x.stride(0), w.stride(1), w.stride(0)))
        table.extend(map(address, (w, *sums, *found)))
        return table
