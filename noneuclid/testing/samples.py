"""Points, pairs and vectors to check laws on, and the error their storage alone allows."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds import (
    Euclidean,
    GeodesicManifold,
    HomogeneousManifold,
    Lorentz,
    Manifold,
    Product,
    SpaceForm,
    Sphere,
)
from noneuclid.manifolds.adapters._positive_definite import AffineInvariant
from noneuclid.manifolds.adapters._scaled import ScaledGeodesic
from noneuclid.numerics import tolerance


class Operation(NamedTuple):
    """A method and the kinds of its arguments, one letter each.

    x, y points; u, v vectors at x; o a vector at the origin; g an ambient gradient at x.
    """

    name: str
    method: Callable[..., Tensor]
    arguments: str


def operations(manifold: Manifold) -> list[Operation]:
    """Return the deterministic methods of the manifold's tier."""
    found = [("projx", "x"), ("proju", "xu"), ("inner", "xuv"), ("norm", "xu"), ("retr", "xu")]
    found += [("component_inner", "xu"), ("egrad2rgrad", "xg"), ("transp", "xyu")]
    if isinstance(manifold, GeodesicManifold):
        found += [("expmap", "xu"), ("logmap", "xy"), ("dist", "xy"), ("dist2", "xy")]
    if isinstance(manifold, HomogeneousManifold):
        found += [("expmap0", "o"), ("logmap0", "x"), ("dist0", "x"), ("transp0", "xo")]
        found += [("transp0back", "xu"), ("to_frame", "o")]
    if has_busemann(manifold):
        found += [("busemann", "xo")]
    return [Operation(name, getattr(manifold, name), kinds) for name, kinds in found]


def has_busemann(manifold: Manifold) -> bool:
    """Tell whether all factors have ideal points, or what stands for them where K > 0."""
    return all(isinstance(factor, SpaceForm | Euclidean) for factor in factors(manifold))


def arguments(
    manifold: Manifold, kinds: str, dtype: torch.dtype, generator: torch.Generator, *size: int
) -> list[Tensor]:
    """Return arguments (*size, S) of the given kinds: points and moderate tangent vectors."""
    with torch.no_grad():  # a learnable curvature must not reach the samples
        return _arguments(manifold, kinds, dtype, generator, *size)


def _arguments(
    manifold: Manifold, kinds: str, dtype: torch.dtype, generator: torch.Generator, *size: int
) -> list[Tensor]:
    x, y = pairs(manifold, dtype, generator, *size)
    made = {"x": x, "y": y}
    for kind in "uv":
        made[kind] = vectors(manifold, x, generator)
    made["g"] = torch.randn(x.shape, generator=generator, dtype=dtype)
    if "o" in kinds and isinstance(manifold, HomogeneousManifold):
        made["o"] = vectors(manifold, manifold.origin(*size, dtype=dtype), generator)
    return [made[kind] for kind in kinds]


def factors(manifold: Manifold) -> list[Manifold]:
    """Return the factors of a product, at every depth; the manifold itself if it is none."""
    if isinstance(manifold, Product):
        return [part for factor in manifold.factors for part in factors(factor)]
    return [manifold]


def curvature_of(manifold: Manifold) -> float:
    """Return the sectional curvature of a space form, 0 of anything else."""
    return float(manifold.curvature) if isinstance(manifold, SpaceForm) else 0.0


def reach(manifold: Manifold, dtype: torch.dtype) -> float:
    """Return the length to which round trips are checked: half the digits are left there.

    Points at distance R in negative curvature are stored with an error of eps e^R, so R is
    log(1/eps)/2 in units of |K|^-1/2; it is below the injectivity radius.
    """
    if isinstance(manifold, ScaledGeodesic):
        return float(manifold.scale().detach()) * reach(manifold.base, dtype)
    largest = 0.5 * math.log(1 / torch.finfo(dtype).eps)
    if isinstance(manifold, AffineInvariant):  # the ratio of eigenvalues is exp(length sqrt 2)
        return largest / math.sqrt(2)
    lengths = [largest / math.sqrt(-k) for k in map(curvature_of, factors(manifold)) if k < 0]
    if isinstance(manifold, GeodesicManifold):
        lengths.append(float(manifold.injectivity_radius))
    return min([100.0, *lengths])


def natural_length(manifold: Manifold) -> float:
    """Return the smallest |K|^-1/2 of the factors, at most 1: where curvature begins to show."""
    return min([1.0, *(abs(k) ** -0.5 for k in map(curvature_of, factors(manifold)) if k)])


def vectors(manifold: Manifold, x: Tensor, generator: torch.Generator) -> Tensor:
    """Return tangent vectors at `x`, of about the natural length."""
    return manifold.random_tangent(x, generator=generator) * natural_length(manifold)


def over_points(manifold: Manifold, scalars: Tensor) -> Tensor:
    """Return scalars with an axis for each of a point's: (*,) -> (*, 1, ..., 1)."""
    return scalars[(..., *(None,) * len(manifold.point_shape))]


