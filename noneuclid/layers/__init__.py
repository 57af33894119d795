"""Layers: maps between manifolds, each with a flat limit it is tested against."""

from noneuclid.layers._base import Layer, TangentLayer
from noneuclid.layers.activation import Activation
from noneuclid.layers.chain import Chain
from noneuclid.layers.coupling import FactorCoupling
from noneuclid.layers.lift import Drop, Lift
from noneuclid.layers.linear import (
    GatedLinear,
    HTCLinear,
    Linear,
    MobiusLinear,
    PoincareLinear,
    SpacelikeLinear,
)
from noneuclid.layers.norm import TangentLayerNorm
from noneuclid.layers.pooling import TangentMean

__all__ = [
    "Activation",
    "Chain",
    "Drop",
    "FactorCoupling",
    "GatedLinear",
    "HTCLinear",
    "Layer",
    "Lift",
    "Linear",
    "MobiusLinear",
    "PoincareLinear",
    "SpacelikeLinear",
    "TangentLayer",
    "TangentLayerNorm",
    "TangentMean",
]
