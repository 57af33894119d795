"""Layers: maps between manifolds, each with a flat limit it is tested against."""

from noneuclid.layers._base import Layer, TangentLayer
from noneuclid.layers.activation import Activation
from noneuclid.layers.attention import KernelAttention, MultiheadAttention
from noneuclid.layers.chain import Chain
from noneuclid.layers.classifier import (
    BusemannClassifier,
    Classifier,
    HyperplaneClassifier,
    IdealPrototypeClassifier,
    PrototypeClassifier,
    make_classifier,
)
from noneuclid.layers.concat import Concat, Split
from noneuclid.layers.convolution import Conv1d, Conv2d
from noneuclid.layers.coupling import CurvatureMixture, FactorCoupling, InterManifoldAttention
from noneuclid.layers.dropout import Dropout
from noneuclid.layers.embedding import Embedding
from noneuclid.layers.lift import Drop, Lift
from noneuclid.layers.linear import (
    BusemannLinear,
    GatedLinear,
    HTCLinear,
    Linear,
    MobiusLinear,
    PoincareLinear,
    SpacelikeLinear,
)
from noneuclid.layers.norm import (
    GyroBatchNorm,
    MidpointBatchNorm,
    SpaceLayerNorm,
    SpaceRMSNorm,
    TangentLayerNorm,
)
from noneuclid.layers.pooling import FrechetMeanPool, MidpointPool, TangentMean
from noneuclid.layers.position import HopePosition, LearnedPosition
from noneuclid.layers.recurrent import GRU, GRUCell
from noneuclid.layers.residual import Residual, ResidualSum
from noneuclid.layers.token import ClassToken

__all__ = [
    "GRU",
    "Activation",
    "BusemannClassifier",
    "BusemannLinear",
    "Chain",
    "ClassToken",
    "Classifier",
    "Concat",
    "Conv1d",
    "Conv2d",
    "CurvatureMixture",
    "Drop",
    "Dropout",
    "Embedding",
    "FactorCoupling",
    "FrechetMeanPool",
    "GRUCell",
    "GatedLinear",
    "GyroBatchNorm",
    "HTCLinear",
    "HopePosition",
    "HyperplaneClassifier",
    "IdealPrototypeClassifier",
    "InterManifoldAttention",
    "KernelAttention",
    "Layer",
    "LearnedPosition",
    "Lift",
    "Linear",
    "MidpointBatchNorm",
    "MidpointPool",
    "MobiusLinear",
    "MultiheadAttention",
    "PoincareLinear",
    "PrototypeClassifier",
    "Residual",
    "ResidualSum",
    "SpaceLayerNorm",
    "SpaceRMSNorm",
    "SpacelikeLinear",
    "Split",
    "TangentLayer",
    "TangentLayerNorm",
    "TangentMean",
    "make_classifier",
]
