"""Embeddings of graphs and trees: learned from neighbours, distances or entailment, and direct."""

from noneuclid.models.embeddings._embedding import Fitted, GraphEmbedding
from noneuclid.models.embeddings.distance import DistanceEmbedding
from noneuclid.models.embeddings.entailment import EntailmentEmbedding
from noneuclid.models.embeddings.hyperbolic_mds import hyperbolic_mds
from noneuclid.models.embeddings.neighborhood import NeighborhoodEmbedding
from noneuclid.models.embeddings.sarkar import edge_length, sarkar_embedding
from noneuclid.models.embeddings.signature import (
    Candidate,
    estimate_signature,
    scaled_signature,
    search_signature,
    signatures,
)

__all__ = [
    "Candidate",
    "DistanceEmbedding",
    "EntailmentEmbedding",
    "Fitted",
    "GraphEmbedding",
    "NeighborhoodEmbedding",
    "edge_length",
    "estimate_signature",
    "hyperbolic_mds",
    "sarkar_embedding",
    "scaled_signature",
    "search_signature",
    "signatures",
]
