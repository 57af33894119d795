"""Linear maps between manifolds: `Linear` chooses one of the variants for each pair of factors."""

from noneuclid.layers.linear.busemann import BusemannLinear
from noneuclid.layers.linear.gated import GatedLinear
from noneuclid.layers.linear.htc import HTCLinear
from noneuclid.layers.linear.linear import VARIANTS, Linear
from noneuclid.layers.linear.mobius import MobiusLinear
from noneuclid.layers.linear.poincare import PoincareLinear
from noneuclid.layers.linear.spacelike import SpacelikeLinear

__all__ = [
    "VARIANTS",
    "BusemannLinear",
    "GatedLinear",
    "HTCLinear",
    "Linear",
    "MobiusLinear",
    "PoincareLinear",
    "SpacelikeLinear",
]
