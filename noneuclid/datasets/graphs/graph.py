"""An undirected graph as plain tensors, with its distances and its form for torch-geometric."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.sparse import csgraph
from torch import Tensor

PER_NODE = ("x", "y", "positions", "train_mask", "val_mask", "test_mask")


@dataclass(frozen=True, eq=False)
class Graph:
    """An undirected graph of n nodes, without loops and multiple edges.

    Attributes:
        edges: (E, 2) int64, unique rows u < v, sorted. Of a closure of WordNet u is the ancestor.
        num_nodes: n; a node need not have an edge.
        x: (n, F) features.
        y: (n,) int64 classes of the nodes, -1 where there is none; (1,) the class of the graph.
        train_mask: (n,) bool, True at the training nodes of the graph's public split.
        val_mask: (n,) bool, likewise its validation nodes.
        test_mask: (n,) bool, likewise its test nodes.
        positions: (n, D) the points that the edges were drawn from, or coordinates in degrees.
        names: n names of the nodes.
        name: Name of the graph.
        curvature_signs: The signs (-1, 0, 1) of the sectional curvatures of the spaces that the
            graph is known to be made of; empty where there is no such knowledge.

    Raises:
        ValueError: The edges or a column do not fit; ``make_graph`` mends edges.
    """

    edges: Tensor
    num_nodes: int
    x: Tensor | None = None
    y: Tensor | None = None
    train_mask: Tensor | None = None
    val_mask: Tensor | None = None
    test_mask: Tensor | None = None
    positions: Tensor | None = None
    names: tuple[str, ...] | None = None
    name: str = ""
    curvature_signs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        edges, n = self.edges, self.num_nodes
        if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype != torch.int64:
            raise ValueError(f"edges must be (E, 2) int64, got {tuple(edges.shape)} {edges.dtype}")
        if len(edges) and not edges.is_meta:
            low, high = int(edges.min()), int(edges.max())
            if low < 0 or high >= n:
                raise ValueError(f"edges must be in 0..{n - 1}, got {low}..{high}")
            keys = edges[:, 0] * n + edges[:, 1]
            if not bool((edges[:, 0] < edges[:, 1]).all() & (keys[1:] > keys[:-1]).all()):
                raise ValueError("edges must be sorted, unique rows u < v: use make_graph")
        for name in (*PER_NODE, "names"):
            column = getattr(self, name)
            whole = name == "y" and column is not None and len(column) == 1
            if column is not None and len(column) != n and not whole:
                raise ValueError(f"{name} must have {n} rows, one per node, got {len(column)}")

    def __repr__(self) -> str:
        """Give the sizes, not the tensors."""
        parts = [f"{self.num_nodes} nodes", f"{self.num_edges} edges"]
        if self.x is not None:
            parts.append(f"{self.x.shape[1]} features")
        if self.y is not None:
            parts.append(f"{self.num_classes} classes")
        return f"Graph({self.name or 'unnamed'}: {', '.join(parts)})"

    @property
    def num_edges(self) -> int:
        """The number of undirected edges."""
        return len(self.edges)

    @property
    def num_classes(self) -> int:
        """The number of classes of ``y``, 0 without ``y``."""
        return 0 if self.y is None or not len(self.y) else int(self.y.max()) + 1

    @property
    def edge_index(self) -> Tensor:
        """(2, 2E) both directions of each edge, as torch-geometric takes them."""
        return torch.cat([self.edges, self.edges.flip(1)]).T.contiguous()

    @property
    def degrees(self) -> Tensor:
        """(n,) int64 number of neighbours of each node."""
        return torch.bincount(self.edges.reshape(-1).cpu(), minlength=self.num_nodes)

    def adjacency(self) -> sparse.csr_array:
        """Give the symmetric (n, n) float64 matrix with 1 at each edge."""
        source, target = self.edge_index.cpu().numpy()
        shape = (self.num_nodes, self.num_nodes)
        return sparse.csr_array((np.ones(len(source)), (source, target)), shape=shape)

    def distances(self, sources: Tensor | None = None) -> Tensor:
        """Count the edges of the shortest paths from each source to each node.

        Args:
            sources: (S,) nodes to start from; all where it is left out.

        Returns:
            (S, n) float32; inf between components. A row takes O((n + E) log n) time.
        """
        start = torch.arange(self.num_nodes) if sources is None else sources.reshape(-1).cpu()
        if not len(start) or not self.num_nodes:
            return torch.zeros(len(start), self.num_nodes)
        adjacency = self.adjacency()
        rows = torch.empty(len(start), self.num_nodes)
        for first in range(0, len(start), 1024):  # scipy's answer is float64: not whole at once
            chunk = start[first : first + 1024].numpy()
            found = csgraph.dijkstra(adjacency, indices=chunk, unweighted=True)
            rows[first : first + 1024] = torch.from_numpy(found)
        return rows

    def with_edges(self, edges: Tensor) -> "Graph":
        """Take other edges, given in any order and direction, and keep the nodes."""
        return replace(self, edges=unique_edges(edges, self.num_nodes))

    def subgraph(self, nodes: Tensor | Sequence[int]) -> "Graph":
        """Keep some nodes, in the order given, and the edges between them.

        Args:
            nodes: Positions without repeats, or an (n,) mask.
        """
        chosen = torch.as_tensor(nodes)
        chosen = chosen.nonzero()[:, 0] if chosen.dtype == torch.bool else chosen.to(torch.int64)
        if len(chosen.unique()) != len(chosen):
            raise ValueError("the nodes of a subgraph must not repeat")
        number = torch.full((self.num_nodes,), -1)
        number[chosen] = torch.arange(len(chosen))
        edges = number[self.edges]
        columns: dict[str, Any] = {
            name: column[chosen]
            for name in PER_NODE
            if (column := getattr(self, name)) is not None and len(column) == self.num_nodes
        }
        if self.names is not None:
            columns["names"] = tuple(self.names[i] for i in chosen.tolist())
        edges = unique_edges(edges[(edges >= 0).all(1)], len(chosen))
        return replace(self, edges=edges, num_nodes=len(chosen), **columns)

    def largest_component(self) -> "Graph":
        """Keep the connected component with the most nodes, in their order."""
        if not self.num_nodes:
            return self
        _, component = csgraph.connected_components(self.adjacency(), directed=False)
        return self.subgraph(torch.from_numpy(component == np.bincount(component).argmax()))

    def to(self, device: torch.device | str) -> "Graph":
        """Move every tensor to a device."""
        moved: dict[str, Any] = {}
        for field in fields(self):
            if isinstance(column := getattr(self, field.name), Tensor):
                moved[field.name] = column.to(device)
        return replace(self, **moved)

    def to_data(self) -> Any:
        """Build torch-geometric's ``Data``: both directions of each edge, ``positions`` as ``pos``.

        Raises:
            ImportError: torch-geometric is not installed (``noneuclid[graphs]``).
        """
        columns = {name: getattr(self, name) for name in PER_NODE}
        columns["pos"] = columns.pop("positions")
        present = {name: column for name, column in columns.items() if column is not None}
        data = _data_class()(edge_index=self.edge_index, **present)
        data.num_nodes = self.num_nodes
        return data

    @classmethod
    def from_data(cls, data: Any, name: str = "") -> "Graph":
        """Read torch-geometric's ``Data``; directions, loops and repeats of edges are dropped."""
        names = {column: column for column in PER_NODE} | {"positions": "pos"}
        columns = {
            ours: value for ours, theirs in names.items() if (value := data.get(theirs)) is not None
        }
        return make_graph(data.edge_index.T, int(data.num_nodes), name=name, **columns)


