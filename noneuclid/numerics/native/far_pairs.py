"""Gromov's delta by pairs of nodes far apart, compiled: what `far_pairs.c` computes, called."""

import array

import torch
from torch import Tensor

from noneuclid.numerics.native.tiles import Tiles, address, tiles_of


def _tiles(dtype: torch.dtype) -> Tiles | None:
    return tiles_of(("far_pairs.c",), ("far_pairs",), dtype)


def has_far_pairs(dtype: torch.dtype) -> bool:
    """Tell whether the compiled function is there for distances of `dtype`."""
    return _tiles(dtype) is not None


class FarPairs:
    """The search as it stands after some pairs, in chunks of any size.

    Args:
        distances: (n, n), float32 or float64, of a connected graph.
        pairs: (count, 2) int64, by falling distance.
        centre: distances of a central node, (n,).
        eccentricity: (n,), the largest distance of each node.
    """

    def __init__(
        self, distances: Tensor, pairs: Tensor, centre: Tensor, eccentricity: Tensor
    ) -> None:
        degree = pairs.flatten().bincount(minlength=len(distances))
        start = degree.cumsum(0) - degree
        mates = torch.empty(pairs.numel(), dtype=torch.int32)
        self._largest = torch.zeros(1, dtype=distances.dtype)
        tensors = (distances, centre, eccentricity, pairs, start, torch.zeros_like(start), mates)
        self._held = [tensor.contiguous() for tensor in tensors]
        addresses = map(address, (*self._held, self._largest))
        self._table = array.array("q", (len(distances), *addresses))

    def take(self, begin: int, end: int) -> float:
        """Look at the pairs from begin to end, and return twice delta so far."""
        tiles = _tiles(self._largest.dtype)
        assert tiles is not None
        tiles(0, [(self._table, begin, end)])
        return float(self._largest)
