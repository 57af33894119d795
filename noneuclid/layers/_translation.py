"""Moebius addition of one point in normal coordinates, as a formula on rows."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from noneuclid.layers._ambient import to_ambient
from noneuclid.layers._trigonometry import UNBEND
from noneuclid.manifolds import GyrovectorSpace, Lorentz, SpaceForm
from noneuclid.manifolds import _lorentz_formulas as lorentz
from noneuclid.manifolds._stereographic_formulas import Model, away_from_zero, written
from noneuclid.numerics import Row, compute, dots, joined, rows, turn, working_dtype

Known: TypeAlias = Literal["time", "weight"] | None
_LARGEST = 300.0  # radius, in units of |K|^-1/2, beyond which a point is read as if it were there


def translated(
    manifold: SpaceForm,
    c: Tensor,
    b: Tensor,
    weight: Tensor | None = None,
    *,
    writes: bool = False,
) -> Tensor:
    """Return the normal coordinates of exp_o(c) (+) exp_o(b), or (`writes`) the point itself.

    With a `weight` s, (1,), of exp_o(c) (+) exp_o(s b), where s b is never written down.
    """
    working = working_dtype(c.dtype)
    scalars: tuple[Tensor, ...] = (manifold.curvature(c.device),)
    known = None
    if b.dim() == 1 and torch.compiler.is_compiling():
        # One point for all rows: what depends on it alone is computed once. Not in eager mode,
        # where a dozen small operations cost more than they save.
        b, time = to_ambient(manifold, b.double() if weight is None else weight.double() * b)
        scalars, known = (*scalars, time), "time"
    elif weight is not None:
        scalars, known = (*scalars, weight.double()), "weight"
    given = (c.to(working), b.to(working))
    if not writes:
        result = compute(_translated, scalars, given, sign=manifold.curvature_sign, known=known)
    elif isinstance(manifold, Lorentz):
        result = compute(_on_hyperboloid, scalars, given, dtype=c.dtype, known=known)
    elif isinstance(manifold, GyrovectorSpace):
        model = manifold._model
        result = compute(_stereographic, scalars, given, model=model, dtype=c.dtype, known=known)
    else:
        result = compute(_on_sphere, scalars, given, known=known)
    return result.to(c.dtype)


def _sum(
    K: Tensor, given: tuple[Tensor, ...], sign: int, known: Known
) -> tuple[Row, Tensor, Tensor]:
    """Return X = p c + S' b, |X|^2 and T = cos_y of `translate`.

    Args:
        K: curvature.
        given: c and b, after the row scalar that `known` names.
        sign: that K must have.
        known: "time": C', and b is S' b; "weight": s, and b is read as s b.
    """
    *scalar, c, b = given
    C, B = rows(c, b)
    cc, cb, bb = dots((C, C), (C, B), (B, B))
    if known == "weight":
        cb, bb = scalar[0] * cb, scalar[0] * scalar[0] * bb
    z = K * cc
    cosine, sine = turn(z, _LARGEST, sign)
    b_cosine, b_sine = (scalar[0], 1.0) if known == "time" else turn(K * bb, _LARGEST, sign)
    bend = sine * sine / (1 + cosine)
    if sign >= 0:  # S^2 / (1 + C) = (1 - C) / z: the first cancels at the antipode, not near 0
        beyond = z > 1
        first = sine * sine / torch.where(beyond, 1.0, 1 + cosine)
        bend = torch.where(beyond, (1 - cosine) / torch.where(beyond, z, 1.0), first)
    pull = K * b_sine * cb
    on_c = b_cosine * sine - pull * bend
    square = on_c * on_c * cc + 2 * on_c * b_sine * cb + b_sine * b_sine * bb
    on_b = scalar[0] * b_sine if known == "weight" else b_sine
    return on_c * C + on_b * B, square, cosine * b_cosine - sine * pull


def _translated(K: Tensor, *given: Tensor, sign: int, known: Known) -> Tensor:
    """Return X theta / sin theta with cos theta = T."""
    X, square, cosine = _sum(K, given, sign, known)
    return (UNBEND[sign](cosine, K * square) * X).to(given[-1].dtype)


def _on_hyperboloid(K: Tensor, *given: Tensor, dtype: torch.dtype, known: Known) -> Tensor:
    X, square, _ = _sum(K, given, -1, known)
    return lorentz._written(K, X, (given[-1].dtype, dtype), square)


def _on_sphere(K: Tensor, *given: Tensor, known: Known) -> Tensor:
    X, _, cosine = _sum(K, given, 1, known)
    return joined(cosine / K.sqrt(), X.to(given[-1].dtype))


def _stereographic(
    K: Tensor, *given: Tensor, model: Model, dtype: torch.dtype, known: Known
) -> Tensor:
    """Return X / (1 + T), whose gap is 2 / (1 + T)."""
    X, _, cosine = _sum(K, given, model.sign, known)
    whole = 1 + cosine
    if model.sign >= 0:
        whole = away_from_zero(whole, torch.ones_like(whole), given[-1].dtype)
    nothing = torch.zeros_like(whole)
    return written(K, X / whole, 2 / whole, model, (given[-1].dtype, dtype), rounded=nothing)
