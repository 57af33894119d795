"""Splits of a graph's edges for link prediction, in which nothing of the test is to be seen.

The rules: each undirected edge is one row and falls into one part; pairs that are no edges are no
edges of the whole graph and differ between the parts; whatever a model derives from structure it
derives from ``LinkTraining.graph``, which has the training edges only.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import csgraph
from torch import Tensor

from noneuclid.datasets.graphs.graph import Graph
from noneuclid.datasets.graphs.negatives import PairSampler

HIDDEN = ("y", "positions", "train_mask", "val_mask", "test_mask")  # what tells of edges beside x


@dataclass(frozen=True)
class Links:
    """Pairs of one part of a split, each (P, 2) int64 with u < v.

    Attributes:
        positive: Edges.
        negative: As many pairs that are no edges, uniform.
        matched: As many others, of the same training degrees as the edges: with uniform pairs the
            score of a graph with hubs mostly measures degree.
    """

    positive: Tensor
    negative: Tensor
    matched: Tensor


@dataclass(frozen=True)
class LinkTraining:
    """What a model may see.

    Attributes:
        graph: All nodes and the training edges; with ``x``, without labels and positions.
        links: The training edges, which are ``graph.edges``, and pairs that are none.
        validation: The pairs to choose a model by.
    """

    graph: Graph
    links: Links
    validation: Links


@dataclass(frozen=True)
class LinkSplit:
    """A graph split for link prediction: ``training`` is for the model, ``test`` for the score."""

    training: LinkTraining
    test: Links


def link_split(
    graph: Graph,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.85, 0.05, 0.10),
    *,
    connected: bool = False,
) -> LinkSplit:
    """Split the edges at random into training, validation and test.

    Args:
        graph: The whole graph.
        seed: Seed of everything drawn.
        fractions: Shares of training, validation and test edges; the last two are rounded down.
        connected: Whether to keep the edges of a random spanning forest in training, so that it has
            the components of the graph. Then no bridge is ever tested, and a tree cannot be split;
            without it, which is the published protocol, training nodes may have no edge.

    Raises:
        ValueError: The fractions are not positive or do not sum to 1, a part would be empty, or
            the graph is too dense for the pairs that are no edges.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or not math.isclose(sum(fractions), 1):
        raise ValueError(f"fractions must be three, positive and sum to 1, got {fractions}")
    rng = np.random.default_rng(seed)
    edges = graph.edges.cpu().numpy()
    sizes = [int(share * len(edges)) for share in fractions[1:]]
    if min(sizes) < 1:
        raise ValueError(f"{len(edges)} edges are too few for the fractions {fractions}")
    order = rng.permutation(len(edges))
    if connected:
        forest = _spanning_forest(graph, order)
        if len(edges) - forest.sum() < sum(sizes):
            raise ValueError(
                f"{int(forest.sum())} of {len(edges)} edges hold the graph together: too few are "
                "left to be held out, take connected=False"
            )
        order = order[np.argsort(forest[order], kind="stable")]  # the forest last, in training
    validation, test, train = np.split(order, np.cumsum(sizes))
    parts = [edges[np.sort(part)] for part in (train, validation, test)]
    degrees = np.bincount(parts[0].reshape(-1), minlength=graph.num_nodes)
    sampler = PairSampler(edges, graph.num_nodes, rng)
    uniform = [sampler.uniform(len(part)) for part in parts[::-1]][::-1]  # the test's come first
    matched = [sampler.matched(part, degrees) for part in parts[::-1]][::-1]
    links = [
        Links(*(torch.from_numpy(pairs) for pairs in three))
        for three in zip(parts, uniform, matched, strict=True)
    ]
    hidden: dict[str, Any] = dict.fromkeys(HIDDEN)
    visible = replace(graph.with_edges(links[0].positive), **hidden)
    return LinkSplit(LinkTraining(visible, links[0], links[1]), links[2])


def _spanning_forest(graph: Graph, order: np.ndarray) -> np.ndarray:
    """Mark the (E,) edges of the minimum spanning forest when an edge weighs its place."""
    weight = np.empty(len(order))
    weight[order] = np.arange(1, len(order) + 1)
    u, v = graph.edges.cpu().numpy().T
    weighted = graph.adjacency()
    weighted[u, v] = weighted[v, u] = weight
    kept = csgraph.minimum_spanning_tree(weighted).data.astype(np.int64)
    forest = np.zeros(len(order), dtype=bool)
    forest[order[kept - 1]] = True
    return forest
