"""From geoopt: which of our manifolds a geoopt manifold is."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.manifolds._base import Manifold
from noneuclid.manifolds._geodesic import GeodesicManifold, HomogeneousManifold
from noneuclid.manifolds.adapters._birkhoff import Birkhoff
from noneuclid.manifolds.adapters._delegate import Delegate
from noneuclid.manifolds.adapters._links import link, linked
from noneuclid.manifolds.adapters._mixed_product import MixedProduct
from noneuclid.manifolds.adapters._positive_definite import AffineInvariant, PositiveDefinite
from noneuclid.manifolds.adapters._scaled import Scaled, ScaledGeodesic
from noneuclid.manifolds.adapters._shared_curvature import curvature_of
from noneuclid.manifolds.adapters._siegel import BoundedDomain, UpperHalf
from noneuclid.manifolds.adapters._stiefel import Stiefel
from noneuclid.manifolds.adapters._subsphere import Subsphere
from noneuclid.manifolds.euclidean import Euclidean
from noneuclid.manifolds.lorentz import Lorentz
from noneuclid.manifolds.product import Product
from noneuclid.manifolds.sphere import Sphere
from noneuclid.manifolds.stereographic import PoincareBall, SphereProjection, Stereographic

Shape = tuple[int, ...]


def convert(source: nn.Module, shape: Shape | None) -> Manifold:
    """Return ours for a geoopt manifold and the shape of its points; one object for each."""
    shape = _own_shape(source) or shape
    if shape is None:
        raise ValueError(
            f"{source!r} does not know the shape of its points; give it:"
            " from_geoopt(manifold, point_shape)"
        )
    ours = linked(source, shape)
    if ours is None:
        ours = _converted(source, shape)
        link(source, ours, shape)
        link(ours, source)
    return ours


def _own_shape(source: Any) -> Shape | None:
    """Return the point shape where the manifold fixes it: of products, and of ours."""
    if isinstance(getattr(source, "manifold", None), Manifold):
        return source.manifold.point_shape
    if hasattr(source, "n_elements"):
        return (source.n_elements,)
    base = getattr(source, "base", None)
    return None if base is None else _own_shape(base)


def _converted(source: Any, shape: Shape) -> Manifold:
    import geoopt  # loaded already: `source` is one of its objects

    if isinstance(getattr(source, "manifold", None), Manifold):
        return source.manifold
    builders: list[tuple[type, Callable[[Any, Shape], Manifold]]] = [
        (geoopt.ProductManifold, _product),
        (geoopt.Scaled, _scaled),
        (geoopt.PoincareBall, _curved(PoincareBall, "PoincareBall", "isp_c")),
        (geoopt.SphereProjection, _curved(SphereProjection, "SphereProjection", "isp_k")),
        (geoopt.Stereographic, _curved(Stereographic, "Stereographic", "k")),
        (geoopt.Lorentz, _curved(Lorentz, "Lorentz", "k")),
        (geoopt.Sphere, _sphere),
        (geoopt.Euclidean, _euclidean),
        (geoopt.Stiefel, Stiefel),
        (geoopt.SymmetricPositiveDefinite, _positive_definite),
        (geoopt.BirkhoffPolytope, Birkhoff),
        (geoopt.UpperHalf, UpperHalf),
        (geoopt.BoundedDomain, BoundedDomain),
    ]
    for theirs, build in builders:
        # a subclass of a user's own may change anything: only geoopt's own classes are known
        if isinstance(source, theirs) and type(source).__module__.startswith("geoopt."):
            return build(source, shape)
    return Delegate(source, shape)


def _curved(
    model: type[PoincareBall | SphereProjection | Stereographic | Lorentz],
    convention: str,
    name: str,
) -> Callable[[Any, Shape], Manifold]:
    """Return the builder of a space form: same coordinates, curvature shared."""

    def build(source: Any, shape: Shape) -> Manifold:
        width = _width(source, shape) - model._extra_coordinates
        return model(width, curvature_of(source._parameters[name], convention))

    return build


def _width(source: Any, shape: Shape) -> int:
    if len(shape) != 1:
        raise ValueError(f"points of {source!r} are vectors, got point_shape {shape}")
    return shape[0]


def _sphere(source: Any, shape: Shape) -> Manifold:
    if source.projector is None:
        return Sphere(_width(source, shape) - 1)
    return Subsphere(source, shape)


def _euclidean(source: Any, shape: Shape) -> Manifold:
    return Euclidean(_width(source, shape))


def _positive_definite(source: Any, shape: Shape) -> Manifold:
    tier = AffineInvariant if source.default_metric.value == "AIM" else PositiveDefinite
    return tier(source, shape)


def _scaled(source: Any, shape: Shape) -> Manifold:
    base = convert(source.base, shape)
    if isinstance(base, GeodesicManifold):
        return ScaledGeodesic(base, source, shape)
    return Scaled(base, source, shape)


def _product(source: Any, shape: Shape) -> Manifold:
    factors: list[Manifold] = []
    for theirs, part in zip(source.manifolds, source.shapes, strict=True):
        if theirs.ndim == 0 or type(theirs).__name__ == "Euclidean":
            factors.append(convert(theirs, (torch.Size(part).numel(),)))
            continue
        # axes before those of a point: so many points of one manifold
        count = torch.Size(part[: len(part) - theirs.ndim]).numel()
        factors.extend([convert(theirs, tuple(part[len(part) - theirs.ndim :]))] * count)
    vectors = [f for f in factors if isinstance(f, HomogeneousManifold)]
    if len(vectors) == len(factors):
        return Product(*vectors)
    return MixedProduct(source, factors)


def manifold_of_foreign(parameter: Tensor, source: nn.Module) -> Manifold | None:
    """Return our manifold for a geoopt `ManifoldParameter` and the manifold it is marked with.

    None for a single number of R, an ordinary parameter.

    Raises:
        TypeError: a complex parameter.
    """
    if parameter.is_complex():
        raise TypeError(
            f"a complex parameter {tuple(parameter.shape)} on {source!r} has no place among real"
            " points; train its real view: ManifoldParameter(torch.view_as_real(data),"
            " from_geoopt(manifold, (n, n)))"
        )
    if type(source).__name__ == "Euclidean":  # whatever its ndim, it counts as lines
        return convert(source, tuple(parameter.shape[-1:])) if parameter.dim() else None
    count = source.ndim
    assert isinstance(count, int)
    shape = tuple(parameter.shape[parameter.dim() - count :])
    return linked(source, shape) or convert(source, shape)
