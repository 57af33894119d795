"""Curvatures of graphs: values known in closed form, the definitions read aloud, signs, errors."""

import itertools

import networkx as nx
import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from noneuclid.metrics import (
    forman_curvature,
    graph_distances,
    ollivier_curvature,
    sample_sectional_curvature,
    sectional_curvature,
)


def listed(graph):
    graph = nx.convert_node_labels_to_integers(graph)
    return torch.tensor(list(graph.edges)).reshape(-1, 2), len(graph)


def sectional(graph):
    edges, nodes = listed(graph)
    return sectional_curvature(edges, graph_distances(edges, nodes))


# -- sectional -------------------------------------------------------------------------------------


def test_lines_are_flat():
    assert (sectional(nx.path_graph(9)) == 0).all()


@pytest.mark.parametrize("half", [2, 3, 6])
def test_even_cycles(half):
    """Only the antipode sees curvature, and sees 1."""
    expected = torch.full((2 * half,), 1 / (2 * half - 1), dtype=torch.float64)
    torch.testing.assert_close(sectional(nx.cycle_graph(2 * half)), expected)


def test_odd_cycles():
    """The two nodes opposite see 1/2 + 1/(4k) each on a cycle of 2 k + 1."""
    expected = torch.full((7,), 2 * (1 / 2 + 1 / 12) / 6, dtype=torch.float64)
    torch.testing.assert_close(sectional(nx.cycle_graph(7)), expected)


@pytest.mark.parametrize("leaves", [2, 3, 5])
def test_stars(leaves):
    """At the centre a third leaf sees -1: (leaves - 2) of the leaves do."""
    found = sectional(nx.star_graph(leaves))
    assert float(found[0]) == pytest.approx(-(leaves - 2) / leaves)
    assert (found[1:] == 0).all()


def test_trees_are_negative_and_a_sphere_is_positive():
    assert (sectional(nx.balanced_tree(3, 3)) <= 0).all()
    assert (sectional(nx.icosahedral_graph()) > 0).all()
    assert (sectional(nx.octahedral_graph()) > 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_mean_is_that_over_all_triangles(seed):
    edges, nodes = listed(nx.gnm_random_graph(14, 20, seed=seed))  # some nodes are cut off
    d = graph_distances(edges, nodes).double()
    neighbors = [set() for _ in range(nodes)]
    for u, v in edges.tolist():
        neighbors[u].add(v)
        neighbors[v].add(u)
    found = sectional_curvature(edges, d)
    for m in range(nodes):
        others = [a for a in range(nodes) if a != m and d[a, m].isfinite()]
        pairs = itertools.combinations(neighbors[m], 2)
        values = [
            (d[a, m] ** 2 + d[b, c] ** 2 / 4 - (d[a, b] ** 2 + d[a, c] ** 2) / 2) / (2 * d[a, m])
            for b, c in pairs
            for a in others
        ]
        expected = float(torch.stack(values).mean()) if values else 0.0
        assert float(found[m]) == pytest.approx(expected, abs=1e-12)


def test_samples_have_the_mean_of_the_nodes(generator):
    edges, nodes = listed(nx.gnm_random_graph(14, 20, seed=1))
    d = graph_distances(edges, nodes)
    found = sample_sectional_curvature(edges, d, 20_000, generator=generator)
    degree = edges.flatten().bincount(minlength=nodes)
    expected = sectional_curvature(edges, d)[degree > 1].mean()
    # every node has as many samples: nodes cut off are drawn again
    assert float(found.mean()) == pytest.approx(float(expected), abs=5 * float(found.std()) / 141)
    assert found.isfinite().all()


def test_sectional_errors(generator):
    edges, nodes = listed(nx.path_graph(2))
    d = graph_distances(edges, nodes)
    with pytest.raises(ValueError, match="two neighbours"):
        sample_sectional_curvature(edges, d, 10)
    with pytest.raises(ValueError, match=r"\(n, n\)"):
        sectional_curvature(edges, torch.zeros(2, 3))


# -- Forman ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("graph", "plain", "augmented", "balanced"),
    [
        (nx.cycle_graph(3), 0, 3, 3 / 2),
        (nx.cycle_graph(4), 0, 0, 1),
        (nx.cycle_graph(5), 0, 0, 0),
        (nx.cycle_graph(9), 0, 0, 0),
        (nx.complete_graph(5), -4, 5, 5 / 4),
        (nx.complete_graph(8), -10, 8, 8 / 7),
        (nx.grid_2d_graph(5, 5, periodic=True), -4, -4, 0),
        (nx.petersen_graph(), -2, -2, 2 / 3 + 2 / 3 - 2),
        (nx.star_graph(4), -1, -1, 0),
    ],
    ids=str,
)
def test_forman_known_values(graph, plain, augmented, balanced):
    """Of [topping2022understanding] table 1, and by degrees."""
    edges, nodes = listed(graph)
    for kind, value in (("plain", plain), ("augmented", augmented), ("balanced", balanced)):
        found = forman_curvature(edges, nodes, kind)
        torch.testing.assert_close(found, torch.full((len(edges),), value, dtype=torch.float64))


