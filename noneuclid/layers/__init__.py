"""Layers: maps between manifolds, each with a flat limit it is tested against."""

from noneuclid.layers._base import Layer, TangentLayer
from noneuclid.layers.activation import Activation
from noneuclid.layers.chain import Chain
<<<<<<< ours
from noneuclid.layers.concat import Concat, Split
from noneuclid.layers.coupling import FactorCoupling
from noneuclid.layers.dropout import Dropout
=======
from noneuclid.layers.coupling import (
    CurvatureMixture,
    FactorCoupling,
    InterManifoldAttention,
)
>>>>>>> theirs
from noneuclid.layers.lift import Drop, Lift
from noneuclid.layers.linear import Linear
from noneuclid.layers.norm import (
    GyroBatchNorm,
    MidpointBatchNorm,
    SpaceLayerNorm,
    SpaceRMSNorm,
    TangentLayerNorm,
)
from noneuclid.layers.pooling import TangentMean
from noneuclid.layers.residual import Residual, ResidualSum

__all__ = [
    "Activation",
    "Chain",
<<<<<<< ours
    "Concat",
=======
    "CurvatureMixture",
>>>>>>> theirs
    "Drop",
    "Dropout",
    "FactorCoupling",
<<<<<<< ours
    "GyroBatchNorm",
=======
    "InterManifoldAttention",
>>>>>>> theirs
    "Layer",
    "Lift",
    "Linear",
    "MidpointBatchNorm",
    "Residual",
    "ResidualSum",
    "SpaceLayerNorm",
    "SpaceRMSNorm",
    "Split",
    "TangentLayer",
    "TangentLayerNorm",
    "TangentMean",
]
