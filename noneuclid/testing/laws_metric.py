"""Laws of points, tangent vectors, the metric and distances."""

import torch
from torch import Tensor

from noneuclid.manifolds import (
    Euclidean,
    GeodesicManifold,
    HomogeneousManifold,
    Manifold,
    Product,
)
from noneuclid.manifolds.adapters._mixed_product import MixedProduct
from noneuclid.numerics import tolerance
from noneuclid.testing.law import DOUBLE, close, law, require, same, within
from noneuclid.testing.samples import pairs, point_axes, resolution, vectors

Generator = torch.Generator


@law()
def random_is_on_the_manifold(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """`random` gives points of the asked size and dtype, which `projx` leaves alone."""
    x = manifold.random(64, 2, generator=generator, dtype=dtype)
    require(x.shape == (64, 2, *manifold.point_shape), f"random(64, 2) has shape {tuple(x.shape)}")
    require(x.dtype == dtype, f"random has dtype {x.dtype}")
    require(manifold.random().shape == manifold.point_shape, "random() is not one point")
    require(bool(manifold.check_point(x).all()), "random points fail check_point")
    same(manifold.projx(x), x, "projx(random)")
    require(float((x[0] - x[1]).abs().max()) > 0, "random repeats itself")


@law()
def projx_is_a_projection(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """Any coordinates are projected onto the manifold, and projecting again changes no bit."""
    size = manifold.random(32, generator=generator, dtype=dtype)
    for spread in (0.1, 3.0, 1e4):
        noise = torch.randn(size.shape, generator=generator, dtype=dtype)
        x = manifold.projx(size + spread * noise)
        require(bool(manifold.check_point(x).all()), f"projx of coordinates off by {spread}")
        same(manifold.projx(x), x, f"projx(projx) of coordinates off by {spread}")


@law()
def proju_is_a_projection(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """Proju is linear, idempotent and the identity on tangent vectors."""
    x = manifold.random(32, generator=generator, dtype=dtype)
    a, b = (torch.randn(x.shape, generator=generator, dtype=dtype) for _ in range(2))
    u, v = manifold.proju(x, a), manifold.proju(x, b)
    require(bool(manifold.check_vector(x, u).all()), "proju fails check_vector")
    scale = 8 * tolerance(dtype) * (x.abs().amax(point_axes(manifold), True) + 1) ** 2
    close(manifold.proju(x, u), u, scale, "proju(proju)")
    tangent = manifold.random_tangent(x, generator=generator)
    require(bool(manifold.check_vector(x, tangent).all()), "random_tangent fails check_vector")
    close(manifold.proju(x, tangent), tangent, scale * tangent.abs() + scale, "proju(tangent)")
    close(manifold.proju(x, 2 * a - b), 2 * u - v, 4 * scale, "proju is linear")


@law()
def inner_is_a_metric(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """Inner is symmetric, bilinear and positive; norm is its root."""
    x = manifold.random(32, generator=generator, dtype=dtype)
    u, v, w = (vectors(manifold, x, generator) for _ in range(3))
    square, uv = manifold.inner(x, u), manifold.inner(x, u, v)
    same(square, manifold.inner(x, u, u), "inner(x, u)")
    require(bool((square > 0).all()), "inner(x, u) is not positive")
    size = manifold.norm(x, u) * manifold.norm(x, v)
    digits = tolerance(dtype)
    close(uv, manifold.inner(x, v, u), digits * size, "inner is symmetric")
    within(uv.abs() - size, digits * size, "Cauchy-Schwarz")
    close(manifold.norm(x, u) ** 2, square, digits * square, "norm^2")
    left = manifold.inner(x, 2 * u + w, v)
    right = 2 * uv + manifold.inner(x, w, v)
    sizes = (2 * manifold.norm(x, u) + manifold.norm(x, w)) * manifold.norm(x, v)
    axes = point_axes(manifold)
    # the sum is rounded in coordinates as large as the point's
    within((left - right).abs(), digits * sizes * (1 + x.abs().amax(axes)) ** 2, "inner is linear")
    require(bool((manifold.inner(x, 0 * u) == 0).all()), "inner(0) is not 0")


@law()
def component_inner_sums_to_inner(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """The parts of a product add to inner, each counted once; so do the n lines of R^n."""
    x = manifold.random(8, generator=generator, dtype=dtype)
    u = vectors(manifold, x, generator)
    parts, inner = manifold.component_inner(x, u), manifold.inner(x, u)
    require(parts.shape == u.shape, f"component_inner has shape {tuple(parts.shape)}")
    total = _count_once(manifold, parts)
    close(total, inner, tolerance(dtype) * inner, "component_inner")


def _count_once(manifold: Manifold, parts: Tensor) -> Tensor:
    """Add a component_inner over its parts."""
    if isinstance(manifold, Product | MixedProduct):
        split = zip(manifold.factors, manifold.split(parts), strict=True)
        return torch.stack([_count_once(f, part) for f, part in split]).sum(0)
    if isinstance(manifold, Euclidean):
        return parts.sum(-1)
    flat = parts.flatten(-len(manifold.point_shape))
    same(flat, flat[..., :1].expand_as(flat), "component_inner of one part")
    return flat[..., 0]


@law()
def egrad2rgrad_is_the_riesz_gradient(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """<egrad2rgrad(g), v> = g.v for tangent v; the result is tangent."""
    x = manifold.random(32, generator=generator, dtype=dtype)
    v = vectors(manifold, x, generator)
    g = torch.randn(x.shape, generator=generator, dtype=dtype)
    gradient = manifold.egrad2rgrad(x, g)
    require(bool(manifold.check_vector(x, gradient).all()), "egrad2rgrad is not tangent")
    axes = point_axes(manifold)
    expected = (g.double() * v.double()).sum(axes)
    size = (g * v).abs().sum(axes) + manifold.norm(x, gradient) * manifold.norm(x, v)
    close(manifold.inner(x, gradient, v), expected, 8 * tolerance(dtype) * size, "<grad, v>")


@law(GeodesicManifold, DOUBLE)
def gradient_is_the_directional_derivative(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """<egrad2rgrad(autograd of f), v> is the derivative of f along the geodesic of v."""
    x = manifold.random(16, generator=generator, dtype=dtype)
    v = vectors(manifold, x, generator)
    a = torch.randn(manifold.point_shape, generator=generator, dtype=dtype) / (1 + x.abs().max())
    axes = point_axes(manifold)

    def function(x: Tensor) -> Tensor:
        return (x * a).sum(axes) + (x * a).sin().square().sum(axes)

    point = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(function(point).sum(), point)
    step = 1e-4
    ahead, behind = (function(manifold.expmap(x, t * v)) for t in (step, -step))
    slope = (ahead - behind) / (2 * step)
    expected = manifold.inner(x, manifold.egrad2rgrad(x, g), v)
    scale = 1 + slope.abs() + (v * a).abs().sum(axes)
    close(slope, expected, 1e-5 * scale, "d/dt f(exp tv)")


@law(GeodesicManifold)
def distance_is_a_metric(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """d(x, x) = 0 exactly, d > 0 elsewhere, symmetry, triangle inequality; dist2 = dist^2."""
    x, y = pairs(manifold, dtype, generator, 32)
    z = manifold.random(32, generator=generator, dtype=dtype)
    require(bool((manifold.dist(x, x) == 0).all()), "d(x, x) is not 0")
    require(bool((manifold.dist2(x, x.clone()) == 0).all()), "dist2(x, x) is not 0")
    d = manifold.dist(x, y)
    require(bool((d > 0).all()), "d(x, y) is not positive")
    digits = tolerance(dtype)
    close(manifold.dist(y, x), d, digits * d, "d(y, x)")
    close(manifold.dist2(x, y), d * d, digits * d * d, "dist2")
    around = manifold.dist(x, z) + manifold.dist(z, y)
    within(d - around, digits * around, "triangle")
    radius = float(manifold.injectivity_radius)
    if not isinstance(manifold, Product):
        within(d, radius * (1 + digits), "d is at most the injectivity radius")


@law(GeodesicManifold)
def distance_is_the_length_of_log(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """|log_x(y)|_x = d(x, y)."""
    x, y = pairs(manifold, dtype, generator, 32)
    d = manifold.dist(x, y)
    allowed = tolerance(dtype) * d + resolution(manifold, x, y)
    close(manifold.norm(x, manifold.logmap(x, y)), d, allowed, "|log|")


@law(GeodesicManifold)
def cdist_is_dist(manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator) -> None:
    """Cdist holds dist of all rows, with batch axes, and 0 on the diagonal."""
    x = manifold.random(2, 5, generator=generator, dtype=dtype)
    y = manifold.random(2, 3, generator=generator, dtype=dtype)
    table = manifold.cdist(x, y)
    require(table.shape == (2, 5, 3), f"cdist has shape {tuple(table.shape)}")
    for i in range(5):
        for j in range(3):
            d = manifold.dist(x[:, i], y[:, j])
            close(table[:, i, j], d, tolerance(dtype) * d, f"cdist[{i}, {j}]")
    diagonal = manifold.cdist(x, x).diagonal(dim1=-2, dim2=-1)
    require(bool((diagonal == 0).all()), "cdist(x, x) has no zero diagonal")


@law(HomogeneousManifold, DOUBLE)
def random_tangent_is_standard_normal(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Its coordinates in an orthonormal frame have mean 0 and unit covariance."""
    count = 4000
    x = manifold.random(generator=generator, dtype=dtype)
    frame = manifold.transp0(x, manifold.from_frame(torch.eye(manifold.dim, dtype=dtype)))
    u = manifold.random_tangent(x.expand(count, *x.shape), generator=generator)
    coordinates = manifold.inner(x, u.unsqueeze(-2), frame)
    within(coordinates.mean(0).abs(), 5 / count**0.5, "mean")
    covariance = coordinates.mT @ coordinates / count
    close(covariance, torch.eye(manifold.dim, dtype=dtype), 8 / count**0.5, "covariance")


@law()
def what_is_off_is_rejected(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """NaN and infinity always; points and vectors that projx and proju would move."""
    x = manifold.random(8, generator=generator, dtype=dtype)
    u = vectors(manifold, x, generator)
    for bad in (float("nan"), float("inf")):
        require(not bool(manifold.check_point(x * 0 + bad).any()), f"{bad} passes check_point")
        require(not bool(manifold.check_vector(x, x * 0 + bad).any()), f"{bad} is a vector")
    noise = torch.randn(x.shape, generator=generator, dtype=dtype)
    axes = point_axes(manifold)
    for off in (x + noise * (1 + x.abs()), x * 1.01, x * 1e6):
        moved = (off - manifold.projx(off)).abs().amax(axes) > 1e-3 * (off.abs().amax(axes))
        require(not bool((moved & manifold.check_point(off)).any()), "an off point passes")
    off = u + noise
    moved = (off - manifold.proju(x, off)).abs().amax(axes) > 1e-2 * off.abs().amax(axes)
    require(not bool((moved & manifold.check_vector(x, off)).any()), "an off vector passes")
