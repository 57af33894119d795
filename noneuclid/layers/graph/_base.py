"""GraphLayer: a map between manifolds that sends messages along edges."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Final

from torch import Tensor, nn
from torch_geometric import EdgeIndex
from torch_geometric.nn import MessagePassing
from torch_geometric.typing import OptTensor  # its inspector cannot read `Tensor | None`

from noneuclid.layers._base import Layer
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.layers.graph._edges import (
    NORMALIZATIONS,
    Edges,
    Normalization,
    check_edges,
    normalized,
)
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import working_dtype

Pair = tuple[Tensor, Tensor | None]


class GraphLayer(Layer, MessagePassing):
    """A layer that maps the points of a graph's nodes, each with a sum over its neighbours.

    Every space here is summed up in ambient coordinates, of which a weighted sum is a midpoint (see
    `layers/_ambient.py`): the messages are those of a flat layer with one column more for each
    curved factor, and what bends them is done once for each node.

    Args:
        manifold_in: where the input lives.
        manifold_out: where the output lives.
        normalization: of the weights of edges, see `_edges.normalized`.
        self_loops: whether a node without an edge to itself is given one, of weight 1.
        cached: whether the normalized graph of the first call is used ever after, sorted; until
            `reset_parameters`, or a call with points of another dtype or device.

    A concrete layer supplies `tangent`.
    """

    # torch_geometric hands edges that are sorted by target to `message_and_aggregate`.
    SUPPORTS_FUSED_EDGE_INDEX: Final[bool] = True
    propagate: Callable[..., Tensor]  # torch_geometric writes it for every class

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        normalization: Normalization = "none",
        self_loops: bool = True,
        cached: bool = False,
    ) -> None:
        super().__init__(manifold_in, manifold_out)
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"normalization must be one of {', '.join(NORMALIZATIONS)}, got {normalization!r}"
            )
        self.normalization: Normalization = normalization
        self.self_loops = self_loops
        self.cached = cached
        self.node_dim = 0
        self._kept: Edges | None = None

    __repr__ = nn.Module.__repr__

    @abstractmethod
    def tangent(
        self, c: Tensor | Pair, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the output's normal coordinates from the input's: (N, dim_in) -> (N, dim_out)."""

    def forward(
        self, x: Tensor | Pair, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Map points (N, S_in) of nodes to points (N, S_out).

        Args:
            x: the nodes' points; or a pair of the sources' (N_source, S_in) and the targets'
                (N_target, S_in), for a batch of a sampled graph, whose targets are the first of its
                sources.
            edge_index: (2, E), messages go from row 0 to row 1; a `torch_geometric.EdgeIndex` that
                is sorted by row 1 is summed up many times faster. A repeated edge counts as often
                as it is there.
            edge_weight: (E,), >= 0; 1 by default.
        """
        source, target = pair(x)
        c = to_normal(self.manifold_in, source)
        own = None if target is source else to_normal(self.manifold_in, target)
        y = self.tangent(c if own is None else (c, own), edge_index, edge_weight)
        return from_normal(self.manifold_out, y)

    def edges(
        self, edge_index: Tensor, edge_weight: Tensor | None, size: tuple[int, int], like: Tensor
    ) -> Edges:
        """Return the normalized weights of the graph, in the dtype that rows like `like` have."""
        dtype = working_dtype(like.dtype)
        kept = self._kept
        if kept is not None and kept.total.dtype == dtype and kept.total.device == like.device:
            return kept
        check_edges(edge_index, edge_weight)
        if self.cached:
            edge_index, edge_weight = sorted_edges(edge_index, edge_weight, size)
        given = edge_index, edge_weight, size, self.normalization, self.self_loops, dtype
        edges = normalized(*given)
        if self.cached:
            self._kept = edges
        return edges

    def heard(self, columns: Tensor, own: Tensor, edges: Edges) -> Tensor:
        """Return the sums A columns of what each target hears, itself among it: -> (N_target, n).

        Args:
            columns: of the sources, (N_source, n).
            own: of the targets, (N_target, n).
            edges: A.
        """
        sent = columns if edges.source is None else edges.source * columns
        sums = self.propagate(edges.ends, x=sent, edge_weight=edges.weight, size=edges.size)
        if edges.loop is not None:
            sums = sums + edges.loop * own
        return sums if edges.target is None else edges.target * sums

    def message(self, x_j: Tensor, edge_weight: OptTensor) -> Tensor:
        """Return what one edge carries."""
        return x_j if edge_weight is None else edge_weight.unsqueeze(-1) * x_j

    def message_and_aggregate(
        self, edge_index: EdgeIndex, x: Tensor, edge_weight: OptTensor
    ) -> Tensor:
        """Return all sums by one product with a sparse matrix, (N_source, n) -> (N_target, n)."""
        if edge_weight is not None and (edge_weight.requires_grad or edge_weight.dim() > 1):
            source, target = edge_index.as_tensor()  # the product has no gradient of weights
            message = self.message(x.index_select(0, source), edge_weight)
            return x.new_zeros(edge_index.num_cols, *x.shape[1:]).index_add(0, target, message)
        return edge_index.matmul(x, edge_weight, transpose=True)

    def reset_parameters(self) -> None:
        """Draw fresh parameters and forget the graph."""
        self._kept = None

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        return (
            f"{self.manifold_in!r} -> {self.manifold_out!r}, normalization={self.normalization!r},"
            f" self_loops={self.self_loops}, cached={self.cached}"
        )


def pair(x: Tensor | Pair | list[Any]) -> tuple[Tensor, Tensor]:
    """Return (sources, targets), which are the same tensor in a graph of one set of nodes.

    Raises:
        ValueError: a pair without targets, which are the points that the sums belong to.
    """
    if isinstance(x, Tensor):
        return x, x
    source, target = x
    if target is None:
        raise ValueError("a pair of points needs those of the targets too, got None")
    return source, target


def sorted_edges(
    edge_index: Tensor, edge_weight: Tensor | None, size: tuple[int, int]
) -> tuple[EdgeIndex, Tensor | None]:
    """Return the edges sorted by target, and their weights in that order."""
    known = isinstance(edge_index, EdgeIndex)
    edges: Any = edge_index if known else EdgeIndex(edge_index, sparse_size=size)
    ordered, order = edges.sort_by("col")
    if edge_weight is not None and order is not None:
        edge_weight = edge_weight[order]
    return ordered.fill_cache_(), edge_weight
