"""Link splits: nothing of the test is to be seen, and pairs of the same degrees have them."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor

from noneuclid.datasets.graphs import (
    Graph,
    Links,
    LinkSplit,
    balanced_tree,
    barabasi_albert,
    cycle,
    erdos_renyi,
    grid,
    link_split,
    make_graph,
    us_airports,
)
from noneuclid.datasets.graphs.negatives import PairSampler

GRAPHS = [us_airports(), balanced_tree(3, 5), grid(6, 6, 6)]


def keys(pairs: Tensor, graph: Graph) -> set[int]:
    assert (pairs[:, 0] < pairs[:, 1]).all()
    found = set((pairs[:, 0] * graph.num_nodes + pairs[:, 1]).tolist())
    assert len(found) == len(pairs)
    return found


def parts_of(split: LinkSplit) -> list[Links]:
    return [split.training.links, split.training.validation, split.test]


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_parts_are_disjoint_and_whole(graph: Graph) -> None:
    split = link_split(graph, seed=3)
    every = keys(graph.edges, graph)
    positives = [keys(part.positive, graph) for part in parts_of(split)]
    assert set.union(*positives) == every
    assert sum(map(len, positives)) == len(every)
    assert len(positives[1]) == int(0.05 * len(every))
    assert len(positives[2]) == int(0.1 * len(every))
    negatives = [keys(p, graph) for part in parts_of(split) for p in (part.negative, part.matched)]
    for first, second in combinations([every, *negatives], 2):
        assert not first & second
    for part in parts_of(split):
        assert part.negative.shape == part.matched.shape == part.positive.shape


def test_training_shows_the_training_graph_only() -> None:
    mask = torch.ones(352, dtype=torch.bool)
    whole = us_airports()
    whole = make_graph(
        whole.edges, 352, x=whole.x, y=whole.y, positions=whole.positions, train_mask=mask,
    )  # fmt: skip
    training = link_split(whole).training
    assert training.graph.edges.equal(training.links.positive)
    assert training.graph.x.equal(whole.x)
    for column in ("y", "positions", "train_mask", "val_mask", "test_mask"):
        assert getattr(training.graph, column) is None
    assert set(vars(training)) == {"graph", "links", "validation"}


def test_a_seed_is_one_split() -> None:
    first, again, other = (link_split(GRAPHS[0], seed) for seed in (1, 1, 2))
    for ours, theirs, others in zip(*map(parts_of, (first, again, other)), strict=True):
        for name in ("positive", "negative", "matched"):
            assert getattr(ours, name).equal(getattr(theirs, name))
            assert not getattr(ours, name).equal(getattr(others, name))


def test_every_edge_is_as_likely_to_be_tested() -> None:
    graph = cycle(40)
    tested = torch.zeros(40)
    for seed in range(100):
        tested += torch.isin(
            graph.edges[:, 0] * 40 + graph.edges[:, 1],
            (link_split(graph, seed).test.positive * torch.tensor([40, 1])).sum(1),
        )
    assert tested.sum() == 100 * 4
    assert (tested - 10).abs().max() < 5 * (10 * 0.9) ** 0.5


def test_connected_keeps_the_components() -> None:
    graph = us_airports()
    isolated = link_split(graph, seed=1).training.graph
    assert isolated.largest_component().num_nodes < 352
    split = link_split(graph, seed=1, connected=True)
    assert split.training.graph.largest_component().num_nodes == 352
    assert len(split.test.positive) == 301
    assert set.union(*(keys(p.positive, graph) for p in parts_of(split))) == keys(
        graph.edges, graph
    )
    other = link_split(graph, seed=2, connected=True)
    assert not other.test.positive.equal(split.test.positive)
    with pytest.raises(ValueError, match="363 of 363 edges hold the graph together"):
        link_split(balanced_tree(3, 5), connected=True)


def test_matched_pairs_have_the_degrees_of_the_edges() -> None:
    graph = barabasi_albert(800, 3)
    split = link_split(graph, seed=0)
    degrees = split.training.graph.degrees
    for part in parts_of(split):
        want, have, any_ = (
            degrees[pairs].sort(1).values.double().log1p()
            for pairs in (part.positive, part.matched, part.negative)
        )
        assert (want.mean(0) - have.mean(0)).abs().max() < 0.03
        assert (want.mean(0) - any_.mean(0)).abs().max() > 0.3
        # one end is that of an edge of the same row
        shared = (part.positive[:, :, None] == part.matched[:, None, :]).flatten(1).any(1)
        assert shared.float().mean() > 0.99


def test_uniform_pairs_are_uniform() -> None:
    graph, count = cycle(9), torch.zeros(9, 9)
    for seed in range(600):
        rng = np.random.default_rng(seed)
        u, v = PairSampler(graph.edges.numpy(), 9, rng).uniform(9).T
        count[u, v] += 1
    pairs = count[tuple(torch.triu_indices(9, 9, 1))]
    assert (pairs > 0).sum() == 36 - 9
    chosen = pairs[pairs > 0]
    assert (chosen - 200).abs().max() < 5 * (600 * (1 / 3) * (2 / 3)) ** 0.5


def test_the_last_free_pairs_are_found() -> None:
    graph = erdos_renyi(40, 0.9, seed=1)
    sampler = PairSampler(graph.edges.numpy(), 40, np.random.default_rng(0))
    left = sampler.left
    assert left == 780 - graph.num_edges
    matched = sampler.matched(graph.edges.numpy()[: left // 2], graph.degrees.numpy())
    uniform = sampler.uniform(left - left // 2)
    assert sampler.left == 0
    both = keys(torch.from_numpy(np.concatenate([matched, uniform])), graph)
    assert not both & keys(graph.edges, graph)
    with pytest.raises(ValueError, match=r"1 more pairs .* there are 0: the graph is too dense"):
        sampler.uniform(1)


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.9, 0.2, 0.1), (1.0, 0.0, 0.0)])
def test_wrong_fractions_are_refused(fractions: tuple) -> None:
    with pytest.raises(ValueError, match="fractions must be three, positive and sum to 1"):
        link_split(GRAPHS[0], fractions=fractions)


def test_too_few_edges_are_refused() -> None:
    with pytest.raises(ValueError, match="10 edges are too few"):
        link_split(cycle(10))
