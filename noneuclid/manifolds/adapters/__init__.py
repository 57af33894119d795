"""geoopt's manifolds as ours, and ours as geoopt's.

geoopt is imported by the first call, never by `import noneuclid`. What of geoopt is repaired on
the way is said in the class that stands for each of its manifolds.
"""

import operator
from collections.abc import Sequence
from typing import Any

from torch import nn

from noneuclid.manifolds._base import Manifold
from noneuclid.manifolds.adapters._links import link, linked

__all__ = ["from_geoopt", "to_geoopt"]


def from_geoopt(manifold: nn.Module, point_shape: int | Sequence[int] | None = None) -> Manifold:
    """Return a geoopt manifold as one of ours; the same object each time.

    Where we have the manifold, it is ours, with its exact kernels, on the same coordinates:

    | geoopt | here |
    | --- | --- |
    | `PoincareBall(c)` | `PoincareBall(n)`, K = -c |
    | `SphereProjection(k)`, `Stereographic(k)` | the same, K = k |
    | `Lorentz(k)` | `Lorentz(n)`, K = -1/k: k is a squared radius |
    | `Sphere()` | `Sphere(n)`, K = 1 |
    | `Euclidean(ndim)` | `Euclidean(n)`, a point being a vector |
    | `ProductManifold` of these | `Product`; (k, n) points of a factor are k factors |

    A learnable curvature is read from geoopt's own parameter at each call: one tensor, under
    geoopt's parametrisation, whichever library's optimizer moves it. `Stiefel`,
    `SymmetricPositiveDefinite`, `BirkhoffPolytope`, `UpperHalf`, `BoundedDomain`, spheres within
    a subspace, `Scaled`, products with such factors and classes of a user's own are wrapped; a
    wrapper has geodesics where geoopt has its exponential map, logarithm and distance.

    Args:
        manifold: a geoopt manifold, or what `to_geoopt` returned, whose original is returned.
        point_shape: the shape of one point, which geoopt does not know but for products: a number
            for vectors (coordinates, not dimension: 3 for the 2-sphere), (n, p) for matrices. For
            the Siegel spaces, whose points are complex, (n, n): ours are their real view
            (*, n, n, 2), `torch.view_as_real`.

    Raises:
        TypeError: not a geoopt manifold. ValueError: no shape, or none that the manifold can have.
    """
    import geoopt

    from noneuclid.manifolds.adapters._incoming import convert

    if not isinstance(manifold, geoopt.Manifold):
        raise TypeError(f"from_geoopt expects a geoopt manifold, got {type(manifold).__name__}")
    if point_shape is None:
        return convert(manifold, None)
    sizes: Any = point_shape if isinstance(point_shape, Sequence) else (point_shape,)
    return convert(manifold, tuple(operator.index(size) for size in sizes))


def to_geoopt(manifold: Manifold) -> Any:
    """Return one of our manifolds as a `geoopt.Manifold`; the same object each time.

    `geoopt.ManifoldParameter` and geoopt's optimizers take it. A manifold that came from geoopt
    gives the geoopt manifold it came from.

    Raises:
        TypeError: not one of our manifolds.
    """
    from noneuclid.manifolds.adapters._outgoing import wrap

    if not isinstance(manifold, Manifold):
        raise TypeError(f"to_geoopt expects a noneuclid manifold, got {type(manifold).__name__}")
    theirs = linked(manifold)
    if theirs is None:
        theirs = wrap(manifold)
        link(manifold, theirs)
    return theirs
