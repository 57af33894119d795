"""Classifier heads: points of a manifold to logits."""

from typing import Any

from noneuclid.layers.classifier._base import Classifier
from noneuclid.layers.classifier.busemann import BusemannClassifier
from noneuclid.layers.classifier.hyperplane import HyperplaneClassifier
from noneuclid.layers.classifier.ideal import IdealPrototypeClassifier
from noneuclid.layers.classifier.prototype import PrototypeClassifier
from noneuclid.manifolds import HomogeneousManifold

HEADS: dict[str, type[Classifier]] = {
    "hyperplane": HyperplaneClassifier,
    "busemann": BusemannClassifier,
    "prototype": PrototypeClassifier,
    "ideal": IdealPrototypeClassifier,
}


def make_classifier(
    manifold: HomogeneousManifold, classes: int, *, head: str = "hyperplane", **options: Any
) -> Classifier:
    """Return the head of this name.

    Args:
        manifold: where the points live.
        classes: number of classes.
        head: "hyperplane", "busemann", "prototype" or "ideal".
        options: of that head: `clip`, `device`, `dtype`, ...

    Raises:
        ValueError: another name.
    """
    if head not in HEADS:
        raise ValueError(f"head must be one of {', '.join(HEADS)}, got {head!r}")
    return HEADS[head](manifold, classes, **options)


__all__ = [
    "BusemannClassifier",
    "Classifier",
    "HyperplaneClassifier",
    "IdealPrototypeClassifier",
    "PrototypeClassifier",
    "make_classifier",
]
