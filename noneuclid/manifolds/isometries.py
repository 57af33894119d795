"""Isometries between models of the same space.

`isometry(A, B)` looks the pair of classes up in a registry; a new model registers its map with
`@register_isometry(A, B)`. Every map comes with its tangent map.
"""

from collections.abc import Callable

from torch import Tensor

from noneuclid.manifolds._geodesic import HomogeneousManifold
from noneuclid.manifolds._isometry import Isometry, PointMap, side_by_side
from noneuclid.manifolds._space_form import SpaceForm
from noneuclid.manifolds.euclidean import Euclidean
from noneuclid.manifolds.lorentz import Lorentz
from noneuclid.manifolds.product import Product
from noneuclid.manifolds.sphere import Sphere
from noneuclid.manifolds.stereographic import PoincareBall, SphereProjection, Stereographic

_Builder = Callable[..., PointMap]
_REGISTRY: dict[tuple[type, type], _Builder] = {}


def register_isometry(source: type, target: type) -> Callable[[_Builder], _Builder]:
    """Register a function (A, B) -> point map as the isometry from class `source` to `target`.

    Raises:
        TypeError: the arguments are not manifold classes. ValueError: the pair is taken.
    """
    for cls in (source, target):
        if not (isinstance(cls, type) and issubclass(cls, HomogeneousManifold)):
            raise TypeError(f"register_isometry needs two manifold classes, got {cls!r}")
    if (source, target) in _REGISTRY:
        raise ValueError(f"an isometry {source.__name__} -> {target.__name__} is registered")

    def register(builder: _Builder) -> _Builder:
        _REGISTRY[source, target] = builder
        return builder

    return register


def isometry(source: HomogeneousManifold, target: HomogeneousManifold) -> Isometry:
    """Return the isometry that maps origin to origin and frame to frame.

    `isometry(A, B)(x)` maps points, `.tangent(x, v)` tangent vectors.

    Raises:
        ValueError: no such map is registered, or dimension or curvature differ.
    """
    if source.dim != target.dim:
        raise ValueError(f"no isometry between dimensions {source.dim} and {target.dim}")
    if source.same_as(target):
        return Isometry(source, target, lambda x: x)
    if type(source) is type(target) and not isinstance(source, Product):
        _check_curvatures(source, target)
        return Isometry(source, target, lambda x: x)
    builder = _REGISTRY.get((type(source), type(target)))
    if builder is None:
        raise ValueError(
            f"no isometry from {type(source).__name__} to {type(target).__name__} is known;"
            " register one with register_isometry"
        )
    if not isinstance(source, Product):
        _check_curvatures(source, target)
    return Isometry(source, target, builder(source, target))


def _check_curvatures(source: HomogeneousManifold, target: HomogeneousManifold) -> None:
    values = [float(m.curvature) if isinstance(m, SpaceForm) else 0.0 for m in (source, target)]
    if abs(values[0] - values[1]) > 1e-6 * abs(values[0]):
        raise ValueError(
            f"not isometric, curvatures {values[0]:g} and {values[1]:g}: {source!r}, {target!r}"
        )


def _through_frame(source: HomogeneousManifold, target: HomogeneousManifold) -> PointMap:
    """Map x to exp_o(log_o x) across the models, frame to frame: the isometry in every pair.

    Accurate because the radius is carried as a number: a far point of the hyperboloid becomes a
    ball point with the right gap, where xs / (1 + t) would be rounded to the rim.
    """

    def point_map(x: Tensor) -> Tensor:
        return target.expmap0(target.from_frame(source.to_frame(source.logmap0(x))))

    return point_map


_HYPERBOLIC = (Lorentz, PoincareBall, Stereographic)
_SPHERICAL = (Sphere, SphereProjection, Stereographic)
_FLAT = (Euclidean, Stereographic)
for _family in (_HYPERBOLIC, _SPHERICAL, _FLAT):
    for _a in _family:
        for _b in _family:
            if _a is not _b and (_a, _b) not in _REGISTRY:
                register_isometry(_a, _b)(_through_frame)


@register_isometry(Product, Product)
def _factorwise(source: Product, target: Product) -> PointMap:
    if source.dims != target.dims:
        raise ValueError(f"{source!r} and {target!r} have factors of different dimensions")
    maps = [isometry(a, b) for a, b in zip(source.factors, target.factors, strict=True)]
    return side_by_side(maps)
