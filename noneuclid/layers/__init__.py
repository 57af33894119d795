"""Layers: maps between manifolds, each with a flat limit it is tested against."""

from noneuclid.layers._base import Layer, TangentLayer
from noneuclid.layers.activation import Activation
from noneuclid.layers.busemann_linear import BusemannLinear
from noneuclid.layers.chain import Chain
from noneuclid.layers.classifier import (
    BusemannClassifier,
    HyperplaneClassifier,
    IdealPrototypeClassifier,
    PrototypeClassifier,
    make_classifier,
)
from noneuclid.layers.coupling import FactorCoupling
from noneuclid.layers.lift import Drop, Lift
from noneuclid.layers.linear import Linear
from noneuclid.layers.norm import TangentLayerNorm
from noneuclid.layers.pooling import TangentMean

__all__ = [
    "Activation",
    "BusemannClassifier",
    "BusemannLinear",
    "Chain",
    "Drop",
    "FactorCoupling",
    "HyperplaneClassifier",
    "IdealPrototypeClassifier",
    "Layer",
    "Lift",
    "Linear",
    "PrototypeClassifier",
    "TangentLayer",
    "TangentLayerNorm",
    "TangentMean",
    "make_classifier",
]
