"""Laws of curvature: its sign and size, scaling, isometries, derivatives in K."""

import torch
from torch import Tensor

from noneuclid.manifolds import (
    Curvature,
    Euclidean,
    HomogeneousManifold,
    Manifold,
    SpaceForm,
)
from noneuclid.numerics import tolerance
from noneuclid.testing.law import DOUBLE, close, law, require, within
from noneuclid.testing.samples import (
    curvature_of,
    natural_length,
    of_length,
    pairs,
    reach,
    resolution,
    vectors,
)

Generator = torch.Generator


def _has_sections(manifold: Manifold) -> bool:
    return isinstance(manifold, SpaceForm | Euclidean) and manifold.dim > 1


@law(_has_sections, DOUBLE)
def curvature_is_the_sectional_curvature(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Two geodesics from x with orthonormal u, v part as d^2 = 2 t^2 - K t^4 / 3 + O(t^6)."""
    x = manifold.random(16, generator=generator, dtype=dtype)
    u = of_length(manifold, x, vectors(manifold, x, generator), 1.0)
    v = vectors(manifold, x, generator)
    v = v - manifold.inner(x, u, v).unsqueeze(-1) * u
    v = of_length(manifold, x, v, 1.0)
    curvature = curvature_of(manifold)
    t = 0.03 * (abs(curvature) ** -0.5 if curvature else 1.0)
    square = manifold.dist2(manifold.expmap(x, t * u), manifold.expmap(x, t * v))
    measured = (2 * t * t - square) * 3 / t**4
    scale = abs(curvature) or 1.0
    close(measured, torch.full_like(measured, curvature), 0.01 * scale, "measured curvature")


@law(SpaceForm)
def curvature_scales(manifold: SpaceForm, dtype: torch.dtype, generator: Generator) -> None:
    """With K s^2 for K, all lengths and coordinates are divided by s."""
    x, y = pairs(manifold, dtype, generator, 16)
    u = vectors(manifold, x, generator)
    for s in (2.0, 0.3):
        scaled = type(manifold)(manifold.dim, curvature_of(manifold) * s * s)
        x_s, y_s, u_s = scaled.projx(x / s), scaled.projx(y / s), scaled.proju(x / s, u / s)
        d, error = manifold.dist(x, y), 8 * resolution(manifold, x, y)
        close(s * scaled.dist(x_s, y_s), d, tolerance(dtype) * d + error, "s dist")
        z = manifold.expmap(x, u)
        moved = manifold.projx(s * scaled.expmap(x_s, u_s))
        error = error + 8 * resolution(manifold, z)
        within(manifold.dist(moved, z), error, "s exp")
        log = s * scaled.logmap(x_s, y_s) - manifold.logmap(x, y)
        within(manifold.norm(x, log), tolerance(dtype) * d + error, "s log")
        carried = s * scaled.transp(x_s, y_s, u_s) - manifold.transp(x, y, u)
        size = manifold.norm(x, u) * (tolerance(dtype) + error / reach(manifold, dtype))
        within(manifold.norm(y, carried), 8 * size, "s transp")


@law(HomogeneousManifold)
def isometries_change_nothing(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """A random motion keeps distances and commutes with exp, log and transport."""
    motion = manifold.random_isometry(generator)
    x, y = pairs(manifold, dtype, generator, 16)
    u = vectors(manifold, x, generator)
    x_m, y_m, u_m = motion(x), motion(y), motion.tangent(x, u)
    require(bool(manifold.check_point(x_m).all()), "the motion leaves the manifold")
    error = 16 * resolution(manifold, x, y, x_m, y_m)
    d, digits = manifold.dist(x, y), tolerance(dtype)
    close(manifold.dist(x_m, y_m), d, digits * d + error, "distance after a motion")
    inner = manifold.inner(x, u)
    close(manifold.inner(x_m, u_m), inner, 8 * inner * (digits + error), "length after a motion")
    z = manifold.expmap(x, u)
    error = error + 16 * resolution(manifold, z, motion(z))
    within(manifold.dist(manifold.expmap(x_m, u_m), motion(z)), error, "exp after a motion")
    log = manifold.logmap(x_m, y_m) - motion.tangent(x, manifold.logmap(x, y))
    within(manifold.norm(x_m, log), 8 * (digits * d + error), "log after a motion")
    carried = manifold.transp(x_m, y_m, u_m) - motion.tangent(y, manifold.transp(x, y, u))
    size = 8 * manifold.norm(x, u) * (digits + error / natural_length(manifold))
    within(manifold.norm(y_m, carried), size, "transp after a motion")


@law(SpaceForm, DOUBLE)
def derivatives_in_curvature_are_right(
    manifold: SpaceForm, dtype: torch.dtype, generator: Generator
) -> None:
    """d/dK of every map equals a central difference, at K itself and (any sign) across 0.

    The coordinates are held fixed: `at(K)` reads them as the points they stand for.
    """
    x, y = pairs(manifold, dtype, generator, 4)
    u = vectors(manifold, x, generator)
    o = vectors(manifold, manifold.origin(4, dtype=dtype), generator)

    def everything(curvature: Tensor) -> Tensor:
        m = manifold.at(curvature)
        maps = [m.expmap(x, u), m.logmap(x, y), m.transp(x, y, u), m.expmap0(o), m.logmap0(y)]
        scalars = [m.dist(x, y), m.dist2(x, y), m.inner(x, u), m.dist0(x)]
        return torch.cat([part.flatten() for part in (*maps, *scalars)])

    values = [curvature_of(manifold)]
    if manifold.curvature_sign == 0:
        values += [0.0, 1e-9, -1e-9, 0.01, -0.01]
    for value in values:
        step = 1e-4 * abs(value) if abs(value) > 0.1 else 1e-5
        at = torch.tensor([value], dtype=torch.float64)
        slope = torch.func.jvp(everything, (at,), (torch.ones_like(at),))[1]
        ahead, behind = everything(at + step), everything(at - step)
        expected = (ahead - behind) / (2 * step)
        scale = expected.abs() + (ahead.abs() + behind.abs()) / max(abs(value), 1e-2)
        # An entry that is 0 for every K may be off by what the others round to.
        allowed = 1e-6 * scale + 1e-20 * scale.max()
        close(slope, expected, allowed, f"d/dK at K = {value:g}")


@law(SpaceForm, DOUBLE)
def curvature_module_is_shared(
    manifold: SpaceForm, dtype: torch.dtype, generator: Generator
) -> None:
    """like(dim) and like(own dim) share this curvature; injectivity_radius is that of K."""
    other = manifold.like(manifold.dim + 1)
    require(other.curvature is manifold.curvature, "like() copies the curvature")
    require(other.dim == manifold.dim + 1, f"like() has dim {other.dim}")
    require(not other.same_as(manifold), "same_as ignores the dimension")
    require(manifold.like(manifold.dim).same_as(manifold), "like(dim) is another manifold")
    curvature, radius = curvature_of(manifold), manifold.injectivity_radius
    require(
        radius.shape == () and radius.dtype == torch.float64, "injectivity_radius: shape, dtype"
    )
    expected = torch.pi / curvature**0.5 if curvature > 0 else float("inf")
    require(
        abs(float(radius) / expected - 1) < 1e-12 if curvature > 0 else float(radius) == expected,
        f"injectivity radius {float(radius)}, expected {expected}",
    )
    require(isinstance(manifold.curvature, Curvature), "curvature is not a Curvature module")
