"""Metrics: of taggers, of embeddings, and of how curved or tree-like a graph or a point set is."""

from noneuclid.metrics._graph import graph_distances
from noneuclid.metrics.distortion import Distortion, distortion, embedding_distortion
from noneuclid.metrics.graph_gromov import graph_gromov_delta
from noneuclid.metrics.gromov import (
    SampledDelta,
    gromov_delta,
    implied_curvature,
    relative_gromov_delta,
    sampled_gromov_delta,
)
from noneuclid.metrics.jet_distance import (
    angular_distance,
    energy_angular_distance,
    softer_angular_distance,
)
from noneuclid.metrics.reconstruction import Reconstruction, reconstruction
from noneuclid.metrics.ricci_curvature import forman_curvature, ollivier_curvature
from noneuclid.metrics.sectional_curvature import sample_sectional_curvature, sectional_curvature
from noneuclid.metrics.tagging import Rejection, accuracy, background_rejection, roc_auc

__all__ = [
    "Distortion",
    "Reconstruction",
    "Rejection",
    "SampledDelta",
    "accuracy",
    "angular_distance",
    "background_rejection",
    "distortion",
    "embedding_distortion",
    "energy_angular_distance",
    "forman_curvature",
    "graph_distances",
    "graph_gromov_delta",
    "gromov_delta",
    "implied_curvature",
    "ollivier_curvature",
    "reconstruction",
    "relative_gromov_delta",
    "roc_auc",
    "sample_sectional_curvature",
    "sampled_gromov_delta",
    "sectional_curvature",
    "softer_angular_distance",
]
