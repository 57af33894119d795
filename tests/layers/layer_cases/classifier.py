"""Cases of classifier heads, and of the linear layer that is made of Busemann functions."""

import torch
from torch import Tensor, nn

from layer_cases.case import Builder, Case, coordinates, dims_of, points
from noneuclid.layers import (
    BusemannClassifier,
    HyperplaneClassifier,
    IdealPrototypeClassifier,
    Layer,
    PrototypeClassifier,
)
from noneuclid.manifolds import Euclidean, HomogeneousManifold, Product, SpaceForm

CLASSES, RHO = 3, 0.8


def factors_of(m: HomogeneousManifold) -> tuple[HomogeneousManifold, ...]:
    return tuple(m.factors) if isinstance(m, Product) else (m,)


def split(m: HomogeneousManifold, x: Tensor) -> tuple[Tensor, ...]:
    return m.split(x) if isinstance(m, Product) else (x,)


# -- hyperplanes -----------------------------------------------------------------------------------


def _slow_planes(layer: HyperplaneClassifier, x: Tensor) -> Tensor:
    """|z| times the distance to the plane through exp_o(r z/|z|), across z carried there."""
    m = layer.manifold_in
    offsets = layer.offset.reshape(CLASSES, -1)
    total = torch.zeros(len(x), CLASSES, dtype=x.dtype)
    for i, (factor, part) in enumerate(zip(factors_of(m), split(m, x), strict=True)):
        for k in range(CLASSES):
            z = layer.weight.split(dims_of(m), -1)[i][k]
            p = points(factor, offsets[k, i] * z / z.norm())
            if isinstance(factor, Euclidean):
                total[:, k] += (part - p) @ z
                continue
            assert isinstance(factor, SpaceForm)
            a = factor.transp0(p, factor.from_frame(z))
            total[:, k] += factor.dist2plane(part, p, a, signed=True, scaled=True)
    return total


def hyperplane(m: HomogeneousManifold) -> Case:
    """Three classes."""
    return Case(HyperplaneClassifier(m, CLASSES), nn.Linear(m.dim, CLASSES), _slow_planes)


def _shortened(m: HomogeneousManifold, c: Tensor) -> Tensor:
    parts = c.split(dims_of(m), dim=-1)
    return torch.cat([p * (RHO / p.norm(dim=-1, keepdim=True)).clamp(max=1) for p in parts], -1)


def clipped_hyperplane(m: HomogeneousManifold) -> Case:
    """Features cut off at a distance of 0.8."""

    def oracle(layer: HyperplaneClassifier, x: Tensor) -> Tensor:
        return _slow_planes(layer, points(m, _shortened(m, coordinates(m, x))))

    def twin(c: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return nn.functional.linear(_shortened(m, c), weight, bias)

    return Case(HyperplaneClassifier(m, CLASSES, clip=RHO), twin, oracle)


# -- Busemann functions ----------------------------------------------------------------------------


def slow_depths(m: HomogeneousManifold, x: Tensor, v: Tensor, gains: Tensor) -> Tensor:
    total = torch.zeros(len(x), len(v), dtype=x.dtype)
    gains = gains.reshape(len(v), -1)
    for i, (factor, part) in enumerate(zip(factors_of(m), split(m, x), strict=True)):
        for k, direction in enumerate(v.split(dims_of(m), -1)[i]):
            total[:, k] -= gains[k, i] * factor.busemann(part, factor.from_frame(direction))
    return total


def busemann(m: HomogeneousManifold) -> Case:
    """Three classes."""

    def oracle(layer: BusemannClassifier, x: Tensor) -> Tensor:
        return layer.bias + slow_depths(m, x, layer.direction, layer.log_gain.exp())

    return Case(BusemannClassifier(m, CLASSES), nn.Linear(m.dim, CLASSES), oracle)


def ideal(m: HomogeneousManifold) -> Case:
    """Three classes; the busemann function of the whole product is the oracle."""

    def oracle(layer: IdealPrototypeClassifier, x: Tensor) -> Tensor:
        v = m.from_frame(layer.direction)
        return -layer.log_scale.exp() * torch.stack([m.busemann(x, row) for row in v], dim=-1)

    twin = nn.Linear(m.dim, CLASSES, bias=False)
    return Case(IdealPrototypeClassifier(m, CLASSES), twin, oracle)


# -- prototypes ------------------------------------------------------------------------------------


def prototype(m: HomogeneousManifold, squared: bool = True) -> Case:
    """Minus the squared distance."""

    def oracle(layer: PrototypeClassifier, x: Tensor) -> Tensor:
        d = torch.stack([m.dist(x, p) for p in layer.prototypes], dim=-1)
        return -layer.log_scale.exp() * (d * d if squared else d)

    def twin(c: Tensor, prototypes: Tensor, scale: Tensor) -> Tensor:
        d = (c[:, None] - prototypes).norm(dim=-1)
        return -scale * (d * d if squared else d)

    return Case(PrototypeClassifier(m, CLASSES, squared=squared), twin, oracle)


def near_prototype(m: HomogeneousManifold) -> Case:
    """Minus the distance."""
    return prototype(m, squared=False)


CASES: dict[tuple[type[Layer], str], Builder] = {
    (HyperplaneClassifier, ""): hyperplane,
    (HyperplaneClassifier, "clipped"): clipped_hyperplane,
    (BusemannClassifier, ""): busemann,
    (IdealPrototypeClassifier, ""): ideal,
    (PrototypeClassifier, "squared"): prototype,
    (PrototypeClassifier, "distance"): near_prototype,
}
