"""Sums of points on the hyperboloid or sphere, whose length is the hard part of every midpoint."""

import torch
from torch import Tensor

from noneuclid.numerics import compute, dots, rows, safe_divide, safe_sqrt, weighted_sum


def ambient_sum(
    x: Tensor, scale: Tensor, time: Tensor, w: Tensor, rate: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (S, T, sqrt(T^2 - |r S|^2)) with S = sum w scale x, T = sum w t over axis -2, kept.

    T^2 - |rS|^2 cancels by e^2R. With e = S/|S| it is (T - |rS|)(T + |rS|), and T - |rS| is the sum
    of w (t - s.e) over the points s = r scale x, formed where s.e > 0 as
    w (1 + |s - (s.e) e|^2) / (t + s.e): no term cancels.
    Accuracy: eps (1 + (eps e^R)^2): to radius 30 for float32 points, 33 for float64 ones.

    Args:
        x: (*, n, d).
        scale: scale x is the space part of each point: (*, n, 1).
        time: t = sqrt(1 + |s|^2), (*, n, 1).
        w: weights >= 0, (*, n, 1).
        rate: r, which brings space parts into units of the radius of curvature: (1,).
    """
    x = x.expand(*torch.broadcast_shapes(x.shape[:-1], w.shape[:-1]), x.shape[-1])
    total = weighted_sum(w * scale, x)
    total_time = (w * time).sum(-2, keepdim=True)
    size = safe_sqrt((total * total).sum(-1, keepdim=True))
    short = compute(_shortfall, (scale, time, size, rate), (x, total))
    short = (w * short).sum(-2, keepdim=True)
    return total, total_time, safe_sqrt(short * (total_time + rate * size))


def _shortfall(
    scale: Tensor, time: Tensor, size: Tensor, rate: Tensor, x: Tensor, total: Tensor
) -> Tensor:
    """Return t - s.e for each point."""
    X, S = rows(x, total)
    (xs,) = dots((X, S))
    stretch = rate * scale
    along = safe_divide(stretch * xs, size)
    A = stretch * X - safe_divide(along, size) * S
    (aside,) = dots((A, A))
    ahead = along > 0
    return torch.where(ahead, (1 + aside) / torch.where(ahead, time + along, 1.0), time - along)


def centroid(K: Tensor, x: Tensor, scale: Tensor, time: Tensor, w: Tensor, sign: int) -> Tensor:
    """Return the stereographic projection A / (B + N) of the normalised sum, N^2 = B^2 + K|A|^2.

    Past the equator of a sphere, where B < 0 cancels with N, it is A (N - B) / (K|A|^2); that is
    infinite where the sum is the antipode of the origin. No weight at all gives the origin.

    Args:
        K: curvature, (1,).
        x: (*, n, d).
        scale: 2/g, (*, n, 1).
        time: (2 - g)/g, (*, n, 1); B and A are the weighted sums of both.
        w: weights >= 0, (*, n, 1).
        sign: of K, 0 where it may be any.
    """
    hyperbolic = K < 0
    if sign > 0:
        total, total_time = weighted_sum(w * scale, x), (w * time).sum(-2, keepdim=True)
    else:
        rate = torch.where(hyperbolic, torch.where(hyperbolic, -K, 1.0).sqrt(), 1.0)
        total, total_time, length = ambient_sum(x, scale, time, w, rate)
    square = K * (total * total).sum(-1, keepdim=True)
    # Where little cancels, the plain form has the right derivative by K through 0.
    plain = total_time * total_time + square
    if sign <= 0:
        near = ~hyperbolic | (-2 * square < total_time * total_time)
        length = torch.where(near, safe_sqrt(torch.where(near, plain, 1.0)), length)
    else:
        length = safe_sqrt(plain)
    if sign < 0:
        return safe_divide(total, total_time + length)[..., 0, :]
    past = ~hyperbolic & (total_time < 0)
    top = torch.where(past, length - total_time, 1.0)
    bottom = torch.where(past, square, total_time + length)
    result = safe_divide(top, bottom) * total
    return torch.where(past & (square == 0), torch.inf, result)[..., 0, :]
