"""Diffusions of a graph: personalised PageRank and the heat kernel, cut to the largest entries.

Both are series S = sum_k c_k T^k in the normalised adjacency matrix T = D^-1/2 A D^-1/2, with
c_k = alpha (1 - alpha)^k, so that S = alpha (I - (1 - alpha) T)^-1, or c_k = e^-t t^k / k!, so that
S = e^(t (T - I)). A node without an edge keeps c_0. Give the training graph of a split: a diffusion
of all edges has seen the test. Source: [hassani2020contrastive], [gasteiger2019diffusion].
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from noneuclid.datasets.graphs.graph import Graph

EXACT_NODES = 5000  # up to here rows come from a factorisation or a dense series
ROUNDING = float(np.finfo(np.float64).eps)
BLOCK = 256  # rows at a time: bounds the memory at 256 n numbers, or their non-zero ones


def personalized_pagerank(
    graph: Graph, alpha: float = 0.2, *, top: int | None = 32, sources: Tensor | None = None,
    self_loops: bool = False, exact: bool | None = None, accuracy: float = 1e-4,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Diffuse by a walk that returns to its source with probability ``alpha`` at each step.

    Args:
        graph: The (training) graph.
        alpha: Probability of return, in (0, 1].
        top: Entries kept in each row, the largest ones; all that are not 0 where it is None.
        sources: (S,) nodes whose rows are wanted; all where it is left out.
        self_loops: Whether to add a loop to each node first, T = (D+1)^-1/2 (A+I) (D+1)^-1/2.
        exact: Whether to solve the sparse linear system, or to walk and drop what is small; up to
            5,000 nodes it is solved where this is left out.
        accuracy: Of the walk: entry (i, j) is too small by at most 1/alpha ``accuracy``
            sqrt(d_i d_j), loops counted, and never too large. Time and memory of a row are bounded
            by this, not by n.

    Returns:
        ``edge_index`` (2, E), from the node j that is diffused to the source i, rows in order of
        i; ``edge_weight`` (E,) float32, S_ij. S is symmetric, cut to its ``top`` it is not.

    Raises:
        ValueError: ``alpha`` is not in (0, 1], ``top`` not positive or ``accuracy`` not in (0, 1).
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be in (0, 1], got {alpha}")
    _check(top, accuracy)
    steps = 0 if alpha == 1 else math.ceil(math.log(accuracy) / math.log1p(-alpha))
    weights = alpha * (1 - alpha) ** np.arange(steps + 1)
    return _diffuse(graph, weights, alpha, top, sources, self_loops, exact, accuracy)


def heat_kernel(
    graph: Graph, t: float = 5.0, *, top: int | None = 32, sources: Tensor | None = None,
    self_loops: bool = False, exact: bool | None = None, accuracy: float = 1e-4,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Diffuse for a time ``t``, as ``personalized_pagerank`` with the weights of Poisson's law.

    An entry of the walk is too small by at most (1 + t) ``accuracy`` sqrt(d_i d_j); the exact form
    sums the series of a dense block until its rest is below rounding.

    Raises:
        ValueError: ``t`` is negative, ``top`` not positive or ``accuracy`` not in (0, 1).
    """
    if not t >= 0 or not math.isfinite(t):
        raise ValueError(f"t must be finite and >= 0, got {t}")
    _check(top, accuracy)
    small = exact if exact is not None else graph.num_nodes <= EXACT_NODES
    weights = _poisson(t, ROUNDING if small else accuracy)
    return _diffuse(graph, weights, None, top, sources, self_loops, exact, accuracy)


def _check(top: int | None, accuracy: float) -> None:
    if (top is not None and top < 1) or not 0 < accuracy < 1:
        raise ValueError(f"top must be positive and accuracy in (0, 1), got {top} and {accuracy}")


