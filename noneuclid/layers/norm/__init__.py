"""Normalisations: of every point by itself, and over the points of a batch."""

from noneuclid.layers.norm.gyro_batch_norm import GyroBatchNorm
from noneuclid.layers.norm.midpoint_batch_norm import MidpointBatchNorm
from noneuclid.layers.norm.space_layer_norm import SpaceLayerNorm
from noneuclid.layers.norm.space_rms_norm import SpaceRMSNorm
from noneuclid.layers.norm.tangent_layer_norm import TangentLayerNorm

__all__ = [
    "GyroBatchNorm",
    "MidpointBatchNorm",
    "SpaceLayerNorm",
    "SpaceRMSNorm",
    "TangentLayerNorm",
]
