"""Moebius addition of one point in normal coordinates, as a formula on rows."""

import torch
from torch import Tensor

from noneuclid.layers._ambient import to_ambient
from noneuclid.layers._trigonometry import UNBEND
from noneuclid.manifolds import GyrovectorSpace, Lorentz, SpaceForm
from noneuclid.manifolds import _lorentz_formulas as lorentz
from noneuclid.manifolds._stereographic_formulas import Model, away_from_zero, written
from noneuclid.numerics import Row, compute, dots, joined, rows, turn, working_dtype

_LARGEST = 300.0  # radius, in units of |K|^-1/2, beyond which a point is read as if it were there


def translated(manifold: SpaceForm, c: Tensor, b: Tensor, *, writes: bool = False) -> Tensor:
    """Return the normal coordinates of exp_o(c) (+) exp_o(b), or (`writes`) the point itself."""
    working = working_dtype(c.dtype)
    scalars: tuple[Tensor, ...] = (manifold.curvature(c.device),)
    if b.dim() == 1 and torch.compiler.is_compiling():
        # One point for all rows: what depends on it alone is computed once. Not in eager mode,
        # where a dozen small operations cost more than they save.
        b, time = to_ambient(manifold, b.double())
        scalars = (*scalars, time)
    given = (c.to(working), b.to(working))
    if not writes:
        result = compute(_translated, scalars, given, sign=manifold.curvature_sign)
    elif isinstance(manifold, Lorentz):
        result = compute(_on_hyperboloid, scalars, given, dtype=c.dtype)
    elif isinstance(manifold, GyrovectorSpace):
        result = compute(_stereographic, scalars, given, model=manifold._model, dtype=c.dtype)
    else:
        result = compute(_on_sphere, scalars, given)
    return result.to(c.dtype)


def _sum(K: Tensor, given: tuple[Tensor, ...], sign: int) -> tuple[Row, Tensor, Tensor]:
    """Return X = p c + S' b, |X|^2 and T = cos_y of `translate`.

    Args:
        K: curvature.
        given: c and b; or C' and the rows c and S' b.
        sign: that K must have.
    """
    *time, c, b = given
    C, B = rows(c, b)
    cc, cb, bb = dots((C, C), (C, B), (B, B))
    z = K * cc
    cosine, sine = turn(z, _LARGEST, sign)
    b_cosine, b_sine = (time[0], 1.0) if time else turn(K * bb, _LARGEST, sign)
    bend = sine * sine / (1 + cosine)
    if sign >= 0:  # S^2 / (1 + C) = (1 - C) / z: the first cancels at the antipode, not near 0
        beyond = z > 1
        first = sine * sine / torch.where(beyond, 1.0, 1 + cosine)
        bend = torch.where(beyond, (1 - cosine) / torch.where(beyond, z, 1.0), first)
    pull = K * b_sine * cb
    on_c = b_cosine * sine - pull * bend
    square = on_c * on_c * cc + 2 * on_c * b_sine * cb + b_sine * b_sine * bb
    return on_c * C + b_sine * B, square, cosine * b_cosine - sine * pull


def _translated(K: Tensor, *given: Tensor, sign: int) -> Tensor:
    """Return X theta / sin theta with cos theta = T."""
    X, square, cosine = _sum(K, given, sign)
    return (UNBEND[sign](cosine, K * square) * X).to(given[-1].dtype)


def _on_hyperboloid(K: Tensor, *given: Tensor, dtype: torch.dtype) -> Tensor:
    X, square, _ = _sum(K, given, -1)
    return lorentz._written(K, X, (given[-1].dtype, dtype), square)


def _on_sphere(K: Tensor, *given: Tensor) -> Tensor:
    X, _, cosine = _sum(K, given, 1)
    return joined(cosine / K.sqrt(), X.to(given[-1].dtype))


def _stereographic(K: Tensor, *given: Tensor, model: Model, dtype: torch.dtype) -> Tensor:
    """Return X / (1 + T), whose gap is 2 / (1 + T)."""
    X, _, cosine = _sum(K, given, model.sign)
    whole = 1 + cosine
    if model.sign >= 0:
        whole = away_from_zero(whole, torch.ones_like(whole), given[-1].dtype)
    nothing = torch.zeros_like(whole)
    return written(K, X / whole, 2 / whole, model, (given[-1].dtype, dtype), rounded=nothing)
