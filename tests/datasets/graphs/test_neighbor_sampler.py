"""The sampler: what a batch holds, that draws are uniform, that batches are reproducible."""

import math
from itertools import chain

import numpy as np
import pytest
import torch

from noneuclid.datasets.graphs import (
    Graph,
    NeighborSampler,
    balanced_tree,
    make_graph,
    us_airports,
)
from noneuclid.datasets.graphs.neighbor_sampler import _without_repeats

AIRPORTS = us_airports()


def test_a_batch_is_part_of_the_graph() -> None:
    sampler = NeighborSampler(AIRPORTS, (4, 3), batch_size=50, shuffle=True)
    seen = []
    for batch in sampler:
        assert batch.n_id.unique().numel() == batch.num_nodes
        assert AIRPORTS.edge_index[:, batch.e_id].equal(batch.n_id[batch.edge_index])
        assert batch.e_id.unique().numel() == len(batch.e_id)
        assert batch.n_id[: batch.batch_size].equal(batch.input_id)  # all nodes are input
        assert batch.x.equal(AIRPORTS.x[batch.n_id])
        assert batch.y.equal(AIRPORTS.y[batch.n_id])
        assert sum(batch.num_sampled_nodes) == batch.num_nodes
        assert sum(batch.num_sampled_edges) == len(batch.e_id)
        seen += batch.input_id.tolist()
    assert sorted(seen) == list(range(352))
    assert len(sampler) == 8
    assert len(NeighborSampler(AIRPORTS, batch_size=50, drop_last=True)) == 7


def test_each_hop_takes_what_it_may() -> None:
    degrees = AIRPORTS.degrees
    for batch in NeighborSampler(AIRPORTS, (4, 3), batch_size=50):
        first, second = batch.num_sampled_edges
        nodes, hop, _ = batch.num_sampled_nodes
        taken = batch.edge_index[1].bincount(minlength=batch.num_nodes)
        want = degrees[batch.n_id].clone()
        want[:nodes] = want[:nodes].clamp(max=4)
        want[nodes : nodes + hop] = want[nodes : nodes + hop].clamp(max=3)
        want[nodes + hop :] = 0
        assert taken.equal(want)
        assert (batch.edge_index[1, :first] < nodes).all()
        assert (batch.edge_index[1, first:] >= nodes).all()
        assert len(batch.e_id) == first + second


def test_all_neighbours_give_the_whole_surroundings() -> None:
    tree = balanced_tree(3, 4)
    (batch,) = NeighborSampler(tree, (-1, -1), input_nodes=torch.tensor([4]))
    near = tree.distances(torch.tensor([4]))[0] <= 2
    assert set(batch.n_id.tolist()) == set(near.nonzero()[:, 0].tolist())
    assert batch.num_sampled_nodes == (1, 4, 12)
    whole = NeighborSampler(tree, (-1,), batch_size=tree.num_nodes)
    (batch,) = whole
    assert sorted(batch.e_id.tolist()) == list(range(2 * tree.num_edges))


def test_discovery_is_in_the_order_of_the_edges() -> None:
    graph = make_graph([(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)], 6)
    (batch,) = NeighborSampler(graph, (-1, -1), input_nodes=torch.tensor([5, 0]))
    assert batch.n_id.tolist() == [5, 0, 1, 2, 3]
    assert batch.input_id.tolist() == [0, 1]
    assert batch.edge_index.tolist() == [[2, 3, 1, 4, 1, 4], [1, 1, 2, 2, 3, 3]]


def test_batches_depend_on_seed_epoch_and_number_alone() -> None:
    def draw(seed: int, epochs: int) -> list[list[torch.Tensor]]:
        sampler = NeighborSampler(AIRPORTS, (3,), batch_size=100, shuffle=True, seed=seed)
        return [[batch.e_id for batch in sampler] for _ in range(epochs)]

    first, again, other = draw(1, 2), draw(1, 2), draw(2, 1)
    for ours, theirs in zip(chain(*first), chain(*again), strict=True):
        assert ours.equal(theirs)
    assert not first[0][0].equal(first[1][0])
    assert not first[0][0].equal(other[0][0])
    stopped = NeighborSampler(AIRPORTS, (3,), batch_size=100, shuffle=True, seed=1)
    next(iter(stopped))  # an epoch that is left early
    assert next(iter(stopped)).e_id.equal(first[1][0])


def test_draws_are_uniform_and_without_repeats() -> None:
    rng = np.random.default_rng(0)
    sizes = np.full(30_000, 7)
    drawn = _without_repeats(sizes, 3, rng)
    assert drawn.min() == 0
    assert drawn.max() == 6
    assert (np.diff(np.sort(drawn, axis=1), axis=1) > 0).all()
    subsets = np.sort(drawn, axis=1) @ np.array([49, 7, 1])
    _, counts = np.unique(subsets, return_counts=True)
    expected = 30_000 / math.comb(7, 3)
    assert len(counts) == 35
    assert np.abs(counts - expected).max() < 5 * math.sqrt(expected)


def test_directed_edges_are_followed_to_their_source() -> None:
    edge_index = torch.tensor([[0, 1, 2], [3, 3, 0]])
    graph = make_graph([(0, 3)], 4)
    (batch,) = NeighborSampler(
        graph, (-1, -1), edge_index=edge_index, input_nodes=torch.tensor([3])
    )
    assert batch.n_id.tolist() == [3, 0, 1, 2]
    assert batch.e_id.tolist() == [0, 1, 2]


def test_input_may_be_a_mask_and_a_graph_may_be_empty() -> None:
    mask = torch.arange(352) % 100 == 3
    batches = list(NeighborSampler(AIRPORTS, (2,), batch_size=3, input_nodes=mask))
    assert [batch.batch_size for batch in batches] == [3, 1]
    assert batches[1].n_id[0] == 303
    assert batches[1].input_id.tolist() == [3]
    (batch,) = NeighborSampler(make_graph([], 4), (2, 2))
    assert batch.n_id.tolist() == [0, 1, 2, 3]
    assert batch.edge_index.shape == (2, 0)


def test_data_of_torch_geometric_is_taken() -> None:
    pytest.importorskip("torch_geometric")
    data = AIRPORTS.to_data()
    mine, theirs = (next(iter(NeighborSampler(g, (5,), seed=3))) for g in (AIRPORTS, data))
    assert mine.n_id.equal(theirs.n_id)
    assert mine.x.equal(theirs.x)
    assert mine.to("meta").x.device.type == "meta"


def test_hubs_cost_no_more_than_what_is_taken() -> None:
    n = 200_000
    star: Graph = make_graph(torch.stack([torch.zeros(n - 1), torch.arange(1, n)], 1).long(), n)
    sampler = NeighborSampler(star, (5, 5), input_nodes=torch.tensor([0]))
    (batch,) = sampler
    assert batch.num_sampled_nodes == (1, 5, 0)
    assert batch.num_sampled_edges == (5, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_neighbors": ()}, "num_neighbors must be positive or -1"),
        ({"num_neighbors": (0,)}, "num_neighbors must be positive or -1"),
        ({"batch_size": 0}, "batch_size positive"),
        ({"edge_index": torch.zeros(3, 2)}, r"edge_index must be \(2, E\) int64"),
        ({"edge_index": torch.tensor([[0], [352]])}, r"edge_index must be in 0\.\.351"),
        ({"input_nodes": torch.tensor([1, 1])}, "input_nodes must not repeat"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NeighborSampler(AIRPORTS, **arguments)
