"""The leak tests: every floor passes, and each known kind of leak is found."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from noneuclid.datasets.graphs import (
    Graph,
    LeakError,
    Links,
    LinkSplit,
    LinkTraining,
    NodeSplit,
    NodeTraining,
    check_link_leak,
    check_node_leak,
    link_floors,
    link_split,
    make_graph,
    node_floors,
    us_airports,
)
from noneuclid.datasets.graphs.floors_for_links import katz

pytest.importorskip("sklearn")


@pytest.mark.parametrize("name", link_floors(us_airports()))
def test_floors_for_links_get_chance(name: str) -> None:
    repeats = 1 if "boosted" in name else 3
    result = check_link_leak(link_floors(us_airports())[name], repeats=repeats)
    assert result["error"] < 0.019
    assert abs(result["auc"] - 0.5) <= 4 * result["error"]


@pytest.mark.parametrize("name", node_floors(us_airports()))
def test_floors_for_nodes_get_chance(name: str) -> None:
    repeats = 1 if "boosted" in name else 3
    result = check_node_leak(node_floors(us_airports())[name], repeats=repeats)
    assert result["error"] < 0.031


def both_directions(graph: Graph, seed: int) -> LinkSplit:
    """Cut a list that holds each edge twice: the reverse of a test edge is in training."""
    split = link_split(graph, seed)
    seen = torch.cat([split.training.graph.edges, split.test.positive[::2]])
    training = replace(split.training, graph=split.training.graph.with_edges(seen))
    return replace(split, training=training)


def features_of_all_edges(graph: Graph, seed: int) -> LinkSplit:
    """Compute a structural feature before the split, as curvature or diffusion often is."""
    split = link_split(graph, seed)
    adjacency = torch.from_numpy(graph.adjacency().toarray()).float()
    noise = torch.randn(adjacency.shape, generator=torch.Generator().manual_seed(seed))
    visible = replace(split.training.graph, x=adjacency + 2 * noise)
    return replace(split, training=replace(split.training, graph=visible))


def negatives_of_the_test(graph: Graph, seed: int) -> LinkSplit:
    """Train with the edges of the test among the pairs that are none."""
    split = link_split(graph, seed)
    links = split.training.links
    negative = torch.cat([links.negative, split.test.positive])
    shown = Links(links.positive, negative, links.matched)
    return replace(split, training=replace(split.training, links=shown))


def entry(training: LinkTraining) -> Callable[[Tensor], Tensor]:
    x = training.graph.x
    return lambda pairs: x[pairs[:, 0], pairs[:, 1]]


def memory(training: LinkTraining) -> Callable[[Tensor], Tensor]:
    n = training.graph.num_nodes
    scale = torch.tensor([n, 1])
    known = (training.links.negative * scale).sum(1)
    return lambda pairs: -torch.isin((pairs * scale).sum(1), known).double()


@pytest.mark.parametrize(
    ("split", "fit"),
    [
        (both_directions, katz),
        (features_of_all_edges, entry),
        (negatives_of_the_test, memory),
    ],
)
def test_leaks_between_edges_are_found(split: Callable, fit: Callable) -> None:
    check_link_leak(katz)
    check_link_leak(memory)
    with pytest.raises(LeakError, match=r"auc on random edges is 0\.\d+, \d+\.\d standard errors"):
        check_link_leak(fit, split=split)


def test_a_leak_of_labels_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def guess(training: NodeTraining) -> Tensor:
        y = training.graph.y
        return torch.nn.functional.one_hot(torch.where(y < 0, 0, y), 3).float()

    check_node_leak(guess)

    def shown(split: NodeSplit, graph: Graph) -> NodeTraining:
        noisy = torch.where(torch.arange(graph.num_nodes) % 4 == 0, graph.y, 0)
        return NodeTraining(
            make_graph(graph.edges, graph.num_nodes, y=noisy), split.train, split.validation, 3
        )

    monkeypatch.setattr(NodeSplit, "training", shown)
    with pytest.raises(LeakError, match=r"accuracy on random labels is 0\.\d+"):
        check_node_leak(guess)
