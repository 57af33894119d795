"""Splits of a graph's nodes for classification; labels outside the training part are hidden."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from noneuclid.datasets.graphs.graph import Graph


@dataclass(frozen=True)
class NodeTraining:
    """What a model may see.

    Attributes:
        graph: The graph; ``y`` is -1 outside ``train`` and ``validation``.
        train: (n,) bool, the nodes to train on.
        validation: (n,) bool, those to choose a model by.
        num_classes: C.
    """

    graph: Graph
    train: Tensor
    validation: Tensor
    num_classes: int


@dataclass(frozen=True)
class NodeSplit:
    """Nodes for training, validation and test, each an (n,) mask, without overlap.

    Raises:
        ValueError: Two masks overlap.
    """

    train: Tensor
    validation: Tensor
    test: Tensor

    def __post_init__(self) -> None:
        if bool((self.train.int() + self.validation + self.test > 1).any()):
            raise ValueError("a node is in two parts of the split")

    def training(self, graph: Graph) -> NodeTraining:
        """Hide the labels of the test, and of the nodes that are in no part."""
        y = labels_of(graph)
        seen = torch.where(self.train | self.validation, y, -1)
        hidden: dict[str, Any] = dict.fromkeys(("train_mask", "val_mask", "test_mask"))
        visible = replace(graph, y=seen, **hidden)
        return NodeTraining(visible, self.train, self.validation, graph.num_classes)


def public_split(graph: Graph) -> NodeSplit:
    """Take the split that the graph comes with, of the nodes that have a class.

    Raises:
        ValueError: The graph has no public split.
    """
    known = labels_of(graph) >= 0
    masks = [getattr(graph, name) for name in ("train_mask", "val_mask", "test_mask")]
    if any(mask is None for mask in masks):
        raise ValueError(f"{graph!r} has no public split: take split_per_class or split_fractions")
    return NodeSplit(*(mask & known for mask in masks))


def split_per_class(
    graph: Graph, per_class: int = 20, validation: int = 500, test: int = 1000, seed: int = 0
) -> NodeSplit:
    """Train on as many random nodes of each class; validation and test come from the rest.

    Raises:
        ValueError: A class or the rest has too few nodes.
    """
    y = labels_of(graph).cpu().numpy()
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.flatnonzero(y >= 0))
    by_class = [order[y[order] == c][:per_class] for c in range(graph.num_classes)]
    smallest = min(len(chosen) for chosen in by_class)
    train = np.concatenate(by_class)
    rest = order[~np.isin(order, train)]
    if smallest < per_class or len(rest) < validation + test:
        raise ValueError(
            f"{per_class} nodes of each class, {validation} and {test} others are needed: the "
            f"smallest class has {smallest}, and {len(rest)} others are left"
        )
    return _masks(graph, train, rest[:validation], rest[validation : validation + test])


def split_fractions(
    graph: Graph, fractions: tuple[float, float, float] = (0.7, 0.15, 0.15), seed: int = 0
) -> NodeSplit:
    """Split the nodes that have a class at random, in each class by the same shares.

    Raises:
        ValueError: The fractions are not positive or sum to more than 1.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or sum(fractions) > 1 + math.ulp(1):
        raise ValueError(f"fractions must be three, positive and sum to <= 1, got {fractions}")
    y = labels_of(graph).cpu().numpy()
    order = np.random.default_rng(seed).permutation(np.flatnonzero(y >= 0))
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for c in range(graph.num_classes):
        members = order[y[order] == c]
        cuts = np.round(np.cumsum(fractions) * len(members)).astype(int)
        for part, piece in zip(parts, np.split(members, cuts), strict=False):
            part.append(piece)
    return _masks(graph, *(np.concatenate(part) for part in parts))


def labels_of(graph: Graph) -> Tensor:
    """Give the (n,) classes of the nodes.

    Raises:
        ValueError: The nodes have no classes.
    """
    if graph.y is None or len(graph.y) != graph.num_nodes:
        raise ValueError(f"{graph!r} has no classes of nodes")
    return graph.y


def _masks(graph: Graph, *parts: np.ndarray) -> NodeSplit:
    masks = torch.zeros(3, graph.num_nodes, dtype=torch.bool)
    for mask, part in zip(masks, parts, strict=True):
        mask[torch.from_numpy(part)] = True
    return NodeSplit(*masks.to(labels_of(graph).device))
