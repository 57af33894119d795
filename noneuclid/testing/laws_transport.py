"""Laws of parallel transport."""

import torch

from noneuclid.manifolds import GeodesicManifold
from noneuclid.numerics import tolerance
from noneuclid.testing.law import DOUBLE, close, law, require, within
from noneuclid.testing.samples import of_length, pairs, reach, resolution, vectors

Generator = torch.Generator


@law(GeodesicManifold)
def transport_is_a_linear_isometry(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """It lands in the tangent space at y, keeps inner products, is linear and invertible."""
    x, y = pairs(manifold, dtype, generator, 32)
    u, v = vectors(manifold, x, generator), vectors(manifold, x, generator)
    at_y, also = manifold.transp(x, y, u), manifold.transp(x, y, v)
    require(bool(manifold.check_vector(y, at_y).all()), "transp is not tangent at y")
    sizes = manifold.norm(x, u) * manifold.norm(x, v)
    length = manifold.norm(x, u) + manifold.norm(x, v)
    # in units of the vectors' length: what the coordinates of both points resolve
    digits = tolerance(dtype) + resolution(manifold, x, y) / reach(manifold, dtype)
    close(manifold.inner(y, at_y, also), manifold.inner(x, u, v), 8 * digits * sizes, "<Tu, Tv>")
    sum_at_y = manifold.transp(x, y, 2 * u - v)
    allowed = 8 * digits * length
    within(manifold.norm(y, sum_at_y - (2 * at_y - also)), 2 * allowed, "transp is linear")
    within(manifold.norm(x, manifold.transp(y, x, at_y) - u), allowed, "transp there and back")
    within(manifold.norm(x, manifold.transp(x, x, u) - u), allowed, "transp from x to x")


@law(GeodesicManifold)
def transport_carries_the_geodesic(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Transport from x to y takes log_x(y) to -log_y(x)."""
    x, y = pairs(manifold, dtype, generator, 32)
    arrived = manifold.transp(x, y, manifold.logmap(x, y))
    allowed = 8 * (tolerance(dtype) * manifold.dist(x, y) + resolution(manifold, x, y))
    within(manifold.norm(y, arrived + manifold.logmap(y, x)), allowed, "T log_x(y) + log_y(x)")


@law(GeodesicManifold, DOUBLE)
def transport_is_parallel(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """It equals the pole ladder, which uses exp and log only: a mere projection does not.

    Ten rungs along the geodesic; each is exact on symmetric spaces and of third order elsewhere.
    """
    x, y = pairs(manifold, dtype, generator, 8)
    length = 0.05 * min(reach(manifold, dtype), 4.0)
    u = of_length(manifold, x, vectors(manifold, x, generator), length)
    here, carried = x, u
    for rung in range(1, 11):
        there = manifold.geodesic(x, y, rung / 10)
        pole = manifold.geodesic(here, there, 0.5)
        tip = manifold.expmap(here, carried)
        across = manifold.geodesic(tip, pole, 2.0)
        here, carried = there, -manifold.logmap(there, across)
    allowed = 1e-6 * length + 100 * resolution(manifold, x, y)
    within(manifold.norm(y, manifold.transp(x, y, u) - carried), allowed, "transp - pole ladder")
