"""Laws of exponential map, logarithm, geodesics, midpoint and retraction."""

import math

import torch
from torch import Tensor

from noneuclid.manifolds import GeodesicManifold, HomogeneousManifold, Manifold, Product
from noneuclid.numerics import tolerance
from noneuclid.testing.law import DOUBLE, close, law, require, same, within
from noneuclid.testing.samples import of_length, pairs, reach, resolution, vectors

Generator = torch.Generator


@law(GeodesicManifold)
def exp_lands_on_the_manifold(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """exp_x(u) is a point for short and long u, and exp_x(0) = projx(x) bit for bit."""
    x = manifold.random(32, generator=generator, dtype=dtype)
    u = vectors(manifold, x, generator)
    for scale in (1e-6, 1.0, 10.0, 1e4):
        y = manifold.expmap(x, scale * u)
        require(bool(manifold.check_point(y).all()), f"exp of {scale} u is off the manifold")
    off = x + 0.1 * torch.randn(x.shape, generator=generator, dtype=dtype)
    for point in (x, off, 100 * off):
        same(manifold.expmap(point, 0 * u), manifold.projx(point), "exp(x, 0)")
    same(manifold.expmap(x, 0 * u), x, "exp(x, 0) of a point")
    y = manifold.expmap(x, u)
    same(manifold.expmap(y, 0 * u), y, "exp(y, 0) of a point made by exp")


@law(GeodesicManifold)
def log_inverts_exp(manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator) -> None:
    """log_x(exp_x(u)) = u at 0.01, 0.5 and 0.99 of the injectivity radius or the dtype's reach."""
    x = manifold.random(32, generator=generator, dtype=dtype)
    radius = float(manifold.injectivity_radius)
    for fraction in (0.01, 0.5, 0.99):
        length = fraction * reach(manifold, dtype)
        u = of_length(manifold, x, vectors(manifold, x, generator), length)
        y = manifold.expmap(x, u)
        back = manifold.logmap(x, y)
        require(bool(manifold.check_vector(x, back).all()), "log is not tangent")
        # near the cut locus the direction turns by the error of y over the distance left
        turn = 1 + (length / (radius - length) if math.isfinite(radius) else 0.0)
        allowed = 4 * turn * (tolerance(dtype) * length + resolution(manifold, x, y))
        within(manifold.norm(x, back - u), allowed, f"log(exp(u)) - u at {fraction} of the reach")


def _has_cut_locus(manifold: Manifold) -> bool:
    return isinstance(manifold, GeodesicManifold) and bool(
        torch.isfinite(manifold.injectivity_radius)
    )


@law(_has_cut_locus)
def log_is_shorter_beyond_the_injectivity_radius(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """At 1.01 of the radius, along a direction that attains it, log returns a shorter vector."""
    radius = float(manifold.injectivity_radius)
    x = manifold.random(16, generator=generator, dtype=dtype)
    u = _attaining(manifold, x, manifold.random_tangent(x, generator=generator))
    y = manifold.expmap(x, of_length(manifold, x, u, 1.01 * radius))
    length = manifold.norm(x, manifold.logmap(x, y))
    allowed = radius * 0.002 + 100 * resolution(manifold, x, y)
    close(length, torch.full_like(length, 0.99 * radius), allowed, "|log| at 1.01 of the radius")


def _attaining(manifold: GeodesicManifold, x: Tensor, u: Tensor) -> Tensor:
    """Keep only the part of `u` in the factor with the smallest injectivity radius."""
    if not isinstance(manifold, Product):
        return u
    radii = [float(factor.injectivity_radius) for factor in manifold.factors]
    smallest = radii.index(min(radii))
    points, parts = manifold.split(x), manifold.split(u)
    kept = [
        _attaining(factor, point, part) if i == smallest else 0 * part
        for i, (factor, point, part) in enumerate(zip(manifold.factors, points, parts, strict=True))
    ]
    return manifold.join(kept)


@law(GeodesicManifold)
def exp_inverts_log(manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator) -> None:
    """exp_x(log_x(y)) = y."""
    x, y = pairs(manifold, dtype, generator, 32)
    back = manifold.expmap(x, manifold.logmap(x, y))
    within(manifold.dist(back, y), 4 * resolution(manifold, x, y), "d(exp(log y), y)")


@law(GeodesicManifold)
def geodesics_have_constant_speed(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """d(g(s), g(t)) = |s - t| d(x, y) from x = g(0) to y = g(1); `t` may be a tensor."""
    x, y = pairs(manifold, dtype, generator, 16)
    d = manifold.dist(x, y)
    allowed = tolerance(dtype) * d + 4 * resolution(manifold, x, y)
    same(manifold.geodesic(x, y, 0.0), x, "g(0)")
    within(manifold.dist(manifold.geodesic(x, y, 1.0), y), allowed, "g(1)")
    times = torch.tensor([0.0, 0.25, 0.5, 0.9], dtype=dtype)
    path = manifold.geodesic(x, y, times[:, None])
    for i, s in enumerate(times):
        for j, t in enumerate(times):
            gap = manifold.dist(path[i], path[j])
            close(gap, (s - t).abs() * d, allowed, f"d(g({float(s):g}), g({float(t):g}))")
    beyond = manifold.dist(manifold.geodesic(x, y, -0.2), x)
    close(beyond, 0.2 * d, allowed, "d(g(-0.2), x)")


@law(GeodesicManifold)
def midpoint_is_between(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """The midpoint of two points halves the way; weights count, their scale does not."""
    x, y = pairs(manifold, dtype, generator, 16)
    two = torch.stack([x, y], dim=1)
    half = manifold.midpoint(two)
    d, allowed = manifold.dist(x, y), 8 * resolution(manifold, x, y)
    require(bool(manifold.check_point(half).all()), "the midpoint is off the manifold")
    close(manifold.dist(x, half), d / 2, allowed, "d(x, midpoint)")
    close(manifold.dist(half, y), d / 2, allowed, "d(midpoint, y)")
    one = torch.tensor([1.0, 0.0], dtype=dtype)
    within(manifold.dist(manifold.midpoint(two, one), x), allowed, "weights (1, 0)")
    uneven = torch.tensor([0.8, 0.2], dtype=dtype)
    nearer = manifold.midpoint(two, uneven)
    require(bool((manifold.dist(x, nearer) < 0.49 * d).all()), "weights (0.8, 0.2) change nothing")
    scaled = manifold.midpoint(two, 5 * uneven)
    within(manifold.dist(scaled, nearer), allowed, "weights times 5")
    if isinstance(manifold, HomogeneousManifold):
        empty = manifold.midpoint(two, 0 * uneven)
        origin = manifold.origin(16, dtype=dtype)
        within(manifold.dist(empty, origin), allowed, "no weight: the origin")


@law(GeodesicManifold, DOUBLE)
def retraction_has_its_order(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """d(retr(x, tu), exp(x, tu)) falls as t^(order + 1); with order inf both are equal."""
    x = manifold.random(8, generator=generator, dtype=dtype)
    u = of_length(manifold, x, vectors(manifold, x, generator), 0.1 * reach(manifold, dtype))
    same(manifold.retr(x, 0 * u), x, "retr(x, 0)")
    if math.isinf(manifold.retraction_order):
        same(manifold.retr(x, u), manifold.expmap(x, u), "retr of infinite order")
        return
    steps = torch.tensor([1.0, 0.5, 0.25, 0.125], dtype=dtype)
    error = torch.stack(
        [manifold.dist(manifold.retr(x, t * u), manifold.expmap(x, t * u)).amax() for t in steps]
    )
    slope = (error[:-1] / error[1:]).log2().median()
    low = manifold.retraction_order + 0.8
    require(bool((slope > low) & (slope < low + 1.2)), f"the error falls as t^{float(slope):.2f}")


@law()
def retraction_carries_vectors(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """retr_transp is retr together with transp."""
    x = manifold.random(4, generator=generator, dtype=dtype)
    u, v = vectors(manifold, x, generator), vectors(manifold, x, generator)
    y, moved, carried = manifold.retr_transp(x, u, v, u)
    same(y, manifold.retr(x, u), "retr_transp: the point")
    same(moved, manifold.transp(x, y, v), "retr_transp: the first vector")
    same(carried, manifold.transp(x, y, u), "retr_transp: the second vector")
