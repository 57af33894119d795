"""Embeddings of whole graphs: their distances, and the ancestors of WordNet."""

import time
from typing import Any

import torch
from place import Place

import noneuclid as ne
from noneuclid.manifolds.product import factors_of
from noneuclid.metrics import graph_distances
from noneuclid.models.embeddings import DistanceEmbedding, NeighborhoodEmbedding, scaled_signature

Options = dict[str, Any]
KEPT = 10  # epochs between two states of an interrupted run


def distances(options: Options, seed: int, place: Place) -> Options:
    """Embed the distances of a graph. What is chosen by is the average distortion, negated."""
    graph = place.graph(options["graph"])
    steps = graph_distances(graph.edges, graph.num_nodes)
    diameter = options.get("reach", 1.0) * float(steps[steps.isfinite()].max())
    space = ne.manifold(scaled_signature(options["signature"], diameter))
    embedding = DistanceEmbedding(graph.num_nodes, space, seed=seed, **options.get("embedding", {}))
    fitted, seconds = _fit(embedding, steps, options["epochs"], place)
    curved = [f for f in factors_of(space) if isinstance(f, ne.SpaceForm)]
    return {
        "validation": -fitted.metrics["average_distortion"],
        "scores": fitted.metrics,
        "curvatures": [float(factor.curvature().detach()) for factor in curved],
        "losses": fitted.losses,
        "fit_seconds": seconds,
    }


def neighbors(options: Options, seed: int, place: Place) -> Options:
    """Embed a closure such that the ancestors of a node are its nearest."""
    graph = place.graph(options["graph"])
    space = ne.manifold(options["signature"])
    given = {**options.get("embedding", {}), "dtype": torch.float64}
    embedding = NeighborhoodEmbedding(graph.num_nodes, space, directed=True, seed=seed, **given)
    fitted, seconds = _fit(embedding, graph.edges.flip(1), options["epochs"], place)
    return {
        "validation": fitted.metrics["mean_average_precision"],
        "scores": fitted.metrics,
        "losses": fitted.losses,
        "fit_seconds": seconds,
        "pairs": len(graph.edges),
    }


def _fit(embedding: Any, task: torch.Tensor, epochs: int, place: Place) -> Any:
    """Fit, from where an interrupted run left off, and return what was fitted and its seconds."""
    start, earlier = time.process_time(), 0.0
    if place.checkpoint.exists():
        state = torch.load(place.checkpoint, weights_only=False)
        embedding.load_state_dict(state["embedding"])
        earlier = state["seconds"]

    def spent() -> float:
        return earlier + time.process_time() - start

    def after(epoch: int) -> None:
        if epoch < epochs and (epoch % KEPT == 0 or place.is_over()):
            place.save({"embedding": embedding.state_dict(), "seconds": spent()})
            place.check_time()

    return embedding.fit(task, epochs, progress=False, after=after), spent()
