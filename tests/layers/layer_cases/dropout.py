"""Cases of dropout, which the laws see in evaluation mode; training is in test_dropout.py."""

from functools import partial

from torch import Tensor, nn

from layer_cases.case import Builder, Case
from noneuclid.layers import Dropout, Layer
from noneuclid.manifolds import HomogeneousManifold, Product, SpaceForm


def _identity(layer: Dropout, x: Tensor) -> Tensor:
    return x


def fixed(m: HomogeneousManifold) -> HomogeneousManifold:
    """Return the manifold with fixed curvatures: the identity has no derivative by K."""
    if isinstance(m, Product):
        return Product(*map(fixed, m.factors))
    return type(m)(m.dim, float(m.curvature().detach())) if isinstance(m, SpaceForm) else m


def dropout(m: HomogeneousManifold, kind: str) -> Case:
    """Of three coordinates in ten."""
    return Case(Dropout(fixed(m), 0.3, kind).eval(), nn.Dropout(0.3).eval(), _identity)


CASES: dict[tuple[type[Layer], str], Builder] = {
    (Dropout, kind): partial(dropout, kind=kind) for kind in ("tangent", "space")
}
