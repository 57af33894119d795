"""Cases of the ways in, out and through: Lift, Drop, Activation, Chain."""

import torch
from torch import Tensor, nn

from layer_cases.case import Builder, Case, coordinates, points
from noneuclid.layers import Activation, Chain, Drop, Layer, Lift, Linear
from noneuclid.manifolds import HomogeneousManifold


def lift(m: HomogeneousManifold) -> Case:
    """Features of width 5 to points."""
    return Case(Lift(5, m), nn.Linear(5, m.dim), None)


def drop(m: HomogeneousManifold) -> Case:
    """Points to features of width 3."""
    return Case(Drop(m, 3), nn.Linear(m.dim, 3), None)


def _slow_activation(layer: Activation, x: Tensor) -> Tensor:
    m = layer.manifold_in
    return torch.stack([points(m, torch.tanh(coordinates(m, row))) for row in x])


def activation(m: HomogeneousManifold) -> Case:
    """The hyperbolic tangent."""
    return Case(Activation(m, torch.tanh), nn.Tanh(), _slow_activation)


def chain(m: HomogeneousManifold) -> Case:
    """Linear, activation and the way out, against one layer after another."""
    inner = m.like(m.dim + 1)
    steps = (Linear(m, inner), Activation(inner, torch.tanh), Drop(inner, 2))
    twins = (nn.Linear(m.dim, m.dim + 1), nn.Tanh(), nn.Linear(m.dim + 1, 2))
    return Case(
        Chain(*steps), nn.Sequential(*twins), lambda layer, x: nn.Sequential(*layer.layers)(x)
    )


CASES: dict[tuple[type[Layer], str], Builder] = {
    (Lift, ""): lift,
    (Drop, ""): drop,
    (Activation, "tanh"): activation,
    (Chain, ""): chain,
}
