"""The Frechet mean on a space of constant curvature, by Newton's method in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from noneuclid.numerics import asinck, cosk, row_dot, safe_divide, sinck

if TYPE_CHECKING:  # the space forms themselves call this file
    from noneuclid.manifolds._space_form import SpaceForm

STEPS = 12  # Newton steps by default; the worst of 60 000 far configurations needed 8
_DIFFERENTIATED = 2  # the last steps, which carry the derivatives
_SOFTEST = 0.01  # a Hessian whose isotropic part is below this is mixed with the identity
# Radius of a mean, in |K|^-1/2, from which float64 coordinates of points around it differ by
# rounding alone, which steps would follow outwards until they overflow.
_FARTHEST = 30.0
_NEAR = 0.25  # |z| below which the series is used: its first dropped term is < 1e-17 there
# 2 zeta(2j) / pi^2j for j = 1, 2, ...: the Taylor coefficients of (1 - sqrt z cot sqrt z) / z
_STIFFNESS = (
    1 / 3,
    1 / 45,
    2 / 945,
    1 / 4725,
    2 / 93555,
    1382 / 638512875,
    4 / 18243225,
    3617 / 162820783125,
    87734 / 38979295480125,
    349222 / 1531329465290625,
)


def steps_before(space: SpaceForm, x: Tensor, w: Tensor, steps: int) -> Tensor:
    """Return the midpoint after all Newton steps but those that carry derivatives.

    At the mean the derivative of a Newton step by its start vanishes, so one step repeats the
    implicit first derivatives exactly, by points, weights and curvature, and two steps the second
    ones: nothing of the others is kept for backward.
    """
    with torch.no_grad():
        share = _shares(w)
        mean = space._midpoint(x, share, torch.float64)
        for _ in range(steps - _DIFFERENTIATED):
            mean = _newton_step(space, x, share, mean)
    return mean


def last_steps(space: SpaceForm, x: Tensor, w: Tensor, mean: Tensor, steps: int) -> Tensor:
    """Return the mean with its derivatives, from the result of `steps_before`.

    Too far out for Newton steps it is the midpoint.
    """
    share = _shares(w)
    for _ in range(min(steps, _DIFFERENTIATED)):
        mean = _newton_step(space, x, share, mean)
    return torch.where(_is_far(space, mean), space._midpoint(x, share, torch.float64), mean)


def _is_far(space: SpaceForm, mean: Tensor) -> Tensor:
    """Tell where a mean is so far out that it stays where it is: (*, S) -> (*, 1)."""
    square = space._dist02(mean.detach())[..., None]
    return space._curvature_at(mean).detach() * square < -_FARTHEST * _FARTHEST


def _shares(w: Tensor) -> Tensor:
    return safe_divide(w, w.sum(-2, keepdim=True))


def _newton_step(space: SpaceForm, x: Tensor, w: Tensor, mean: Tensor) -> Tensor:
    """Return the next iterate, from `mean` (*, S); the weights sum to 1.

    In an orthonormal frame with v = log_mean x, z = K|v|^2 and h = sqrt z cot sqrt z, half the
    objective has gradient -sum w v and Hessian sum w (h 1 + (1 - h) v v^T / |v|^2). It is at least
    1 for K <= 0. For K > 0 its isotropic part a = sum w h may be negative; mixing in the identity
    until a is `_SOFTEST` makes it positive. A step of length r is cut to asinh(r), in units of
    |K|^-1/2: full Newton steps oscillate between far points; cut ones do not, and r^3 / 6 is
    too little to matter for the order of convergence or for second derivatives at the mean.
    """
    curvature = space._curvature_at(x)
    start, far = mean, _is_far(space, mean)
    mean = torch.where(far, space.origin(dtype=x.dtype, device=x.device), mean)
    place = mean.unsqueeze(-2)
    v = space._to_frame(space._transp0back(place, space._logmap(place, x)))
    z = curvature * row_dot(v, v)
    stiffness = _stiffness(z)
    isotropic = (w * (1 - z * stiffness)).sum(-2).unsqueeze(-1)
    along = (curvature * w * stiffness * v).mT @ v
    one = torch.eye(space.dim, dtype=x.dtype, device=x.device)
    soft = isotropic < _SOFTEST
    mixed = torch.where(soft, (_SOFTEST - isotropic) / torch.where(soft, 1 - isotropic, 1), 0)
    hessian = (1 - mixed) * (isotropic * one + along) + mixed * one
    step = torch.linalg.solve_ex(hessian, (w * v).sum(-2))[0]
    square = curvature.abs() * row_dot(step, step)
    step = asinck(-square, 1 + square) * step
    moved = space._expmap(mean, space._transp0(mean, space._from_frame(step)), x.dtype)
    return torch.where(far, start, moved)


def _stiffness(z: Tensor) -> Tensor:
    """Return (1 - sqrt z cot sqrt z) / z, with coth for z < 0; 1/3 at 0, analytic through it."""
    near = z.abs() < _NEAR
    small, far = torch.where(near, z, 0), torch.where(near, 1, z)
    series = torch.full_like(small, _STIFFNESS[-1])
    for coefficient in reversed(_STIFFNESS[:-1]):
        series = series * small + coefficient
    return torch.where(near, series, (1 - cosk(far) / sinck(far)) / far)
