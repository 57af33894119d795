"""The container: what it accepts, distances, parts of it, its form for torch-geometric."""

import math

import pytest
import torch

from noneuclid.datasets.graphs import Graph, cycle, make_graph, ring_of_trees


def test_make_graph_mends_edges() -> None:
    graph = make_graph([(3, 1), (1, 3), (2, 2), (0, 1)], 5)
    assert graph.edges.tolist() == [[0, 1], [1, 3]]
    assert graph.degrees.tolist() == [1, 2, 0, 1, 0]
    assert graph.edge_index.tolist() == [[0, 1, 1, 3], [1, 3, 0, 1]]
    assert repr(graph) == "Graph(unnamed: 5 nodes, 2 edges)"


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (torch.tensor([[1, 0]]), "sorted, unique rows u < v"),
        (torch.tensor([[0, 1], [0, 1]]), "sorted, unique"),
        (torch.tensor([[1, 2], [0, 1]]), "sorted, unique"),
        (torch.tensor([[0, 9]]), r"in 0\.\.3, got 0\.\.9"),
        (torch.tensor([[-1, 2]]), r"got -1\.\.2"),
        (torch.tensor([[0.0, 1.0]]), "int64"),
        (torch.tensor([0, 1]), r"\(E, 2\)"),
    ],
)
def test_wrong_edges_are_refused(edges: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph(edges, 4)


def test_wrong_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="x must have 10 rows, one per node, got 3"):
        make_graph(cycle().edges, 10, x=torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"in 0\.\.9, got 0\.\.10"):
        make_graph([(0, 10)], 10)


def test_distances_count_edges() -> None:
    graph = make_graph([(0, 1), (1, 2), (2, 3), (0, 3), (3, 4)], 6)
    inf = math.inf
    rows = [[0, 1, 2, 1, 2, inf], [2, 3, 2, 1, 0, inf], [inf] * 5 + [0]]
    assert graph.distances(torch.tensor([0, 4, 5])).tolist() == rows
    whole = graph.distances()
    assert whole.shape == (6, 6)
    assert whole.equal(whole.T)
    assert make_graph([], 3).distances().tolist() == [[0, inf, inf], [inf, 0, inf], [inf, inf, 0]]
    assert make_graph([], 0).distances().shape == (0, 0)


def test_subgraph_keeps_the_order_given() -> None:
    graph = make_graph([(0, 1), (1, 2), (2, 3)], 4, y=torch.arange(4), names=tuple("abcd"))
    part = graph.subgraph([3, 1, 2])
    assert part.names == ("d", "b", "c")
    assert part.y.tolist() == [3, 1, 2]
    assert part.edges.tolist() == [[0, 2], [1, 2]]
    assert graph.subgraph(torch.tensor([True, True, False, True])).edges.tolist() == [[0, 1]]
    with pytest.raises(ValueError, match="must not repeat"):
        graph.subgraph([1, 1])


def test_largest_component() -> None:
    edges = [(0, 5), (1, 2), (2, 3)]
    graph = make_graph(edges, 6, names=tuple("abcdef"))
    assert graph.largest_component().names == ("b", "c", "d")
    assert make_graph([], 0).largest_component().num_nodes == 0


def test_data_round_trip() -> None:
    pytest.importorskip("torch_geometric")
    mask = torch.arange(80) < 9
    graph = make_graph(
        ring_of_trees().edges, 80, x=torch.randn(80, 3), y=torch.arange(80) % 4,
        positions=torch.randn(80, 2), test_mask=mask, name="ring",
    )  # fmt: skip
    data = graph.to_data()
    assert data.num_nodes == 80
    assert data.is_undirected()
    assert not data.has_self_loops()
    assert data.pos.equal(graph.positions)
    again = Graph.from_data(data, name="ring")
    assert again.edges.equal(graph.edges)
    assert again.test_mask.equal(mask)
    assert again.train_mask is None
    assert again.positions.equal(graph.positions)


def test_a_graph_moves_whole() -> None:
    graph = make_graph(cycle().edges, 10, x=torch.randn(10, 2)).to("meta")
    assert graph.x.device.type == graph.edges.device.type == "meta"
