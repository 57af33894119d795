"""Signatures: which there are, their scale, what curvature suggests and what fitting finds."""

import networkx as nx
import pytest
import torch

import noneuclid as ne
from noneuclid.metrics import graph_distances
from noneuclid.models.embeddings import (
    estimate_signature,
    scaled_signature,
    search_signature,
    signatures,
)


def listed(graph):
    edges = torch.tensor(list(nx.convert_node_labels_to_integers(graph).edges))
    return edges, graph_distances(edges, len(graph))


@pytest.mark.parametrize("dim", [2, 3, 5, 6, 10, 11])
def test_all_have_the_dimension_asked_for(dim):
    found = signatures(dim)
    assert len(set(found)) == len(found) >= 3
    assert {ne.manifold(signature).dim for signature in found} == {dim}


def test_those_of_the_paper():
    assert {"E10", "H10*", "S10*", "H5* x H5*", "H5* x S5*"} <= set(signatures(10))
    assert "H2* x H2* x E2 x S2* x S2*" in signatures(10)


def test_scale():
    text = scaled_signature("H2* x S3 x E2 x K2(0)* x B2(-7)", 20.0)
    factors = ne.manifold(text).factors
    assert float(factors[0].curvature) == pytest.approx(-0.25)
    assert factors[0].curvature.learnable
    assert float(factors[1].curvature) == pytest.approx((torch.pi / 20) ** 2)
    assert not factors[1].curvature.learnable
    assert float(factors[4].curvature) == -7
    with pytest.raises(ValueError, match="diameter"):
        scaled_signature("H2", 0.0)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (nx.balanced_tree(3, 3), "H2* x H2*"),
        (nx.cycle_graph(12), "S2* x S2*"),
        (nx.path_graph(9), "E4"),
    ],
    ids=["tree", "cycle", "line"],
)
def test_estimates(graph, expected, generator):
    assert estimate_signature(*listed(graph), 4, samples=3000, generator=generator) == expected


def test_fitting_finds_the_space(generator):
    _, distances = listed(nx.cycle_graph(12))
    found = search_signature(distances, ["H2*", "S2*"], epochs=300, progress=False)
    assert found[0].signature == "S2*"
    values = [each.metrics["average_distortion"] for each in found]
    assert values == sorted(values)
    assert values[0] < 0.05 < values[1]


def test_bad_dimensions(generator):
    with pytest.raises(ValueError, match="dim"):
        signatures(1)
    with pytest.raises(ValueError, match="dim"):
        estimate_signature(*listed(nx.path_graph(4)), 1)
