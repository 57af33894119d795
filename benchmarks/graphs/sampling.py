"""Self-supervised learning of a graph of a million nodes, batch by batch, in bounded memory."""

import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
from encoders import encoder
from place import Place
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from noneuclid.datasets.graphs import Graph, NeighborBatch, NeighborSampler, balanced_tree
from noneuclid.layers._normal import to_normal
from noneuclid.models.graphs import Pretraining

Options = dict[str, Any]
TRAIN, TEST = 1000, 10000


def sampled(options: Options, seed: int, place: Place) -> Options:
    """Train on a tree by sampled neighbourhoods, embed every node, and decode its top branch.

    A node's features are those of its top branch in noise, so weak that a node by itself is of
    little use: codes have to gather them from around. The decoder sees a thousand nodes.
    """
    start = time.perf_counter()
    graph = tree(seed=seed, **options["tree"])
    whole = _sampler(graph, options["sampler"], seed, shuffle=True)
    model = encoder(options["encoder"], options["tree"]["features"])
    train = Pretraining(model, _some(whole, options["steps"]), seed=seed, **options["pretraining"])
    before = time.perf_counter()
    losses = train.run()
    trained = time.perf_counter()
    codes = embedded(model, _sampler(graph, options["sampler"], seed, shuffle=False))
    ended = time.perf_counter()
    return {
        "scores": {"accuracy": decoded(codes, graph, seed), "floor": decoded(graph.x, graph, seed)},
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "graph_seconds": before - start,
        "training_seconds": trained - before,
        "embedding_seconds": ended - trained,
        "losses": losses,
        "peak_megabytes": peak(),
    }


def tree(branching: int, depth: int, features: int, signal: float, seed: int = 0) -> Graph:
    """Build a balanced tree whose nodes have their top branch as class, and in their features."""
    graph = balanced_tree(branching, depth)
    n = graph.num_nodes
    y = torch.arange(n)
    for _ in range(depth - 1):
        y = torch.where(y > branching, (y - 1) // branching, y)
    y = (y - 1).clamp(min=0)  # the root goes with the first branch
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(branching, features, generator=generator)
    x = torch.randn(n, features, generator=generator).add_(centers[y], alpha=signal)
    return Graph(graph.edges, n, x=x, y=y, name="tree")


def embedded(model: Any, sampler: NeighborSampler) -> Tensor:
    """Return the codes of all nodes in normal coordinates, a batch at a time."""
    parts = []
    model.eval()
    with torch.no_grad():
        for batch in sampler:
            points = model(batch.x, batch.edge_index)
            parts.append(to_normal(model.manifold, points)[: batch.batch_size])
    return torch.cat(parts)


def decoded(codes: Tensor, graph: Graph, seed: int) -> float:
    """Return the accuracy of logistic regression from a thousand nodes on ten thousand others."""
    order = torch.randperm(graph.num_nodes, generator=torch.Generator().manual_seed(seed))
    known, asked = order.split([TRAIN, len(order) - TRAIN])
    asked = asked[:TEST]
    x, y = codes.numpy(), graph.y.numpy()
    found = LogisticRegression(max_iter=1000).fit(x[known], y[known])
    return float(found.score(x[asked], y[asked]))


def peak() -> float:
    """Return the largest resident memory so far, in MiB."""
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _sampler(graph: Graph, options: Options, seed: int, *, shuffle: bool) -> NeighborSampler:
    counts, size = options["neighbors"], options["batch"]
    return NeighborSampler(graph, counts, batch_size=size, shuffle=shuffle, seed=seed)


def _some(sampler: NeighborSampler, steps: int) -> Any:
    """Return a function that gives the first batches of an epoch."""

    def batches(epoch: int) -> Iterator[NeighborBatch]:
        sampler.epoch = epoch
        for _, batch in zip(range(steps), sampler, strict=False):
            yield batch

    return batches
