"""Sarkar's construction: lengths, angles, the distortion aimed at, what is no tree."""

import math

import networkx as nx
import pytest
import torch

import noneuclid as ne
from noneuclid.metrics import embedding_distortion, graph_distances, reconstruction
from noneuclid.models.embeddings import edge_length, sarkar_embedding

PLANES = [ne.PoincareBall(2), ne.Lorentz(2), ne.Lorentz(2, -2.0)]


def listed(tree):
    return torch.tensor(list(tree.edges)).reshape(-1, 2), len(tree)


@pytest.mark.parametrize("plane", PLANES, ids=str)
@pytest.mark.parametrize("root", [0, 7])
@pytest.mark.parametrize("length", [0.3, 2.0])
def test_edges_have_one_length_and_part_at_equal_angles(plane, root, length):
    tree = nx.random_labeled_tree(14, seed=5)
    x = sarkar_embedding(*listed(tree), plane, root=root, length=length)
    unit = (-float(plane.curvature)) ** -0.5
    for node in tree:
        near = sorted(tree[node])
        to = plane.logmap(x[node].expand(len(near), -1), x[near])
        expected = torch.full((len(near),), length * unit, dtype=torch.float64)
        torch.testing.assert_close(plane.norm(x[node], to), expected)
        cosines = plane.inner(x[node], to[:, None], to[None]) / (length * unit) ** 2
        for row in cosines:
            k = torch.arange(len(near), dtype=torch.float64)
            wanted = torch.cos(2 * math.pi * k / len(near)).sort().values
            torch.testing.assert_close(row.sort().values, wanted, rtol=0, atol=1e-9)
    assert plane.dist0(x[root]) == 0


@pytest.mark.parametrize(("branching", "depth"), [(2, 5), (3, 3), (7, 2)])
@pytest.mark.parametrize("distortion", [1.2, 1.5, 3.0])
def test_the_distortion_aimed_at_is_kept(branching, depth, distortion):
    edges, nodes = listed(nx.balanced_tree(branching, depth))
    plane = ne.Lorentz(2)
    x = sarkar_embedding(edges, nodes, plane, distortion=distortion)
    steps = graph_distances(edges, nodes).double()
    length = edge_length(branching + 1, distortion)
    found = embedding_distortion(plane, x, steps * length)
    assert 1 + 0.2 * (distortion - 1) < found.worst <= distortion + 1e-9
    precision = reconstruction(plane, x, edges).mean_average_precision
    assert precision == 1


def test_paths_are_straight_at_any_length():
    edges, nodes = listed(nx.path_graph(7))
    plane = ne.Lorentz(2)
    x = sarkar_embedding(edges, nodes, plane, root=3, length=9.0)
    torch.testing.assert_close(plane.dist(x[0], x[6]), torch.tensor(54.0).double())
    assert edge_length(2, 1.1) == 1


def test_single_nodes():
    plane = ne.PoincareBall(2)
    none = torch.zeros(0, 2, dtype=torch.int64)
    assert sarkar_embedding(none, 1, plane).tolist() == [[0, 0]]
    pair = sarkar_embedding(torch.tensor([[1, 0]]), 2, plane, length=2.0)
    assert float(plane.dist(pair[0], pair[1])) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"edges": torch.tensor([[0, 1], [1, 2], [2, 0]])}, "cut off"),
        ({"edges": torch.tensor([[0, 1], [0, 1], [2, 3]])}, "cut off"),
        ({"edges": torch.tensor([[0, 1], [0, 9], [2, 3]])}, "0 to 3"),
        ({"edges": torch.zeros(3, 2)}, "integers"),
        ({"root": 4}, "root"),
        ({"length": 0.0}, "length"),
        ({"length": 20.0}, "float64"),
        ({"distortion": 1.0}, "distortion"),
        ({"manifold": ne.Lorentz(3)}, "plane"),
    ],
)
def test_bad_input(arguments, words):
    usual = {"edges": torch.tensor([[0, 1], [0, 2], [0, 3]]), "manifold": ne.PoincareBall(2)}
    if "length" in arguments:
        usual["edges"] = torch.tensor([[0, 1], [0, 2], [0, 3], [3, 4]])
    given = usual | arguments
    with pytest.raises(ValueError, match=words):
        sarkar_embedding(given.pop("edges"), 4 + ("length" in arguments), **given)
