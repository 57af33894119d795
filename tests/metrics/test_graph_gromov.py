"""Delta of graphs by pairs far apart, against the dense search; distances of graphs."""

import networkx as nx
import pytest
import torch

from noneuclid.metrics import graph_distances, graph_gromov, graph_gromov_delta, gromov_delta


@pytest.fixture(params=["compiled", "numpy"])
def way(request, monkeypatch):
    """Search by the compiled function, and by numpy."""
    if request.param == "numpy":
        monkeypatch.setattr(graph_gromov, "has_far_pairs", lambda dtype: False)
    elif not graph_gromov.has_far_pairs(torch.float32):
        pytest.skip("no C compiler")


def listed(graph):
    graph = nx.convert_node_labels_to_integers(graph)
    return torch.tensor(list(graph.edges)).reshape(-1, 2), len(graph)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("k", [1, 2, 5])
def test_cycles_and_trees(k):
    assert graph_gromov_delta(*listed(nx.cycle_graph(4 * k))) == k
    assert graph_gromov_delta(*listed(nx.balanced_tree(k, 3))) == 0


@pytest.mark.usefixtures("way")
def test_grid():
    assert graph_gromov_delta(*listed(nx.grid_2d_graph(6, 9))) == 5


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("seed", range(12))
def test_it_is_that_of_the_dense_search(seed):
    graph = nx.gnm_random_graph(26, 30 + 2 * seed, seed=seed)
    edges, nodes = listed(graph.subgraph(max(nx.connected_components(graph), key=len)))
    assert graph_gromov_delta(edges, nodes) == gromov_delta(graph_distances(edges, nodes))
    weights = torch.rand(len(edges), dtype=torch.float64) + 0.1
    expected = float(gromov_delta(graph_distances(edges, nodes, weights)))
    assert graph_gromov_delta(edges, nodes, weights) == pytest.approx(expected, abs=1e-12)


@pytest.mark.usefixtures("way")
def test_the_search_ends_early(monkeypatch):
    seen = []
    take = graph_gromov.FarPairs.take
    monkeypatch.setattr(graph_gromov, "_CHUNK", 4)
    monkeypatch.setattr(graph_gromov.FarPairs, "take", lambda *a: seen.append(a) or take(*a))
    edges, nodes = listed(nx.cycle_graph(40))
    assert graph_gromov_delta(edges, nodes, progress=True) == 10
    assert len(seen) <= 5


def test_single_nodes():
    assert graph_gromov_delta(torch.zeros(0, 2, dtype=torch.int64), 1) == 0
    assert graph_gromov_delta(torch.tensor([[0, 1]]), 2) == 0


def test_graph_distances():
    edges, weights = torch.tensor([[0, 1], [1, 2], [0, 2]]), torch.tensor([1.0, 1.5, 4.0])
    steps = graph_distances(edges, 4)
    assert steps.dtype == torch.float32
    assert steps[0].tolist() == [0, 1, 1, torch.inf]
    lengths = graph_distances(edges, 4, weights)
    assert lengths.dtype == torch.float64
    assert lengths[0].tolist() == [0, 1, 2.5, torch.inf]
    assert (lengths == lengths.mT).all()


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([[0, 1, 2]], "integers"),
        ([[0.0, 1.0]], "integers"),
        ([[0, 3]], "0 to 2"),
        ([[-1, 0]], "0 to 2"),
        ([[1, 1]], "loops"),
        ([[0, 1], [1, 0]], "once"),
    ],
)
def test_bad_edges(edges, words):
    with pytest.raises(ValueError, match=words):
        graph_distances(torch.tensor(edges), 3)


@pytest.mark.parametrize(
    ("weights", "words"), [([1.0, 1.0], "shape"), ([0.0], "positive"), ([torch.nan], "positive")]
)
def test_bad_weights(weights, words):
    with pytest.raises(ValueError, match=words):
        graph_distances(torch.tensor([[0, 1]]), 2, torch.tensor(weights))


def test_graphs_in_pieces_are_refused():
    with pytest.raises(ValueError, match="connected"):
        graph_gromov_delta(torch.tensor([[0, 1]]), 3)
