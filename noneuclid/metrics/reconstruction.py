"""How well the neighbours of a graph can be read off distances: mean average precision, mean rank.

For a node a with neighbours N(a), and b one of them, let R(a, b) be all other nodes that are no
further from a than b. The precision at b is |N(a) & R(a, b)| / |R(a, b)|; the rank of b is one more
than the number of nodes in R(a, b) that are no neighbours. Nodes at the same distance as b are in
R(a, b): ties count against an embedding.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import wide


class Reconstruction(NamedTuple):
    """Mean over nodes of their average precision, and mean rank over edges: float64, ()."""

    mean_average_precision: Tensor
    mean_rank: Tensor


def reconstruction(
    manifold: HomogeneousManifold,
    points: Tensor,
    edges: Tensor,
    *,
    directed: bool = False,
    nodes: int | None = None,
    generator: torch.Generator | None = None,
    block: int = 64,
) -> Reconstruction:
    """Compute both metrics of points on a manifold against the edges of a graph.

    Args:
        manifold: where the points live.
        points: (n, S).
        edges: (E, 2) integers, each once, no loops.
        directed: whether the second is a neighbour of the first alone (a transitive closure), or
            each of the other.
        nodes: how many of those with a neighbour to draw without replacement; None: all.
        generator: on the CPU, for the draw.
        block: nodes whose distances to all others are held at a time.

    Returns:
        NaN for a graph without edges.

    Cost: O(n^2 (d + log n)) time for all nodes, O(block n) memory.
    Source: [nickel2017poincare] section 4.1; [gu2019learning] section 4.

    Raises:
        ValueError: edges that are no pairs of different rows of `points`, or `nodes` < 1.
    """
    table = _neighbors(points, edges, directed)
    sources = table[:, 0].unique()
    if nodes is not None:
        if nodes < 1:
            raise ValueError(f"nodes must be at least 1, got {nodes}")
        order = torch.randperm(len(sources), generator=generator)[:nodes]
        sources = sources[order.to(sources.device)].sort().values
    start = torch.searchsorted(table[:, 0].contiguous(), sources)
    end = torch.searchsorted(table[:, 0].contiguous(), sources, right=True)
    sums = wide(points).new_zeros(3)
    if not len(sources):
        return Reconstruction(sums[0] / 0, sums[1] / 0)
    for rows in torch.arange(len(sources), device=points.device).split(block):
        distances = manifold.cdist(points[sources[rows]], points)
        distances = distances.scatter(1, sources[rows, None], torch.inf)
        sums = sums + _block(distances, table[:, 1], start[rows], end[rows])
    precision, rank, ranked = sums.unbind()
    return Reconstruction(precision / len(sources), rank / ranked)


def _neighbors(points: Tensor, edges: Tensor, directed: bool) -> Tensor:
    """Return (node, neighbour) of all neighbours, sorted by node: (E or 2E, 2)."""
    if edges.dim() != 2 or edges.shape[1] != 2 or edges.is_floating_point():
        raise ValueError(f"edges must be integers (E, 2), got {edges.dtype} {tuple(edges.shape)}")
    edges = edges.to(points.device).long()
    if len(edges) and (int(edges.min()) < 0 or int(edges.max()) >= len(points)):
        raise ValueError(f"edges must join rows of the {len(points)} points")
    if bool((edges[:, 0] == edges[:, 1]).any()):
        raise ValueError("edges must join different nodes")
    table = edges if directed else torch.cat((edges, edges.flip(-1)))
    return table[table[:, 0].argsort(stable=True)]


def _block(distances: Tensor, neighbors: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Return the sums of average precision and rank, and the number of ranks: (3,).

    Args:
        distances: of some nodes to all, (b, n), inf to themselves.
        neighbors: of all nodes, one after the other.
        start: where those of each of these nodes stand, (b,).
        end: likewise.
    """
    degree = end - start
    place = torch.arange(int(degree.max()), device=start.device)
    there = place < degree[:, None]
    index = torch.where(there, start[:, None] + place, start[:, None])
    near = distances.gather(1, neighbors[index])
    near = torch.where(there, near, torch.inf).sort(-1).values
    hits = torch.searchsorted(near, near, right=True).double()
    within = torch.searchsorted(distances.sort(-1).values, near, right=True).double()
    precision = torch.where(there, hits / within, 0).sum(-1) / degree
    rank = torch.where(there, within - hits + 1, 0)
    return torch.stack((precision.sum(), rank.sum(), degree.sum().double()))
