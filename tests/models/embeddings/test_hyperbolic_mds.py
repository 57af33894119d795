"""Hyperbolic MDS gives exact distances back, and says what it cannot do."""

import networkx as nx
import pytest
import torch

import noneuclid as ne
from noneuclid.metrics import distortion, graph_distances
from noneuclid.models.embeddings import hyperbolic_mds


@pytest.mark.parametrize("signature", ["H3", "H3(-0.3)", "B3", "B3(-4)", "K3(-0.5)"])
@pytest.mark.parametrize("room", [0, 2])
def test_points_are_found_again(signature, room):
    manifold = ne.manifold(signature)
    x = manifold.random(30, dtype=torch.float64)
    larger = manifold.like(3 + room)
    found = hyperbolic_mds(manifold.cdist(x, x), larger)
    torch.testing.assert_close(larger.cdist(found, found), manifold.cdist(x, x), atol=1e-6, rtol=0)


def test_more_dimensions_fit_a_tree_better():
    tree = nx.balanced_tree(2, 4)
    d = 0.8 * graph_distances(torch.tensor(list(tree.edges)), len(tree)).double()
    fits = []
    for dim in (2, 5, 15):
        space = ne.Lorentz(dim)
        x = hyperbolic_mds(d, space)
        fits.append(float(distortion(space.cdist(x, x), d).average))
    assert fits == sorted(fits, reverse=True)
    assert fits[-1] < 0.1 < fits[0]


def test_few_points():
    plane = ne.Lorentz(2)
    assert hyperbolic_mds(torch.zeros(0, 0), plane).shape == (0, 3)
    assert hyperbolic_mds(torch.zeros(1, 1), plane).tolist() == [[1, 0, 0]]
    pair = hyperbolic_mds(torch.tensor([[0.0, 3.0], [3.0, 0.0]]), plane)
    assert float(plane.dist(pair[0], pair[1])) == pytest.approx(3.0)
    same = hyperbolic_mds(torch.zeros(4, 4), plane)
    assert plane.cdist(same, same).max() < 1e-6


def test_bad_input():
    for manifold in (ne.Sphere(2), ne.Euclidean(2), ne.manifold("H2 x H2")):
        with pytest.raises(TypeError, match="hyperbolic space"):
            hyperbolic_mds(torch.zeros(3, 3), manifold)
    with pytest.raises(ValueError, match=r"\(3, 2\)"):
        hyperbolic_mds(torch.zeros(3, 2), ne.Lorentz(2))
