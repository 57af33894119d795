"""Sectional curvature of a graph, by comparing triangles with flat ones."""

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from noneuclid.metrics._graph import adjacency


def sectional_curvature(edges: Tensor, distances: Tensor) -> Tensor:
    """Compute the discrete sectional curvature at the nodes of a graph: (n,) in float64.

    For a node m, two of its neighbours b, c and any other node a,

        xi(m; b, c; a) = [d(a,m)^2 + d(b,c)^2 / 4 - (d(a,b)^2 + d(a,c)^2) / 2] / (2 d(a,m)),

    what a median is longer than in the flat triangle. It is 0 on a line, negative or 0 on a tree,
    positive or 0 on a cycle. Returned is its mean over all pairs b, c and all a that have a path to
    m; 0 for nodes with fewer than two neighbours.

    Args:
        edges: (E, 2) integers, each edge once.
        distances: (n, n) of the graph, as of `graph_distances`.

    The mean over pairs needs only sums over neighbours: O(n E) time, O(n^2) memory.
    Source: [gu2019learning] section 3.2.

    Raises:
        ValueError: as for `graph_distances`, or a table that is not (n, n).
    """
    matrix, table = _checked(edges, distances)
    matrix.data[:] = 1
    nodes = len(table)
    degree = np.diff(matrix.indptr)
    finite = np.isfinite(table)
    squares = np.where(finite, table, 0) ** 2
    to_neighbors = matrix @ squares  # [m, a]: sum over neighbours b of m of d(a, b)^2
    opposite = np.asarray(matrix.multiply(to_neighbors).sum(axis=1)).ravel()
    usable = degree > 1
    few = np.where(usable, degree, 2)[:, None]
    across = opposite[:, None] / (few * (few - 1))  # the mean of d(b, c)^2
    others = finite & ~np.eye(nodes, dtype=bool)
    excess = squares + across / 4 - to_neighbors / few
    values = np.where(others, excess / (2 * np.where(others, table, 1)), 0)
    mean = values.sum(1) / np.maximum(others.sum(1), 1)
    return torch.from_numpy(np.where(usable, mean, 0.0))


def sample_sectional_curvature(
    edges: Tensor,
    distances: Tensor,
    samples: int,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw xi(m; b, c; a) of `sectional_curvature`, for its law and signs: (samples,) in float64.

    m is uniform among the nodes with two neighbours or more, b and c are two different neighbours,
    a any other node that has a path to m.

    Args:
        edges: as for `sectional_curvature`.
        distances: see there.
        samples: how many.
        generator: on the CPU.

    Raises:
        ValueError: as there, no samples, or no node with two neighbours.
    """
    matrix, table = _checked(edges, distances)
    degree = np.diff(matrix.indptr)
    middles = torch.from_numpy(np.flatnonzero(degree > 1))
    if samples < 1 or not len(middles):
        raise ValueError(f"needs a node with two neighbours and a sample, got samples={samples}")
    m = middles[torch.randint(len(middles), (samples,), generator=generator)]
    count, start = torch.from_numpy(degree)[m], torch.from_numpy(matrix.indptr)[m].long()
    first = (torch.rand(samples, generator=generator, dtype=torch.float64) * count).long()
    second = (torch.rand(samples, generator=generator, dtype=torch.float64) * (count - 1)).long()
    second = second + (second >= first)
    neighbors = torch.from_numpy(matrix.indices).long()
    b, c = neighbors[start + first], neighbors[start + second]
    d = torch.from_numpy(table)
    a = _reachable(d, m, generator)
    excess = d[a, m] ** 2 + d[b, c] ** 2 / 4 - (d[a, b] ** 2 + d[a, c] ** 2) / 2
    return excess / (2 * d[a, m])


def _reachable(d: Tensor, m: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw for each m another node with a path to it; its neighbours are such."""
    a = torch.randint(len(d), m.shape, generator=generator)
    while bool((wrong := (a == m) | ~d[a, m].isfinite()).any()):
        again = torch.randint(len(d), m.shape, generator=generator)
        a = torch.where(wrong, again, a)
    return a


def _checked(edges: Tensor, distances: Tensor) -> tuple[csr_array, np.ndarray]:
    if distances.dim() != 2 or distances.shape[0] != distances.shape[1]:
        raise ValueError(f"distances must have shape (n, n), got {tuple(distances.shape)}")
    return adjacency(edges, len(distances)), distances.detach().cpu().double().numpy()
