"""Laws of the origin: the methods named `...0` are the generic ones at `origin()`."""

import torch

from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import tolerance
from noneuclid.testing.law import close, law, require, same, within
from noneuclid.testing.samples import pairs, reach, resolution, vectors

Generator = torch.Generator


@law(HomogeneousManifold)
def the_origin_is_a_point(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Origin(size) repeats one point, at distance 0 from itself."""
    o = manifold.origin(3, 2, dtype=dtype)
    require(o.shape == (3, 2, *manifold.point_shape), f"origin(3, 2) has shape {tuple(o.shape)}")
    require(o.dtype == dtype, f"origin has dtype {o.dtype}")
    require(bool(manifold.check_point(o).all()), "the origin is off the manifold")
    same(manifold.projx(o), o, "projx(origin)")
    require(bool((manifold.dist0(o) == 0).all()), "dist0(origin) is not 0")
    require(bool((manifold.logmap0(o) == 0).all()), "logmap0(origin) is not 0")
    same(manifold.expmap0(manifold.logmap0(o)), o, "expmap0(0)")


@law(HomogeneousManifold)
def maps_at_the_origin_are_the_generic_ones(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """expmap0, logmap0, dist0, transp0, transp0back against expmap, logmap, dist and transp."""
    x, _ = pairs(manifold, dtype, generator, 32)
    o = manifold.origin(32, dtype=dtype)
    u, v = vectors(manifold, o, generator), vectors(manifold, x, generator)
    digits, error = tolerance(dtype), resolution(manifold, x)
    y = manifold.expmap(o, u)
    gap = manifold.dist(manifold.expmap0(u), y)
    within(gap, 4 * resolution(manifold, y, o), "expmap0")
    d = manifold.dist(o, x)
    close(manifold.dist0(x), d, digits * d, "dist0")
    log = manifold.logmap0(x)
    require(bool(manifold.check_vector(o, log).all()), "logmap0 is not tangent")
    within(manifold.norm(o, log - manifold.logmap(o, x)), 4 * (digits * d + error), "logmap0")
    allowed = 8 * (digits + error / reach(manifold, dtype))
    size = manifold.norm(o, u)
    there = manifold.transp0(x, u)
    within(manifold.norm(x, there - manifold.transp(o, x, u)), allowed * size, "transp0")
    size = manifold.norm(x, v)
    back = manifold.transp0back(x, v)
    within(manifold.norm(o, back - manifold.transp(x, o, v)), allowed * size, "transp0back")


@law(HomogeneousManifold)
def maps_at_the_origin_invert_each_other(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """logmap0(expmap0(u)) = u and transp0back(transp0(u)) = u."""
    x, _ = pairs(manifold, dtype, generator, 32)
    o = manifold.origin(32, dtype=dtype)
    u = vectors(manifold, o, generator)
    y = manifold.expmap0(0.2 * u)
    allowed = 4 * (tolerance(dtype) * manifold.norm(o, u) + resolution(manifold, y, o))
    within(manifold.norm(o, manifold.logmap0(y) - 0.2 * u), allowed, "logmap0(expmap0)")
    allowed = 8 * tolerance(dtype) + 8 * resolution(manifold, x) / reach(manifold, dtype)
    back = manifold.transp0back(x, manifold.transp0(x, u))
    within(manifold.norm(o, back - u), allowed * manifold.norm(o, u), "transp0back(transp0)")


@law(HomogeneousManifold)
def the_frame_is_orthonormal(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """From_frame maps R^dim isometrically onto the vectors at the origin; to_frame inverts it."""
    o = manifold.origin(dtype=dtype)
    frame = manifold.from_frame(torch.eye(manifold.dim, dtype=dtype))
    require(bool(manifold.check_vector(o, frame).all()), "frame vectors are not tangent")
    gram = manifold.inner(o, frame.unsqueeze(-2), frame)
    close(gram, torch.eye(manifold.dim, dtype=dtype), tolerance(dtype), "Gram matrix of the frame")
    coordinates = torch.randn(8, manifold.dim, generator=generator, dtype=dtype)
    back = manifold.to_frame(manifold.from_frame(coordinates))
    close(back, coordinates, tolerance(dtype) * coordinates.abs(), "to_frame(from_frame)")
    u = manifold.random_tangent(manifold.origin(8, dtype=dtype), generator=generator)
    again = manifold.from_frame(manifold.to_frame(u))
    within(
        manifold.norm(o, again - u), tolerance(dtype) * manifold.norm(o, u), "from_frame(to_frame)"
    )
