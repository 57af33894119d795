"""Time per epoch of a graph network beside torch_geometric's GCN of the same widths."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from encoders import encoder, parameters
from place import Place, features

from noneuclid.models.graphs import NodeClassifier

Options = dict[str, Any]


def epochs_of(options: Options, seed: int, place: Place) -> Options:
    """Time training epochs of a model and of the GCN in turns, and compare the medians."""
    graph = place.graph(options["graph"])
    x, y = features(graph, options["graph"]), graph.y
    given = x, graph.edge_index
    torch.manual_seed(seed)
    twin = {"name": "gcn", "dim": options["twin_dim"]}
    models = [
        NodeClassifier(encoder(each, x.shape[1]), graph.num_classes)
        for each in (options["encoder"], twin)
    ]
    steps = [_step(model, given, y) for model in models]
    seconds: list[list[float]] = [[], []]
    for epoch in range(options["epochs"] + options["warm_up"]):
        for kept, step in zip(seconds, steps, strict=True):
            start = time.perf_counter()
            step()
            if epoch >= options["warm_up"]:
                kept.append(time.perf_counter() - start)
    ours, theirs = (statistics.median(kept) for kept in seconds)
    scores = {"seconds": ours, "gcn_seconds": theirs, "ratio": ours / theirs}
    return {"scores": scores, "parameters": parameters(models[0].encoder)}


def _step(model: NodeClassifier, given: Any, y: torch.Tensor) -> Callable[[], None]:
    """Return one epoch of training on all nodes."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(*given), y).backward()
        optimizer.step()

    return step
