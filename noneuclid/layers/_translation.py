"""Moebius addition of one point in normal coordinates, as a formula on rows."""

import torch
from torch import Tensor

from noneuclid.layers._trigonometry import UNBEND
from noneuclid.manifolds import GyrovectorSpace, Lorentz, SpaceForm
from noneuclid.manifolds import _lorentz_formulas as lorentz
from noneuclid.manifolds._stereographic_formulas import Model, away_from_zero, written
from noneuclid.numerics import Row, compute, dots, joined, rows, turn, working_dtype

_LARGEST = 300.0  # radius, in units of |K|^-1/2, beyond which a point is read as if it were there


def translated(manifold: SpaceForm, c: Tensor, b: Tensor, *, writes: bool = False) -> Tensor:
    """Return the normal coordinates of exp_o(c) (+) exp_o(b), or (`writes`) the point itself."""
    working = working_dtype(c.dtype)
    given, scalars = (c.to(working), b.to(working)), (manifold.curvature(c.device),)
    if not writes:
        result = compute(_translated, scalars, given, sign=manifold.curvature_sign)
    elif isinstance(manifold, Lorentz):
        result = compute(_on_hyperboloid, scalars, given, dtype=c.dtype)
    elif isinstance(manifold, GyrovectorSpace):
        result = compute(_stereographic, scalars, given, model=manifold._model, dtype=c.dtype)
    else:
        result = compute(_on_sphere, scalars, given)
    return result.to(c.dtype)


def _sum(K: Tensor, c: Tensor, b: Tensor, sign: int) -> tuple[Row, Tensor, Tensor]:
    """Return X = p c + S' b, |X|^2 and T = cos_y of `translate`."""
    C, B = rows(c, b)
    cc, cb, bb = dots((C, C), (C, B), (B, B))
    z = K * cc
    (cosine, sine), (b_cosine, b_sine) = (turn(w, _LARGEST, sign) for w in (z, K * bb))
    bend = sine * sine / (1 + cosine)
    if sign >= 0:  # S^2 / (1 + C) = (1 - C) / z: the first cancels at the antipode, not near 0
        beyond = z > 1
        first = sine * sine / torch.where(beyond, 1.0, 1 + cosine)
        bend = torch.where(beyond, (1 - cosine) / torch.where(beyond, z, 1.0), first)
    pull = K * b_sine * cb
    on_c = b_cosine * sine - pull * bend
    square = on_c * on_c * cc + 2 * on_c * b_sine * cb + b_sine * b_sine * bb
    return on_c * C + b_sine * B, square, cosine * b_cosine - sine * pull


def _translated(K: Tensor, c: Tensor, b: Tensor, sign: int) -> Tensor:
    """Return X theta / sin theta with cos theta = T."""
    X, square, cosine = _sum(K, c, b, sign)
    return (UNBEND[sign](cosine, K * square) * X).to(c.dtype)


def _on_hyperboloid(K: Tensor, c: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    X, square, _ = _sum(K, c, b, -1)
    return lorentz._written(K, X, (c.dtype, dtype), square)


def _on_sphere(K: Tensor, c: Tensor, b: Tensor) -> Tensor:
    X, _, cosine = _sum(K, c, b, 1)
    return joined(cosine / K.sqrt(), X.to(c.dtype))


def _stereographic(K: Tensor, c: Tensor, b: Tensor, model: Model, dtype: torch.dtype) -> Tensor:
    """Return X / (1 + T), whose gap is 2 / (1 + T)."""
    X, _, cosine = _sum(K, c, b, model.sign)
    whole = 1 + cosine
    if model.sign >= 0:
        whole = away_from_zero(whole, torch.ones_like(whole), c.dtype)
    nothing = torch.zeros_like(whole)
    return written(K, X / whole, 2 / whole, model, (c.dtype, dtype), rounded=nothing)