def _diffuse(
    graph: Graph, weights: np.ndarray, alpha: float | None, top: int | None,
    sources: Tensor | None, self_loops: bool, exact: bool | None, accuracy: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    n = graph.num_nodes
    wanted = np.arange(n) if sources is None else sources.reshape(-1).cpu().numpy()
    adjacency = graph.adjacency()
    if self_loops:
        adjacency = sparse.csr_array(adjacency + sparse.eye_array(n))
    degrees = adjacency.sum(axis=1)
    if not (n <= EXACT_NODES if exact is None else exact):
        blocks = _walk(adjacency, degrees, wanted, weights, accuracy)
    elif alpha is not None:
        blocks = _solve(adjacency, degrees, wanted, alpha)
    else:
        blocks = _series(adjacency, degrees, wanted, weights)
    parts = [_largest(block, top) for block in blocks]
    empty = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
    counts, columns, values = (np.concatenate(c) for c in zip(empty, *parts, strict=True))
    edge_index = np.stack([columns.astype(np.int64), np.repeat(wanted, counts)])
    return torch.from_numpy(edge_index), torch.from_numpy(values.astype(np.float32))


def _solve(
    adjacency: sparse.csr_array, degrees: np.ndarray, sources: np.ndarray, alpha: float
) -> Iterator[np.ndarray]:
    """Solve (I - (1 - alpha) T) S = alpha I by one sparse factorisation, a block of columns."""
    n = len(degrees)
    system = sparse.eye_array(n) - (1 - alpha) * _normalized(adjacency, degrees)
    factors = sparse.linalg.splu(sparse.csc_array(system))
    for rows in _blocks(sources):
        yield factors.solve(alpha * _units(rows, n).toarray().T).T  # S is symmetric


def _series(
    adjacency: sparse.csr_array, degrees: np.ndarray, sources: np.ndarray, weights: np.ndarray
) -> Iterator[np.ndarray]:
    operator = _normalized(adjacency, degrees)
    for rows in _blocks(sources):
        term = _units(rows, len(degrees)).toarray().T
        total = weights[0] * term
        for weight in weights[1:]:
            term = operator @ term
            total += weight * term
        yield total.T


def _walk(
    adjacency: sparse.csr_array, degrees: np.ndarray, sources: np.ndarray, weights: np.ndarray,
    accuracy: float,
) -> Iterator[sparse.csr_array]:  # fmt: skip
    """Sum c_k x P^k with P = D^-1 A, dropping entries of x below accuracy d_j after each step.

    What is dropped is a vector below accuracy d, and d P = d: whatever comes of it later is below
    accuracy d too. So after k steps x_j lacks at most k accuracy d_j, and the sum lacks
    sum_k k c_k of that, and the rest of the series. T = D^1/2 P D^-1/2 turns it into S.
    """
    n = len(degrees)
    inverse = np.divide(1.0, degrees, out=np.zeros(n), where=degrees > 0)
    step = sparse.csr_array(sparse.diags_array(inverse) @ adjacency)
    after = sparse.diags_array(np.where(degrees > 0, np.sqrt(inverse), 1.0))
    for rows in _blocks(sources):
        term = _units(rows, n)
        total = weights[0] * term
        for weight in weights[1:]:
            term = sparse.csr_array(term @ step)
            term.data[term.data < accuracy * degrees[term.indices]] = 0
            term.eliminate_zeros()
            total = total + weight * term
        before = sparse.diags_array(np.where(degrees[rows] > 0, np.sqrt(degrees[rows]), 1.0))
        yield sparse.csr_array(before @ total @ after)


def _largest(
    block: np.ndarray | sparse.csr_array, top: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep the largest entries of each row: how many, their columns in order, their values."""
    rows = sparse.csr_array(block)
    rows.sum_duplicates()
    counts = np.diff(rows.indptr)
    row = np.repeat(np.arange(len(counts)), counts)
    if top is not None:
        by_size = np.lexsort((rows.indices, -rows.data, row))
        rank = np.arange(len(row)) - np.repeat(rows.indptr[:-1], counts)
        kept = np.sort(by_size[rank < top])
        counts = np.minimum(counts, top)
        return counts, rows.indices[kept], rows.data[kept]
    return counts, rows.indices, rows.data


def _normalized(adjacency: sparse.csr_array, degrees: np.ndarray) -> sparse.csr_array:
    root = np.divide(1.0, np.sqrt(degrees), out=np.zeros(len(degrees)), where=degrees > 0)
    return sparse.csr_array(sparse.diags_array(root) @ adjacency @ sparse.diags_array(root))


def _poisson(t: float, rest: float) -> np.ndarray:
    """Give e^-t t^k / k! up to where what follows sums to less than ``rest``."""
    weights = [math.exp(-t)]
    while len(weights) <= t or weights[-1] * t / len(weights) / (1 - t / (len(weights) + 1)) > rest:
        weights.append(weights[-1] * t / len(weights))
    return np.array(weights)


def _blocks(sources: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(sources), BLOCK):
        yield sources[first : first + BLOCK]


def _units(rows: np.ndarray, n: int) -> sparse.csr_array:
    """Build the rows of the identity matrix."""
    return sparse.csr_array((np.ones(len(rows)), (np.arange(len(rows)), rows)), (len(rows), n))