def test_balanced_forman_inside_a_tree():
    edges, nodes = listed(nx.balanced_tree(3, 4))
    found = forman_curvature(edges, nodes, "balanced")
    inner = [k for k, (u, v) in enumerate(edges.tolist()) if u > 0 and v < nodes - 3**4]
    assert len(inner) > 5
    torch.testing.assert_close(found[inner], torch.full((len(inner),), 4 / 4 - 2).double())


@pytest.mark.parametrize("seed", range(4))
def test_balanced_forman_bounds_ollivier(seed):
    edges, nodes = listed(nx.gnm_random_graph(16, 40, seed=seed))
    balanced = forman_curvature(edges, nodes, "balanced")
    degree = edges.flatten().bincount(minlength=nodes)
    low = degree[edges].amin(-1)
    assert (ollivier_curvature(edges, nodes) >= balanced / 2 - 1e-9)[low > 1].all()


# -- Ollivier --------------------------------------------------------------------------------------


@pytest.mark.parametrize("idleness", [0.0, 0.5])
@pytest.mark.parametrize("n", [3, 6])
def test_complete_graphs(n, idleness):
    edges, nodes = listed(nx.complete_graph(n))
    other = (1 - idleness) / (n - 1)
    expected = torch.full((len(edges),), 1 - abs(idleness - other), dtype=torch.float64)
    torch.testing.assert_close(ollivier_curvature(edges, nodes, idleness=idleness), expected)


def test_long_cycles_grids_and_trees():
    for graph in (nx.cycle_graph(8), nx.grid_2d_graph(6, 6, periodic=True)):
        found = ollivier_curvature(*listed(graph), progress=True)
        torch.testing.assert_close(found, torch.zeros_like(found))
    edges, nodes = listed(nx.balanced_tree(2, 4))
    found = ollivier_curvature(edges, nodes, idleness=0.0)
    inner = [k for k, (u, v) in enumerate(edges.tolist()) if u > 0 and v < nodes - 2**4]
    expected = torch.full((len(inner),), 2 / 3 + 2 / 3 - 2, dtype=torch.float64)
    torch.testing.assert_close(found[inner], expected)


@pytest.mark.parametrize("variables", [1, 60, 20_000])
def test_transport_is_that_of_the_whole_measures(variables, monkeypatch):
    """Against one linear program for each edge that moves all the mass."""
    monkeypatch.setattr("noneuclid.metrics.ricci_curvature._VARIABLES", variables)
    edges, nodes = listed(nx.gnm_random_graph(12, 24, seed=2))
    d = graph_distances(edges, nodes).numpy()
    finite = np.where(np.isfinite(d), d, 99)
    adjacent = (d == 1).astype(float)
    measures = 0.5 * np.eye(nodes) + 0.5 * adjacent / np.maximum(adjacent.sum(1, keepdims=True), 1)
    rows, columns = np.kron(np.eye(nodes), np.ones(nodes)), np.kron(np.ones(nodes), np.eye(nodes))
    expected = [
        1 - linprog(finite.ravel(), A_eq=[*rows, *columns], b_eq=[*measures[u], *measures[v]]).fun
        for u, v in edges.tolist()
    ]
    found = ollivier_curvature(edges, nodes)
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9
    )


def test_a_single_edge_and_none():
    assert ollivier_curvature(torch.tensor([[0, 1]]), 2).tolist() == [1.0]
    none = torch.zeros(0, 2, dtype=torch.int64)
    assert ollivier_curvature(none, 3).shape == forman_curvature(none, 3).shape == (0,)


def test_ricci_errors():
    with pytest.raises(ValueError, match="kind"):
        forman_curvature(torch.tensor([[0, 1]]), 2, "ricci")
    with pytest.raises(ValueError, match="idleness"):
        ollivier_curvature(torch.tensor([[0, 1]]), 2, idleness=1.0)
    with pytest.raises(ValueError, match="loops"):
        forman_curvature(torch.tensor([[0, 0]]), 2)
