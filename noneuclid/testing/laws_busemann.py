"""Laws of Busemann functions: the distance from a point that has gone to infinity."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import tolerance
from noneuclid.testing.law import BOTH, DOUBLE, close, law, require, same, within
from noneuclid.testing.samples import (
    curvature_of,
    factors,
    has_busemann,
    natural_length,
    pairs,
    reach,
    resolution,
    vectors,
)

Generator = torch.Generator
_FAR = 1e4  # how far the point is that stands for infinity where space is flat, in lengths


def _of(manifold: Any) -> Callable[[Tensor, Tensor], Tensor]:
    method: Callable[[Tensor, Tensor], Tensor] = manifold.busemann
    return method


def _unit(manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator) -> Tensor:
    normal = torch.randn(16, manifold.dim, generator=generator, dtype=dtype)
    return manifold.from_frame(normal / normal.square().sum(-1, keepdim=True).sqrt())


@law(has_busemann, BOTH)
def busemann_falls_along_its_ray(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """B(o) = 0 and B(exp_o(t v)) = -t; on the other side of o it is t; |v| does not count."""
    v = _unit(manifold, dtype, generator)
    o, busemann = manifold.origin(16, dtype=dtype), _of(manifold)
    require(bool((busemann(o, v) == 0).all()), "B(origin) is not 0")
    for part in (1e-6, 0.1, 0.45, -1e-3, -0.45):
        t = part * reach(manifold, dtype)
        x = manifold.expmap0(t * v)
        allowed = 8 * (tolerance(dtype) * abs(t) + resolution(manifold, x, o))
        close(busemann(x, v), torch.full((16,), -t, dtype=dtype), allowed, f"B at {t:g} on its ray")
        same(busemann(x, 4 * v), busemann(x, v), "B of 4 v")


@law(has_busemann, BOTH)
def busemann_has_slope_one(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """|B(x) - B(y)| <= d(x, y), and the Riemannian gradient is a unit vector."""
    x, y = pairs(manifold, dtype, generator, 16)
    v, busemann = _unit(manifold, dtype, generator), _of(manifold)
    gap = (busemann(x, v) - busemann(y, v)).abs()
    d = manifold.dist(x, y)
    allowed = (1 + 8 * tolerance(dtype)) * d + 8 * resolution(manifold, x, y)
    within(gap, allowed, "|B(x) - B(y)|")
    leaf = x.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(busemann(manifold.projx(leaf), v).sum(), leaf)
    length = manifold.norm(x, manifold.egrad2rgrad(x, slope))
    error = 64 * (tolerance(dtype) + resolution(manifold, x) / natural_length(manifold))
    close(length, torch.ones_like(length), error, "the length of the gradient of B")


@law(has_busemann, BOTH)
def busemann_turns_with_its_direction(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """A rotation about the origin of each factor moves points and directions, and changes no B."""
    x, _ = pairs(manifold, dtype, generator, 16)
    v, busemann = vectors(manifold, manifold.origin(16, dtype=dtype), generator), _of(manifold)
    turns = [
        torch.linalg.qr(torch.randn(f.dim, f.dim, generator=generator, dtype=torch.float64))[0]
        for f in factors(manifold)
    ]
    turn = torch.block_diag(*turns).to(dtype)

    def turned(u: Tensor) -> Tensor:
        return manifold.from_frame(manifold.to_frame(u) @ turn)

    moved = manifold.expmap0(turned(manifold.logmap0(x)))
    value = busemann(x, v)
    error = 16 * (tolerance(dtype) * (value.abs() + natural_length(manifold)))
    error = error + 16 * resolution(manifold, x, moved)
    close(busemann(moved, turned(v)), value, error, "B after a rotation")


@law(has_busemann, DOUBLE)
def busemann_is_a_distance_from_far_away(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """B(x) = lim d(x, exp_o(t v)) - t; where K > 0 the distance at t = pi/2 K^-1/2, less t."""
    curvatures = [curvature_of(factor) for factor in factors(manifold)]
    if any(k > 0 for k in curvatures) and len(curvatures) > 1:
        return  # no one t would do for all factors of a product
    x, _ = pairs(manifold, dtype, generator, 16)
    v, busemann = _unit(manifold, dtype, generator), _of(manifold)
    curvature, digits = curvatures[0], 1e-9
    if len(curvatures) > 1 or curvature == 0:
        size = float(manifold.dist0(x).detach().max())
        t, digits = _FAR * (1 + size), (1 + size) / _FAR
        if any(k < 0 for k in curvatures):
            return  # no such point is stored
    elif curvature > 0:
        t = math.pi / 2 / math.sqrt(curvature)
    else:
        t = 14 / math.sqrt(-curvature)
    far = manifold.dist(x, manifold.expmap0(t * v)) - t
    allowed = digits * t + 8 * resolution(manifold, x)
    close(busemann(x, v), far, allowed, f"d(x, exp_o({t:g} v)) - t")
