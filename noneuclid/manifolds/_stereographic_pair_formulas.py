"""The stereographic model: formulas of two points, and of vectors carried between them.

The letters and the way of writing are those of `_stereographic_formulas.py`; D is y - x and E the
denominator 1 + 2K x.y + K^2|x|^2|y|^2 of the Moebius difference, g_x g_y - K|D|^2 in other words.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds._stereographic_formulas import (
    Model,
    away_from_zero,
    over_gap,
    read,
    written,
)
from noneuclid.numerics import (
    Row,
    asinck,
    asink,
    asink_square,
    dots,
    gap,
    rows,
    safe_divide,
    safe_sqrt,
)


class _Pair(NamedTuple):
    """Two points, D = y - x, and their row scalars: E = g_x g_y - K|D|^2 is 1 + 2K x.y + ..."""

    X: Row
    Y: Row
    D: Row
    xx: Tensor
    yy: Tensor
    dd: Tensor
    g_x: Tensor
    g_y: Tensor
    both: Tensor  # g_x g_y
    E: Tensor


def _pair(K: Tensor, x: Tensor, y: Tensor, model: Model) -> _Pair:
    X, Y = rows(x, y)
    D = Y - X
    xx, yy, dd = dots((X, X), (Y, Y), (D, D))
    g_x, g_y = gap(K, x, xx), gap(K, y, yy)
    both = g_x * g_y
    E = both - K * dd
    if model.sign >= 0:
        E = torch.where(K > 0, _sum_denominator(K, X, Y, xx, yy), E)
    return _Pair(X, Y, D, xx, yy, dd, g_x, g_y, both, E)


def _sum_denominator(K: Tensor, X: Row, Y: Row, xx: Tensor, yy: Tensor) -> Tensor:
    """Return E = 1 + 2K x.y + K^2|x|^2|y|^2 for K > 0, where g_x g_y - K|d|^2 cancels.

    Near the antipode the sum cancels too; there it is |x/|x| + K|x| y|^2.
    """
    (xy,) = dots((X, Y))
    size = 1 + K * K * xx * yy
    direct = size + 2 * K * xy
    cancels = (direct < size / 16) & (K > 0)
    x_norm = torch.where(cancels, xx, 1.0).sqrt()
    C = (1 / x_norm) * X + (K * x_norm) * Y
    (chord,) = dots((C, C))
    return torch.where(cancels, chord, direct)


def dist2(K: Tensor, x: Tensor, y: Tensor, model: Model) -> Tensor:
    """Return d^2 by d = 2 asin_K(|y - x| / sqrt(g_x g_y)), the chord form.

    It is exact for near pairs and at the rim, where the Moebius difference cancels.
    """
    p = _pair(K, read(K, x, model), read(K, y, model), model)
    chord, complement = _chord(K, p, model)
    return 4 * asink_square(chord, K * chord, K, complement, model.sign)


def _chord(K: Tensor, p: _Pair, model: Model) -> tuple[Tensor, Tensor | None]:
    """Return sin_K^2(d/2) = |y - x|^2 / (g_x g_y), and cos^2 = E / (g_x g_y) where K may be > 0.

    On a sphere, for a point far out (f) and one less far (n), they are (1 - q) / (K g_n) and
    (K|n|^2 + q) / g_n, q = (1 + 2K x.y - K|n|^2) / g_f: a step at f moves |y - x|^2 and g_f by
    about the same ratio, K|f| times as much as it moves their quotient.
    """
    chord = p.dd / p.both
    if model.sign < 0:
        return chord, None
    (xy,) = dots((p.X, p.Y))
    farther, nearer = K * torch.maximum(p.xx, p.yy), K * torch.minimum(p.xx, p.yy)
    far = (farther > 1) & (farther > 4 * nearer)
    g_n = torch.where(p.xx > p.yy, p.g_y, p.g_x)
    q = (1 + 2 * K * xy - nearer) / torch.where(far, 1 + farther, 1.0)
    chord = torch.where(far, (1 - q) / (torch.where(far, K, 1.0) * g_n), chord)
    far = far & (p.both < 16 * p.E)  # else E is a sum of squares
    return chord, torch.where(far, (nearer + q) / g_n, p.E / p.both)


def logmap(K: Tensor, x: Tensor, y: Tensor, model: Model) -> Tensor:
    """Return asin_K(s) / (s cos) N, s and cos of d/2, N = g_x/g_y (y - x + K|y - x|^2 x/g_x).

    g_y N is the numerator of -x (+) y with its difference formed first; |g_y N|^2 = |y - x|^2 E.
    """
    x, y = read(K, x, model), read(K, y, model)
    p = _pair(K, x, y, model)
    (growth,) = dots((p.D, p.X + p.Y))
    ratio = _ratio_of_gaps(K, (p.yy, p.xx), (p.g_y, p.g_x), -growth, model)
    if model.sign < 0:
        z = K * p.dd / p.both
        scale = ratio * asinck(z, sign=-1) / (1 - z).sqrt()
        return (scale * p.D + (scale * K * p.dd / p.g_x) * p.X).to(x.dtype)
    chord, complement = _chord(K, p, model)
    assert complement is not None
    z = K * chord
    cosine2 = torch.where(2 * z < 1, 1 - z, complement)
    N, size = _toward_antipode(K, p, cosine2, ratio, model)
    near = size == 0
    direct = 1 / torch.where(near, cosine2, 1.0).sqrt()
    scale = torch.where(near, direct, p.g_x * safe_sqrt(chord / (size + near)))
    return ((scale * asinck(z, cosine2, model.sign)) * N).to(x.dtype)


def _ratio_of_gaps(
    K: Tensor, squares: tuple[Tensor, Tensor], gaps: tuple[Tensor, Tensor], growth: Tensor,
    model: Model,
) -> Tensor:  # fmt: skip
    """Return g_b / g_a of points (a, b), where |b|^2 is |a|^2 + `growth`.

    It is formed so as to depend on K as little as it does near o and far from it.
    """
    (aa, bb), (g_a, g_b) = squares, gaps
    near = K.abs() * torch.maximum(aa, bb) < 0.25
    ratio = torch.where(near, 1 + K * growth / g_a, g_b / g_a)
    if model.sign < 0:
        return ratio
    far = K * torch.minimum(aa, bb) > 1
    unit = 1 / torch.where(far, K, 1.0)
    return torch.where(far, (unit + bb) / (unit + aa), ratio)


def _toward_antipode(
    K: Tensor, p: _Pair, cosine2: Tensor, ratio: Tensor, model: Model
) -> tuple[Row, Tensor]:
    """Return N for K >= 0, and |N|^2 near the antipode, where it is a difference of equals, else 0.

    There only its direction is used, and where nothing is left of it any direction is shortest:
    the one of x. Where y - x has lost the digits of x or of y, N is
    g_x/g_y y + (1 - 2 (1 + K x.y) / g_y) x: a step of y far out hardly moves it.
    """
    (xy,) = dots((p.X, p.Y))
    larger, smaller = torch.maximum(p.xx, p.yy), torch.minimum(p.xx, p.yy)
    lost = ((K * larger > 1) & (smaller < larger / 4)).to(xy.dtype)
    on_x = (1 - lost) * ratio * over_gap(K, p.xx, p.g_x, model) * p.dd
    on_x = on_x + lost * (1 - 2 / p.g_y - 2 * over_gap(K, p.yy, p.g_y, model) * xy)
    N = ((1 - lost) * ratio) * p.D + (lost * ratio) * p.Y + on_x * p.X
    (size,) = dots((N, N))
    cancels = 4 * cosine2 < 1
    nothing = (cancels & (size == 0)).to(xy.dtype)
    return (1 - nothing) * N + nothing * p.X, torch.where(cancels, size + nothing * p.xx, 0.0)


def transp(
    K: Tensor, x: Tensor, y: Tensor, v: Tensor, model: Model, *, rescales: bool = True
) -> Tensor:
    """Return (g_y / g_x) gyr[y, -x] v, the gyration expanded in x and d = y - x.

    Without the first factor (`rescales` false) it is that gyration.

    gyr[y, -x] v = v - 2K [(g_x d.v + K|d|^2 x.v) x - (x.v (g_x + 2K x.d) - K|x|^2 d.v) d] / E:
    every term is of the size of the result, also for near pairs at the rim.
    """
    x, y = read(K, x, model), read(K, y, model)
    X, Y, V = rows(x, y, v)
    D = Y - X
    xx, yy, dd, xd, xv, dv = dots((X, X), (Y, Y), (D, D), (X, D), (X, V), (D, V))
    g_x, g_y = gap(K, x, xx), gap(K, y, yy)
    factor = torch.ones_like(g_x)
    if rescales:
        growth = torch.where(4 * dd < xx, dd + 2 * xd, yy - xx)
        factor = _ratio_of_gaps(K, (xx, yy), (g_x, g_y), growth, model)
    E = g_x * g_y - K * dd
    far = K > 0
    if model.sign >= 0:
        (xy,) = dots((X, Y))
        size = 1 + K * K * xx * yy
        direct = size + 2 * K * xy
        far = far & ((K * xx > 1) | (direct < size / 16))
        E = torch.where(far, 1.0, torch.where(K > 0, direct, E))
    turned = -2 * K * factor / E
    on_x = turned * (g_x * dv + K * dd * xv)
    on_d = -turned * (xv * (g_x + 2 * K * xd) - K * xx * dv)
    if model.sign < 0:
        return (factor * V + on_x * X + on_d * D).to(v.dtype)
    across, C, on_c = _mirrors(K, X, Y, V, xx, xv, far)
    near = 1 - far.to(xx.dtype)
    moved = (near * on_x - factor * across) * X + (near * on_d) * D + (factor * on_c) * C
    return (factor * V + moved).to(v.dtype)


def _mirrors(
    K: Tensor, X: Row, Y: Row, V: Row, xx: Tensor, xv: Tensor, far: Tensor
) -> tuple[Tensor, Row, Tensor]:
    """Return a, C and c with gyr[y, -x] v = v - a x + c C where `far`, else a = c = 0; K > 0.

    The gyration is two mirror images, across x and then across C = y + x / (K|x|^2), y less the
    antipode of x: the result is as long as v however few digits C has. Where it has none, any way
    is shortest: the one along x, where nothing turns.
    """
    square = torch.where(far, xx, 1.0)
    # A row of its own: put together from x and y once more, C would be rounded anew.
    (C,) = rows((Y + (1 / torch.where(far, K * xx, 1.0)) * X).to(torch.float64))
    cc, cv, cx = dots((C, C), (C, V), (C, X))
    turns = far & (cc > 0)
    across = 2 * torch.where(turns, xv, 0.0) / square
    on_c = 2 * torch.where(turns, across * cx - cv, 0.0) / torch.where(turns, cc, 1.0)
    return across, C, on_c


def dist2plane(K: Tensor, x: Tensor, p: Tensor, a: Tensor, model: Model) -> Tensor:
    """Return the signed distance of x from the hyperplane through p across a.

    sin_K(d) = 2 N.a / (g_p |a|), N = (g_p (x - p) + K|x - p|^2 p) / g_x; its complement cos^2 is
    (1 - 2K|x - p|^2/(g_p g_x))^2 + 4K |N - (N.a) a/|a|^2|^2 / g_p^2.
    """
    q = _pair(K, read(K, p, model), read(K, x, model), model)
    (A,) = rows(a)
    N = (q.g_x / q.g_y) * q.D + (K * q.dd / q.g_y) * q.X
    if model.sign >= 0:  # a step at x far out hardly moves it: what would cancel is left out
        far = ((K * q.yy > 1) & (q.yy > 4 * q.xx)).to(q.xx.dtype)
        (xy,) = dots((q.X, q.Y))
        on_p = 1 - 2 * (1 + K * xy) / q.g_y
        N = (1 - far) * N + (far * on_p) * q.X + (far * q.g_x / q.g_y) * q.Y
    aa, na = dots((A, A), (N, A))
    sine = 2 * safe_divide(na, q.g_x * safe_sqrt(aa))
    complement = None
    if model.sign >= 0:
        R = N - safe_divide(na, aa) * A
        (rr,) = dots((R, R))
        chord, _ = _chord(K, q, model)
        complement = (1 - 2 * K * chord).square() + 4 * K * rr / (q.g_x * q.g_x)
    return asink(sine, K, complement, model.sign)


def mobius_add(K: Tensor, x: Tensor, y: Tensor, model: Model, dtype: torch.dtype) -> Tensor:
    """Return x + g_x (y - K|y|^2 x) / E with E = g_x g_y - K|x + y|^2, whose gap is g_x g_y / E."""
    x, y = read(K, x, model), read(K, y, model)
    X, Y = rows(x, y)
    S = X + Y
    xx, yy, ss = dots((X, X), (Y, Y), (S, S))
    g_x, g_y = gap(K, x, xx), gap(K, y, yy)
    E = g_x * g_y - K * ss
    if model.sign >= 0:
        E = torch.where(K > 0, _sum_denominator(K, -X, Y, xx, yy), E)
        E = away_from_zero(E, 1 + K * K * xx * yy, x.dtype)
    on_y = g_x / E
    on_x = 1 - K * yy * on_y
    if model.sign >= 0:  # far out on a sphere 1 - ... would cancel
        (xy,) = dots((X, Y))
        on_x = torch.where(g_x > 2, (1 - K * (2 * xy + yy)) / E, on_x)
    alone = ((xx == 0) | (yy == 0)).to(xx.dtype)
    return written(K, on_x * X + on_y * Y, g_x * g_y / E, model, (x.dtype, dtype), rounded=alone)
