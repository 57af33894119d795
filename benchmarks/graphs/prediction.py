"""Link prediction and node classification by graph models, and the floors below them."""

from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

import torch
from encoders import encoder, parameters
from place import Place, features
from torch import Tensor

from noneuclid.datasets.graphs import (
    Graph,
    LinkTraining,
    NodeSplit,
    NodeTraining,
    evaluate_links,
    evaluate_nodes,
    link_floors,
    link_split,
    node_floors,
    public_split,
    split_fractions,
)
from noneuclid.models.graphs import LinkPredictor, NodeClassifier, Recipe

Options = dict[str, Any]


def links(options: Options, seed: int, place: Place) -> Options:
    """Fit a model to training edges; the seed is that of split, first values and training."""
    split = link_split(place.graph(options["graph"]), seed=seed)
    fitted: Options = {}

    def fit(training: LinkTraining) -> Callable[[Tensor], Tensor]:
        graph, held = training.graph, training.validation
        seen = features(graph, options["graph"]), graph.edge_index
        torch.manual_seed(seed)
        model = LinkPredictor(encoder(options["encoder"], seen[0].shape[1]))
        positive, validation = training.links.positive, (held.positive, held.negative)
        curve = model.fit(*seen, positive, validation, recipe(options, seed))
        fitted.update(_fitted(curve, model.encoder))

        def score(pairs: Tensor) -> Tensor:
            with torch.no_grad():
                return model.eval()(*seen, pairs)

        return score

    scores = evaluate_links(fit, split)
    return {**fitted, "scores": scores}


def nodes(options: Options, seed: int, place: Place) -> Options:
    """Fit a model to the classes of training nodes, of the public split where there is one."""
    graph = place.graph(options["graph"])
    fitted: Options = {}

    def fit(training: NodeTraining) -> Tensor:
        seen = features(training.graph, options["graph"]), training.graph.edge_index
        torch.manual_seed(seed)
        model = NodeClassifier(encoder(options["encoder"], seen[0].shape[1]), training.num_classes)
        known = training.graph.y, training.train, training.validation
        curve = model.fit(*seen, *known, recipe(options, seed))
        fitted.update(_fitted(curve, model.encoder))
        with torch.no_grad():
            return model.eval()(*seen)

    scores = evaluate_nodes(fit, graph, _split(graph, seed))
    return {**fitted, "scores": scores}


def floors_of_links(options: Options, seed: int, place: Place) -> Options:
    """Score what is not trained, or sees features alone, on the split of a seed."""
    graph = place.graph(options["graph"])
    split = link_split(graph, seed=seed)
    floors = _chosen(link_floors(graph), options)
    return {"floors": {name: evaluate_links(fit, split) for name, fit in floors.items()}}


def floors_of_nodes(options: Options, seed: int, place: Place) -> Options:
    """Likewise for the classes of nodes."""
    graph = place.graph(options["graph"])
    split = _split(graph, seed)
    floors = _chosen(node_floors(graph), options)
    return {"floors": {name: evaluate_nodes(fit, graph, split) for name, fit in floors.items()}}


def _chosen(floors: dict[str, Any], options: Options) -> dict[str, Any]:
    """Return the floors whose names match one of `floors`, all by default."""
    patterns = options.get("floors", ["*"])
    return {k: fit for k, fit in floors.items() if any(fnmatch(k, p) for p in patterns)}


def recipe(options: Options, seed: int) -> Recipe:
    pretraining = options.get("pretraining")
    return Recipe(**options.get("recipe", {}), pretraining=pretraining, seed=seed)


def _split(graph: Graph, seed: int) -> NodeSplit:
    is_public = graph.train_mask is not None
    return public_split(graph) if is_public else split_fractions(graph, seed=seed)


def _fitted(curve: list[float], model: Any) -> Options:
    found = {"validation": max(curve), "epochs": len(curve), "parameters": parameters(model)}
    if hasattr(model, "curvatures"):
        found["curvatures"] = model.curvatures()
    return found
