"""Node splits: sizes, seeds, hidden labels."""

import pytest
import torch

from noneuclid.datasets.graphs import (
    NodeSplit,
    cycle,
    make_graph,
    public_split,
    split_fractions,
    split_per_class,
    us_airports,
)

LABELS = torch.tensor([0, 1, 2, -1]).repeat(100)
GRAPH = make_graph(cycle(400).edges, 400, y=LABELS)


def sizes(split: NodeSplit) -> list[list[int]]:
    masks = (split.train, split.validation, split.test)
    return [LABELS[mask].bincount(minlength=3).tolist() for mask in masks]


def test_per_class() -> None:
    split = split_per_class(GRAPH, 20, 50, 100, seed=1)
    assert sizes(split)[0] == [20, 20, 20]
    assert [int(m.sum()) for m in (split.validation, split.test)] == [50, 100]
    assert not (split.train & (split.validation | split.test)).any()
    assert not (split.validation & split.test).any()
    assert split_per_class(GRAPH, 20, 50, 100, seed=1).test.equal(split.test)
    assert not split_per_class(GRAPH, 20, 50, 100, seed=2).train.equal(split.train)
    with pytest.raises(ValueError, match=r"101 nodes of each class.*smallest class has 100"):
        split_per_class(GRAPH, 101, 0, 0)
    with pytest.raises(ValueError, match="and 240 others are left"):
        split_per_class(GRAPH, 20, 200, 100)


def test_fractions_hold_in_each_class() -> None:
    split = split_fractions(GRAPH, (0.3, 0.1, 0.6), seed=0)
    assert sizes(split) == [[30] * 3, [10] * 3, [60] * 3]
    part = split_fractions(GRAPH, (0.3, 0.1, 0.2), seed=0)
    assert sizes(part) == [[30] * 3, [10] * 3, [20] * 3]
    with pytest.raises(ValueError, match="sum to <= 1"):
        split_fractions(GRAPH, (0.5, 0.5, 0.5))


def test_public_split_is_that_of_the_graph() -> None:
    place = torch.arange(400)
    masks = {"train_mask": place < 8, "val_mask": place >= 392, "test_mask": (place // 8) == 2}
    split = public_split(make_graph(GRAPH.edges, 400, y=LABELS, **masks))
    assert sizes(split) == [[2, 2, 2]] * 3
    with pytest.raises(ValueError, match="no public split"):
        public_split(GRAPH)
    with pytest.raises(ValueError, match="in two parts"):
        NodeSplit(place < 3, place < 4, place > 8)


def test_test_labels_are_hidden() -> None:
    graph = us_airports()
    split = split_fractions(graph, (0.4, 0.1, 0.3), seed=5)
    training = split.training(graph)
    seen = split.train | split.validation
    assert training.graph.y[seen].equal(graph.y[seen])
    assert (training.graph.y[~seen] == -1).all()
    assert training.num_classes == 3
    assert set(vars(training)) == {"graph", "train", "validation", "num_classes"}
    with pytest.raises(ValueError, match="no classes of nodes"):
        split.training(cycle(352))
