"""Nodes that are no neighbours, drawn at random."""

import torch
from torch import Tensor


class Negatives:
    """The pairs (u, v) of a relation, of which draws are told.

    Args:
        pairs: (E, 2) int64, v related to u.
        nodes: n.
    """

    def __init__(self, pairs: Tensor, nodes: int) -> None:
        self.nodes = nodes
        self._keys = (pairs[:, 0] * nodes + pairs[:, 1]).unique()

    def related(self, u: Tensor, v: Tensor) -> Tensor:
        """Tell which v are u or related to it: bool, of the shape they broadcast to."""
        keys = u * self.nodes + v
        place = torch.searchsorted(self._keys, keys).clamp(max=len(self._keys) - 1)
        return (self._keys[place] == keys) | (u == v)

    def draw(self, u: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return `count` nodes for each u (B,), uniform, and which are unrelated to it: (B, count).

        A draw that is related is told, not drawn again: for a node that is related to all others
        there is nothing else.
        """
        v = torch.randint(self.nodes, (len(u), count), generator=generator)
        return v, ~self.related(u[:, None], v)
