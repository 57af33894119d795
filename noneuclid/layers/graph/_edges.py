"""Weighted edges: who hears whom, and the normalizations of a graph."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Normalization = Literal["symmetric", "row", "none"]
NORMALIZATIONS = ("symmetric", "row", "none")


class Edges(NamedTuple):
    """The weights A of a graph: A_ij = target_i weight_ij source_j, and A_ii more by `loop`.

    Scales of rows instead of one weight for each edge: a graph without weights of its own is
    summed up without touching its edges more than once.

    Attributes:
        ends: (2, E), messages go from row 0 to row 1.
        size: number of sources and of targets.
        weight: (E,), or None for 1.
        source: (N_source, 1), or None for 1.
        target: (N_target, 1), or None for 1.
        loop: (N_target, 1), what every target adds of itself before `target`; None for nothing.
        total: (N_target, 1), the row sums of A.
    """

    ends: Tensor
    size: tuple[int, int]
    weight: Tensor | None
    source: Tensor | None
    target: Tensor | None
    loop: Tensor | None
    total: Tensor


def check_edges(edge_index: Tensor, edge_weight: Tensor | None) -> None:
    """Raise ValueError for edges of the wrong shape or dtype."""
    if edge_index.dim() != 2 or edge_index.shape[0] != 2 or edge_index.is_floating_point():
        raise ValueError(
            "edge_index must hold node numbers of shape (2, E), got"
            f" {edge_index.dtype} of shape {tuple(edge_index.shape)}"
        )
    if edge_weight is not None and edge_weight.shape != edge_index.shape[1:]:
        raise ValueError(
            f"edge_weight must have shape ({edge_index.shape[1]},), one number for each edge, got"
            f" {tuple(edge_weight.shape)}"
        )


def missing_loops(edge_index: Tensor, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """Return 1 for each target that has no edge to itself, else 0: (N_target, 1).

    Nothing here has a shape that depends on the edges, which a compiler could not follow. Between
    two sets of nodes, the targets are the first of the sources, as in batches of sampled graphs.
    """
    source, target = edge_index[0], edge_index[1]
    found = summed((source == target).to(dtype), target, size[1])
    return (found == 0).to(dtype)


def normalized(
    edge_index: Tensor,
    edge_weight: Tensor | None,
    size: tuple[int, int],
    normalization: Normalization,
    self_loops: bool,
    dtype: torch.dtype,
) -> Edges:
    """Return the normalized weights of a graph.

    With w_ij the given weights, 1 more for a node without an edge to itself if `self_loops`, and
    d_i = sum_j w_ij, A_ij is w_ij / sqrt(d_i d_j) for "symmetric", w_ij / d_i for "row", w_ij for
    "none". Between two sets, d_j of "symmetric" is the sum of what j sends. Nodes of degree 0 (and
    below, which takes negative weights) have A_ij = 0.
    """
    source, target = edge_index[0], edge_index[1]
    weight = None if edge_weight is None else edge_weight.to(dtype)
    each = torch.ones_like(target, dtype=dtype) if weight is None else weight
    loop = missing_loops(edge_index, size, dtype) if self_loops else None
    heard = summed(each, target, size[1])
    if loop is not None:
        heard = heard + loop
    if normalization == "none":
        return Edges(edge_index, size, weight, None, None, loop, heard)
    if normalization == "row":
        share = _inverse(heard)
        return Edges(edge_index, size, weight, None, share, loop, share * heard)
    share = _inverse(heard).sqrt()
    sent = share if size[0] == size[1] else _inverse(_sent(each, source, size, loop)).sqrt()
    if loop is not None:
        loop = loop * sent[: size[1]]
    total = summed(each * sent[source, 0], target, size[1])
    total = share * (total if loop is None else total + loop)
    return Edges(edge_index, size, weight, sent, share, loop, total)


def _sent(each: Tensor, source: Tensor, size: tuple[int, int], loop: Tensor | None) -> Tensor:
    """Return the sum of what each source sends: (N_source, 1)."""
    sent = summed(each, source, size[0])
    if loop is None:
        return sent
    return sent + torch.nn.functional.pad(loop, (0, 0, 0, size[0] - size[1]))


def summed(values: Tensor, index: Tensor, size: int) -> Tensor:
    """Return sums of the values (E,) by index: (size, 1)."""
    return values.new_zeros(size).index_add(0, index, values)[:, None]


def _inverse(degree: Tensor) -> Tensor:
    """Return 1 / degree, and 0 where it is not positive."""
    positive = degree > 0
    return torch.where(positive, 1 / torch.where(positive, degree, 1), 0)
