"""Graphs as edge lists: what is checked of them, their adjacency and their distances."""

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path
from torch import Tensor


def graph_distances(edges: Tensor, nodes: int, weights: Tensor | None = None) -> Tensor:
    """Compute the lengths of all shortest paths of an undirected graph: (n, n), inf where none.

    Args:
        edges: (E, 2) integers, each edge once, no loops.
        nodes: n.
        weights: lengths > 0 of the edges, (E,); None: 1, by breadth-first search.

    Returns:
        float32 for steps (which are exact there), float64 for lengths.

    Raises:
        ValueError: edges out of range, loops, edges that are listed twice, lengths that are no
            positive numbers.
    """
    matrix = adjacency(edges, nodes, weights)
    found = shortest_path(matrix, method="D", directed=False, unweighted=weights is None)
    table = torch.from_numpy(np.asarray(found))
    return table.float() if weights is None else table


def adjacency(edges: Tensor, nodes: int, weights: Tensor | None = None) -> csr_array:
    """Return the symmetric (n, n) matrix of edge lengths, 1 without weights; checks the edges."""
    if edges.dim() != 2 or edges.shape[1] != 2 or edges.is_floating_point() or edges.is_complex():
        raise ValueError(f"edges must be integers (E, 2), got {edges.dtype} {tuple(edges.shape)}")
    u, v = edges.cpu().long().unbind(-1)
    if len(u) and (int(edges.min()) < 0 or int(edges.max()) >= nodes):
        raise ValueError(
            f"edges must join nodes 0 to {nodes - 1}, got {int(edges.min())} to {int(edges.max())}"
        )
    if bool((u == v).any()):
        raise ValueError(f"edges must join different nodes, {int((u == v).sum())} are loops")
    keys = torch.minimum(u, v) * nodes + torch.maximum(u, v)
    if len(keys.unique()) < len(keys):
        raise ValueError(
            f"edges must be listed once each, {len(keys) - len(keys.unique())} are repeated"
            " (one of two directions is enough)"
        )
    lengths = torch.ones(len(u)) if weights is None else weights.detach().cpu()
    if lengths.shape != u.shape:
        raise ValueError(f"weights must have shape ({len(u)},), got {tuple(lengths.shape)}")
    if not bool((lengths.isfinite() & (lengths > 0)).all()):
        raise ValueError("weights must be positive numbers, the lengths of the edges")
    values = lengths.double().numpy()
    rows, columns = np.concatenate((u, v)), np.concatenate((v, u))
    return csr_array((np.concatenate((values, values)), (rows, columns)), shape=(nodes, nodes))
