"""The four points furthest from a tree, compiled: what `four_point.c` computes, called."""

import array

import torch
from torch import Tensor

from noneuclid.numerics.native.threads import spans_of
from noneuclid.numerics.native.tiles import Tiles, address, tiles_of


def _tiles(dtype: torch.dtype) -> Tiles | None:
    return tiles_of(("four_point.c",), ("from_base", "from_all"), dtype)


def has_witnesses(dtype: torch.dtype) -> bool:
    """Tell whether the compiled functions are there for distances of `dtype`."""
    return _tiles(dtype) is not None


def witnesses(distances: Tensor, mask: Tensor | None, base: int | None) -> Tensor:
    """Return four points of each set whose two largest sums of distances differ most: (B, 4).

    Args:
        distances: (B, n, n), float32 or float64, symmetric.
        mask: (B, n) bool, True where a point is; None: everywhere.
        base: one of the four, of all sets (the first point there is, where it is masked); None:
            any four.
    """
    distances = distances.contiguous()
    mask = None if mask is None else mask.contiguous()
    count, points = distances.shape[:2]
    found = torch.zeros(count, 4, dtype=torch.int64, device="cpu")
    tiles = _tiles(distances.dtype)
    assert tiles is not None
    head = (points, -1 if base is None else base)
    table = array.array("q", (*head, *map(address, (distances, mask, found))))
    work = distances.numel() * points * (1 if base is not None else points)
    calls = [(table, *span) for span in spans_of(count, 1, work=work)]
    tiles(0 if base is not None else 1, calls)
    return found
