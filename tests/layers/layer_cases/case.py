"""What the cases of every family of layers share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from noneuclid.layers import Layer
from noneuclid.manifolds import (
    HomogeneousManifold,
    Lorentz,
    Product,
    Sphere,
    Stereographic,
    manifold,
)


@dataclass(frozen=True)
class Case:
    """One layer to hold to the laws.

    Attributes:
        layer: fresh, with its initial parameters.
        twin: the flat limit, as `check_layer` takes it.
        oracle: a slow obvious version, as `check_layer` takes it.
        slots: n where the input is a set or sequence of n points, (B, n, S), or (h, w) where it is
            an image of points, (B, h, w, S); None: one point a row.
        claims: further keywords of `check_layer`: the laws this layer claims to keep.
    """

    layer: Layer
    twin: nn.Module | Callable[..., Tensor] | None
    oracle: Callable[..., Tensor] | None
    slots: int | tuple[int, ...] | None = None
    claims: dict[str, Any] = field(default_factory=dict)

    def shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of `rows` inputs, without the axis of coordinates."""
        if self.slots is None:
            return (rows,)
        return (rows, *((self.slots,) if isinstance(self.slots, int) else self.slots))


# A builder gives the case of its layer on a manifold, or None if the layer does not live there.
Builder = Callable[[HomogeneousManifold], Case | None]


def anywhere(build: Builder) -> Case:
    """Return the case on the first that will do of some manifolds with a learned curvature."""
    built = (build(manifold(text)) for text in ("H3* x E2", "B4(-1.3)*", "H4(-0.7)*", "K4(0)*"))
    return next(case for case in built if case is not None)


def coordinates(manifold: HomogeneousManifold, x: Tensor) -> Tensor:
    """Return normal coordinates of points, by the manifold's own methods."""
    return manifold.to_frame(manifold.logmap0(x))


def points(manifold: HomogeneousManifold, c: Tensor) -> Tensor:
    """Return points from normal coordinates, by the manifold's own methods."""
    return manifold.expmap0(manifold.from_frame(c))


def dims_of(manifold: HomogeneousManifold) -> tuple[int, ...]:
    """Return the dimensions of the factors."""
    return manifold.dims if isinstance(manifold, Product) else (manifold.dim,)


def represents_its_geometry(manifold: HomogeneousManifold) -> bool:
    """Tell whether it is the one model of its geometry on which costly layers are checked.

    The hyperboloid, the sphere, and the stereographic model of any sign at K = 0.
    """
    if isinstance(manifold, Stereographic):
        return float(manifold.curvature) == 0
    return isinstance(manifold, Lorentz | Sphere)