def point_axes(manifold: Manifold) -> tuple[int, ...]:
    """Return the axes that a point occupies."""
    return tuple(range(-len(manifold.point_shape), 0))


def of_length(manifold: Manifold, x: Tensor, u: Tensor, length: float | Tensor) -> Tensor:
    """Return `u` at `x`, scaled to this length."""
    norm = manifold.norm(x, u).to(torch.float64)
    factor = torch.as_tensor(length, dtype=torch.float64) / norm
    return manifold.proju(x, u * over_points(manifold, factor).to(u.dtype))


def pairs(
    manifold: Manifold, dtype: torch.dtype, generator: torch.Generator, *size: int
) -> tuple[Tensor, Tensor]:
    """Return points x and y (*size, S), at 0.1 to 0.7 of the smaller of reach and two lengths."""
    x = manifold.random(*size, generator=generator, dtype=dtype)
    u = manifold.random_tangent(x, generator=generator)
    largest = min(reach(manifold, dtype), 2 * natural_length(manifold))
    part = 0.1 + 0.6 * torch.rand(size, generator=generator, dtype=torch.float64)
    return x, manifold.retr(x, of_length(manifold, x, u, part * largest))


def resolution(manifold: Manifold, *points: Tensor) -> Tensor:
    """Return the length error that storing these points allows: (*,), float64.

    It is tolerance(dtype) times the distance from the origin, times e^R in negative curvature,
    where rounding a coordinate moves a point by eps e^R; on the embedded sphere, whose
    coordinates have norm K^-1/2, at least tolerance times that; of a positive definite matrix
    tolerance times its condition number, by which rounding moves the smallest eigenvalue.
    """
    if isinstance(manifold, Product):
        split = [manifold.split(point) for point in points]
        parts = [resolution(f, *(s[i] for s in split)) for i, f in enumerate(manifold.factors)]
        return torch.stack(torch.broadcast_tensors(*parts)).sum(0)
    if isinstance(manifold, ScaledGeodesic):
        return float(manifold.scale().detach()) * resolution(manifold.base, *points)
    digits = tolerance(points[0].dtype)
    if isinstance(manifold, AffineInvariant):
        spread = [torch.linalg.cond(point.detach().to(torch.float64)) for point in points]
        return digits * torch.stack(torch.broadcast_tensors(*spread)).amax(0)
    if not isinstance(manifold, HomogeneousManifold):
        return torch.tensor(digits, dtype=torch.float64)
    radii = [manifold.dist0(point.detach()).to(torch.float64) for point in points]
    radius = torch.stack(torch.broadcast_tensors(*radii)).amax(0)
    curvature = curvature_of(manifold)
    if isinstance(manifold, Sphere):
        radius = radius + curvature**-0.5
    growth = torch.exp(radius * math.sqrt(max(-curvature, 0.0)))
    if curvature > 0 and not isinstance(manifold, Sphere):  # 1 + K|x|^2: far out in projection
        half = (0.5 * math.sqrt(curvature) * radius).cos()
        growth = 1 / (half * half + torch.finfo(points[0].dtype).eps)
    return digits * growth * radius


def antipode(manifold: Manifold, x: Tensor) -> Tensor:
    """Return the points farthest from `x` where K > 0, and -x (valid on every model) elsewhere."""
    if isinstance(manifold, Product):
        parts = zip(manifold.factors, manifold.split(x), strict=True)
        return manifold.join([antipode(factor, part) for factor, part in parts])
    curvature = curvature_of(manifold)
    if curvature > 0 and not isinstance(manifold, Sphere):
        wide = x.to(torch.float64)
        square = (wide * wide).sum(-1, keepdim=True)
        at_origin = square == 0  # its antipode is at infinity: the last shell stands for it
        image = -wide / (curvature * torch.where(at_origin, 1, square))
        return manifold.projx(
            torch.where(at_origin, 1 / torch.finfo(x.dtype).eps ** 2, image).to(x)
        )
    return manifold.projx(-x)


def last_shell(manifold: Manifold, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """Return points as far out as the dtype holds (4, S); ordinary ones in flat factors."""
    if isinstance(manifold, Product):
        return manifold.join([last_shell(f, dtype, generator) for f in manifold.factors])
    if isinstance(manifold, Euclidean | Sphere) or curvature_of(manifold) == 0:
        return manifold.random(4, generator=generator, dtype=dtype)
    direction = torch.randn(4, *manifold.point_shape, generator=generator, dtype=torch.float64)
    radius = abs(curvature_of(manifold)) ** -0.5
    beyond = torch.finfo(dtype).max ** 0.5 * min(radius, 1.0)
    if not isinstance(manifold, Lorentz):
        beyond = radius / torch.finfo(dtype).eps ** 2
    return manifold.projx((direction * beyond).to(dtype))  # moves them onto the last shell