def make_graph(edges: Any, num_nodes: int, **columns: Any) -> Graph:
    """Build a graph from edges in any order and direction; loops and repeats are dropped.

    Args:
        edges: (E, 2) integers, as a tensor, an array or pairs.
        num_nodes: n.
        columns: Further attributes of ``Graph``.
    """
    if not isinstance(edges, Tensor):
        edges = torch.from_numpy(np.array(edges, dtype=np.int64).reshape(-1, 2))
    return Graph(edges=unique_edges(edges, num_nodes), num_nodes=num_nodes, **columns)


def unique_edges(edges: Tensor, num_nodes: int) -> Tensor:
    """Turn (E, 2) pairs into sorted unique rows u < v; loops are dropped.

    Raises:
        ValueError: An end is not in 0..n-1.
    """
    edges = edges.to(torch.int64)
    if len(edges) and not 0 <= int(edges.min()) <= int(edges.max()) < num_nodes:
        raise ValueError(
            f"edges must be in 0..{num_nodes - 1}, got {int(edges.min())}..{int(edges.max())}"
        )
    edges = edges[edges[:, 0] != edges[:, 1]]
    keys = torch.unique(edges.amin(1) * num_nodes + edges.amax(1))
    return torch.stack([keys // max(num_nodes, 1), keys % max(num_nodes, 1)], dim=1)


def _data_class() -> Any:
    try:
        from torch_geometric.data import Data
    except ImportError as error:
        raise ImportError(
            "torch-geometric is not installed: pip install 'noneuclid[graphs]'"
        ) from error
    return Data
