"""Ricci curvature of the edges of a graph: Forman's, augmented and balanced, and Ollivier's."""

import itertools
from typing import Any, Literal

import numpy as np
import torch
from scipy.optimize import linprog
from scipy.sparse import block_diag, csr_array, kron
from torch import Tensor
from tqdm import tqdm

from noneuclid.metrics._graph import adjacency, graph_distances

Kind = Literal["plain", "augmented", "balanced"]
_KINDS = ("plain", "augmented", "balanced")
_VARIABLES = 20_000  # of the linear programs that are solved as one


def forman_curvature(edges: Tensor, nodes: int, kind: Kind = "plain") -> Tensor:
    """Compute Forman's curvature of the edges of an undirected graph: (E,) in float64.

    With degrees d_i, d_j and the number t of triangles at the edge (i, j):

    | kind | curvature |
    | --- | --- |
    | "plain" | 4 - d_i - d_j |
    | "augmented" | 4 - d_i - d_j + 3 t |
    | "balanced" | 2/d_i + 2/d_j - 2 + 2t/max(d_i, d_j) + t/min(d_i, d_j) + s |

    s = (q_i + q_j) / (g max(d_i, d_j)) counts 4-cycles: q_i is the number of neighbours of i, not
    of j, that have a neighbour among those of j, not of i; g is the largest number of such
    neighbours that one of them has. "balanced" is 0 for an edge with an end of degree 1; elsewhere
    it bounds Ollivier's curvature of idleness 1/2 from below by half of it.

    Source: [forman2003bochner]; [samal2018comparative] for "augmented"; [topping2022understanding]
    Definition 1 for "balanced".

    Raises:
        ValueError: edges as for `graph_distances`, or an unknown kind.
    """
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    neighbors = _neighbor_sets(adjacency(edges, nodes))
    find = _balanced if kind == "balanced" else _plain
    weight = 3 if kind == "augmented" else 0
    values = [find(neighbors, i, j, weight) for i, j in edges.tolist()]
    return torch.tensor(values, dtype=torch.float64)


def _neighbor_sets(matrix: csr_array) -> list[set[int]]:
    ends = matrix.indptr.tolist()
    indices = matrix.indices.tolist()
    return [set(indices[a:b]) for a, b in itertools.pairwise(ends)]


def _plain(neighbors: list[set[int]], i: int, j: int, weight: int) -> float:
    triangles = len(neighbors[i] & neighbors[j]) if weight else 0
    return 4 - len(neighbors[i]) - len(neighbors[j]) + weight * triangles


def _balanced(neighbors: list[set[int]], i: int, j: int, _: int) -> float:
    low, high = sorted((len(neighbors[i]), len(neighbors[j])))
    if low == 1:
        return 0.0
    triangles = len(neighbors[i] & neighbors[j])
    only_i, only_j = neighbors[i] - neighbors[j] - {j}, neighbors[j] - neighbors[i] - {i}
    at_i = [count for k in only_i if (count := len(neighbors[k] & only_j))]
    at_j = [count for k in only_j if (count := len(neighbors[k] & only_i))]
    squares = (len(at_i) + len(at_j)) / max(at_i + at_j) if at_i else 0.0
    return 2 / low + 2 / high - 2 + (2 * triangles + squares) / high + triangles / low


def ollivier_curvature(
    edges: Tensor, nodes: int, *, idleness: float = 0.5, progress: bool = False
) -> Tensor:
    """Compute Ollivier's curvature of the edges of an undirected graph: (E,) in float64.

    kappa(u, v) = 1 - W1(m_u, m_v): W1 is the cost of moving the mass m_u into m_v along shortest
    paths, where m_u is `idleness` at u and the rest spread evenly over its neighbours. Positive on
    complete graphs, 0 on grids and long cycles, negative on trees.

    Args:
        edges: (E, 2) integers, each edge once.
        nodes: n.
        idleness: in [0, 1).
        progress: whether to show a progress bar.

    Mass that both ends share stays where it is; the rest is moved by scipy's linear programs, many
    edges in one: exact, about a millisecond for an edge of degrees 5 and 5, growing with d_u d_v.
    Source: [ollivier2009ricci]; [lin2011ricci] for idleness on graphs.

    Raises:
        ValueError: edges as for `graph_distances`, or an idleness outside [0, 1).
    """
    if not 0 <= idleness < 1:
        raise ValueError(f"idleness must be in [0, 1), got {idleness}")
    neighbors = _neighbor_sets(adjacency(edges, nodes))
    table = graph_distances(edges, nodes).numpy()
    costs: list[float] = []
    waiting: list[tuple[Any, ...]] = []
    size = 0
    with tqdm(total=len(edges), disable=not progress, unit=" edges") as bar:
        for number, (u, v) in enumerate(edges.tolist(), start=1):
            waiting.append(_transport(neighbors, u, v, idleness, table))
            size += waiting[-1][0].size
            if size >= _VARIABLES or number == len(edges):
                costs.extend(_solved(waiting))
                bar.update(len(waiting))
                waiting, size = [], 0
    return 1 - torch.tensor(costs, dtype=torch.float64)


def _transport(
    neighbors: list[set[int]], u: int, v: int, idleness: float, table: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return costs, supplies and demands of what has to move from m_u to m_v."""
    mass: dict[int, float] = {}
    for centre, sign in ((u, 1.0), (v, -1.0)):
        mass[centre] = mass.get(centre, 0.0) + sign * idleness
        for k in neighbors[centre]:
            mass[k] = mass.get(k, 0.0) + sign * (1 - idleness) / len(neighbors[centre])
    rounding = np.finfo(float).eps * 4  # what is left of equal masses
    sources = [k for k, value in mass.items() if value > rounding]
    targets = [k for k, value in mass.items() if value < -rounding]
    supply, demand = (np.array([abs(mass[k]) for k in ks]) for ks in (sources, targets))
    return table[np.ix_(sources, targets)].astype(float), supply, demand


def _solved(problems: list[tuple[Any, ...]]) -> list[float]:
    """Return the least cost of each of some transport problems, solved as one program.

    The last demand of each is left out: it follows from the others, up to rounding.
    """
    moving = [p for p in problems if p[0].size]
    if not moving:
        return [0.0] * len(problems)
    blocks, sides = [], []
    for cost, supply, demand in moving:
        rows, columns = cost.shape
        out = kron(csr_array(np.eye(rows)), np.ones((1, columns)))
        into = kron(np.ones((1, rows)), csr_array(np.eye(columns)))
        blocks.append(csr_array(np.vstack((out.toarray(), into.toarray()[:-1]))))
        sides.append(np.concatenate((supply, demand[:-1])))
    cost = np.concatenate([p[0].ravel() for p in moving])
    answer = linprog(cost, A_eq=block_diag(blocks, format="csr"), b_eq=np.concatenate(sides))
    if not answer.success:
        raise RuntimeError(f"the linear program was not solved: {answer.message}")
    ends = np.cumsum([p[0].size for p in moving])[:-1]
    least = iter([float(part.sum()) for part in np.split(cost * answer.x, ends)])
    return [next(least) if p[0].size else 0.0 for p in problems]
