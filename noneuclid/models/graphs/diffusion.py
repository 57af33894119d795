"""Graph diffusion: the second view of a graph, from its edges alone."""

import math
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np

Kernel = Literal["ppr", "heat"]


def diffusion(  # noqa: PLR0913 - what a kernel and its sparsification are made of
    edge_index: Tensor,
    num_nodes: int,
    edge_weight: Tensor | None = None,
    *,
    kernel: Kernel = "ppr",
    alpha: float = 0.2,
    time: float = 5.0,
    top_k: int = 32,
    threshold: float = 1e-3,
    block: int = 1024,
) -> tuple[Tensor, Tensor]:
    """Return the edges and weights of a diffused graph: the congruent augmentation of SelfMGNN.

    With T = D^-1/2 (A + I) D^-1/2,

        personalised PageRank  S = alpha (I - (1 - alpha) T)^-1 = sum_k alpha (1 - alpha)^k T^k,
        heat kernel            S = exp(t (T - I)) = sum_k e^-t t^k / k! T^k.

    Every row keeps its `top_k` largest entries. Only what is in `edge_index` is seen: give the
    training edges. Rows are worked on in blocks and the walks stay sparse, so that memory is
    bounded by block / threshold entries: 1e6 for the defaults, whatever the size of the graph.

    Args:
        edge_index: (2, E), messages go from row 0 to row 1.
        num_nodes: N.
        edge_weight: (E,), >= 0; 1 by default.
        kernel: "ppr" or "heat".
        alpha: probability to return, in (0, 1].
        time: t > 0.
        top_k: entries kept in each row.
        threshold: entries of a walk below it are dropped; 0 for none, and a dense matrix.
        block: rows at a time.

    Returns:
        edge_index (2, E'), S_ij as an edge j -> i, loops among them; and S_ij, (E',) float32.
        What is left out of the series is less than `threshold`, or 1e-6 if that is less.

    Raises:
        ValueError: an option out of its range.

    Source: [hassani2020contrastive] section 3.1, with its alpha = 0.2 and t = 5;
    [gasteiger2019diffusion] for the sparsification.
    """
    if kernel not in ("ppr", "heat"):
        raise ValueError(f'kernel must be "ppr" or "heat", got {kernel!r}')
    if not 0 < alpha <= 1 or not 0 < time < math.inf:
        raise ValueError(f"alpha must lie in (0, 1] and time be > 0, got {alpha} and {time}")
    if top_k < 1 or threshold < 0 or block < 1:
        raise ValueError(
            "top_k and block must be at least 1 and threshold >= 0, got"
            f" {top_k}, {block} and {threshold}"
        )
    coefficients = _coefficients(kernel, alpha, time, max(threshold, 1e-6))
    walk = _transition(edge_index, num_nodes, edge_weight)
    rows, columns, values = [], [], []
    for start in range(0, num_nodes, block):
        stop = min(start + block, num_nodes)
        found = _largest(_series(walk, start, stop, coefficients, threshold), top_k)
        rows.append(torch.from_numpy(found[0]).long() + start)
        columns.append(torch.from_numpy(found[1]).long())
        values.append(torch.from_numpy(found[2]).float())
    if not rows:
        return edge_index.new_zeros(2, 0), torch.zeros(0, device=edge_index.device)
    ends = torch.stack([torch.cat(columns), torch.cat(rows)]).to(edge_index.device)
    return ends, torch.cat(values).to(edge_index.device)


def _coefficients(kernel: Kernel, alpha: float, time: float, rest: float) -> list[float]:
    """Return the coefficients of T^k, until those left sum to less than `rest`."""
    coefficients: list[float] = []
    while 1 - sum(coefficients) > rest:
        k = len(coefficients)
        if kernel == "ppr":
            coefficients.append(alpha * (1 - alpha) ** k)
        else:
            coefficients.append(math.exp(k * math.log(time) - time - math.lgamma(k + 1)))
    return coefficients


def _transition(edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None) -> Any:
    """Return T as a sparse matrix of scipy."""
    import numpy as np
    from scipy import sparse

    source, target = edge_index.cpu().numpy()
    weight = np.ones(len(source)) if edge_weight is None else edge_weight.detach().cpu().numpy()
    shape = (num_nodes, num_nodes)
    adjacency = sparse.csr_array((weight.astype(np.float64), (target, source)), shape=shape)
    adjacency = adjacency + sparse.eye_array(num_nodes, format="csr")
    share = sparse.diags_array(1 / np.sqrt(adjacency.sum(axis=1)))
    return (share @ adjacency @ share).tocsr()


def _series(walk: Any, start: int, stop: int, coefficients: list[float], threshold: float) -> Any:
    """Return sum_k coefficients_k T^k, rows `start` to `stop`."""
    from scipy import sparse

    steps = sparse.eye_array(stop - start, walk.shape[0], k=start, format="csr")
    total = coefficients[0] * steps
    for coefficient in coefficients[1:]:
        steps = steps @ walk
        if threshold:
            steps.data[steps.data < threshold] = 0
            steps.eliminate_zeros()
        total = total + coefficient * steps
    return total.tocsr()


def _largest(matrix: Any, count: int) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """Return (row, column, value) of the largest entries of each row."""
    import numpy as np

    lengths = np.diff(matrix.indptr)
    row = np.repeat(np.arange(matrix.shape[0]), lengths)
    order = np.lexsort((-matrix.data, row))
    rank = np.arange(len(row)) - np.repeat(matrix.indptr[:-1], lengths)
    kept = order[rank < count]
    return row[kept], matrix.indices[kept], matrix.data[kept]
