"""The encoders that a grid may name, all from `noneuclid.models.graphs`."""

from typing import Any

from noneuclid.models import graphs
from noneuclid.models.graphs import GraphEncoder


def encoder(options: dict[str, Any], features: int) -> GraphEncoder:
    """Build an encoder of so many features from its `name` and its own options."""
    rest = dict(options)
    return getattr(graphs, rest.pop("name"))(features, **rest)


def parameters(model: GraphEncoder) -> int:
    """Return how many numbers are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
