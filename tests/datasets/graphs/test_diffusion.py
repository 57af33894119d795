"""Diffusions against dense inverses and exponentials, exact and by walks with a bound."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from noneuclid.datasets.graphs import (
    Graph,
    balanced_tree,
    barabasi_albert,
    heat_kernel,
    make_graph,
    personalized_pagerank,
)

GRAPH = make_graph(barabasi_albert(150, 2).edges, 152)  # two nodes have no edge


def normalized(graph: Graph, self_loops: bool) -> tuple[np.ndarray, np.ndarray]:
    a = graph.adjacency().toarray() + self_loops * np.eye(graph.num_nodes)
    d = a.sum(1)
    root = np.where(d > 0, 1 / np.sqrt(np.where(d > 0, d, 1)), 0)
    return root[:, None] * a * root, d


def matrix(found: tuple[torch.Tensor, torch.Tensor], n: int) -> np.ndarray:
    (source, target), weight = found
    result = torch.zeros(n, n)
    result[target, source] = weight
    return result.double().numpy()


def pagerank(t: np.ndarray, alpha: float) -> np.ndarray:
    return alpha * np.linalg.inv(np.eye(len(t)) - (1 - alpha) * t)


def heat(t: np.ndarray, time: float) -> np.ndarray:
    return expm(time * (t - np.eye(len(t))))


CASES = [
    (personalized_pagerank, pagerank, 0.2, 1 / 0.2),
    (personalized_pagerank, pagerank, 0.5, 1 / 0.5),
    (heat_kernel, heat, 5.0, 6.0),
    (heat_kernel, heat, 0.5, 1.5),
]


@pytest.mark.parametrize("self_loops", [False, True])
@pytest.mark.parametrize(("diffuse", "formula", "value", "factor"), CASES)
def test_exact_rows_are_those_of_the_formula(diffuse, formula, value, factor, self_loops) -> None:
    t, _ = normalized(GRAPH, self_loops)
    found = diffuse(GRAPH, value, top=None, exact=True, self_loops=self_loops)
    np.testing.assert_allclose(matrix(found, 152), formula(t, value), atol=1e-6)


@pytest.mark.parametrize("self_loops", [False, True])
@pytest.mark.parametrize("accuracy", [1e-3, 1e-5])
@pytest.mark.parametrize(("diffuse", "formula", "value", "factor"), CASES)
def test_walks_keep_their_bound(diffuse, formula, value, factor, accuracy, self_loops) -> None:
    t, d = normalized(GRAPH, self_loops)
    found = diffuse(GRAPH, value, top=None, exact=False, accuracy=accuracy, self_loops=self_loops)
    lacking = (formula(t, value) - matrix(found, 152)) / np.sqrt(np.outer(d, d).clip(1))
    assert lacking.min() > -1e-7
    assert lacking.max() <= factor * accuracy + 1e-7
    if accuracy == 1e-3:
        assert lacking.max() > 1e-5  # something was dropped
        assert len(found[1]) < 152**2 * 0.6


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("diffuse", [personalized_pagerank, heat_kernel])
def test_the_largest_entries_are_kept(diffuse, exact) -> None:
    whole = matrix(diffuse(GRAPH, top=None, exact=exact, accuracy=1e-6), 152)
    edge_index, weight = diffuse(GRAPH, top=8, exact=exact, accuracy=1e-6)
    source, target = edge_index
    assert edge_index.dtype == torch.int64
    assert target.equal(target.sort(stable=True).values)
    assert (target.bincount(minlength=152)[:150] == 8).all()
    assert target.bincount()[150:].tolist() == [1, 1]
    kept = matrix((edge_index, weight), 152)
    for row, cut in zip(whole[:150], kept[:150], strict=True):
        np.testing.assert_allclose(np.sort(cut)[-8:], np.sort(row)[-8:], rtol=1e-5)
    rows = torch.arange(1216).reshape(152, 8)[:150]
    assert (source[rows].diff(dim=1) > 0).all()  # places in order


@pytest.mark.parametrize("exact", [True, False])
def test_some_rows_are_those_of_all(exact: bool) -> None:
    chosen = torch.tensor([149, 3, 151])
    (source, target), weight = personalized_pagerank(GRAPH, sources=chosen, exact=exact)
    edges, all_weights = personalized_pagerank(GRAPH, exact=exact)
    for node in chosen:
        mine, theirs = target == node, edges[1] == node
        assert source[mine].equal(edges[0][theirs])
        torch.testing.assert_close(weight[mine], all_weights[theirs])
    assert target.unique_consecutive().tolist() == chosen.tolist()
    assert personalized_pagerank(GRAPH, sources=chosen[:0], exact=exact)[0].shape == (2, 0)


def test_limits() -> None:
    tree = balanced_tree(2, 3)
    for found in (personalized_pagerank(tree, 1.0), heat_kernel(tree, 0.0)):
        assert matrix(found, 15).tolist() == np.eye(15).tolist()
    stay = matrix(heat_kernel(tree, 400.0, top=None), 15)
    root = tree.degrees.double().sqrt().numpy()
    even = np.outer(root, root) / (root**2).sum()
    side = tree.distances(torch.tensor([0]))[0].numpy() % 2
    assert np.abs(stay - even).max() < 1e-3
    assert side.any()


def test_wrong_numbers_are_refused() -> None:
    for alpha in (0.0, 1.5):
        with pytest.raises(ValueError, match=r"alpha must be in \(0, 1\]"):
            personalized_pagerank(GRAPH, alpha)
    with pytest.raises(ValueError, match="t must be finite"):
        heat_kernel(GRAPH, -1.0)
    for diffuse in (heat_kernel, personalized_pagerank):
        for wrong in ({"top": 0}, {"accuracy": 0.0}, {"accuracy": 1.0}):
            with pytest.raises(ValueError, match=r"top must be positive and accuracy in \(0, 1\)"):
                diffuse(GRAPH, **wrong)
