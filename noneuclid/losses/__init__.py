"""Losses of points: by cones, by pairs of views, by neighbours; distances are geodesic."""

from noneuclid.losses.contrastive import ContrastiveLoss
from noneuclid.losses.entailment import EntailmentLoss
from noneuclid.losses.entailment_cone import EntailmentCone
from noneuclid.losses.neighbor import NeighborLoss
from noneuclid.losses.supervisory import (
    label_neighbors,
    nearest_neighbors,
    perplexity_neighbors,
    view_neighbors,
)

__all__ = [
    "ContrastiveLoss",
    "EntailmentCone",
    "EntailmentLoss",
    "NeighborLoss",
    "label_neighbors",
    "nearest_neighbors",
    "perplexity_neighbors",
    "view_neighbors",
]
