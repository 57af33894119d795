"""Sums of points on the hyperboloid or sphere, whose length is the hard part of every midpoint."""

import torch
from torch import Tensor

from noneuclid.numerics import dots, rows, safe_divide, safe_sqrt


def ambient_sum(x: Tensor, scale: Tensor, time: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return (S, T, sqrt(T^2 - |S|^2)) with S = sum w scale x, T = sum w t over the axis -2, kept.

    T^2 - |S|^2 cancels by e^2R. With e = S/|S| it is (T - |S|)(T + |S|), and T - |S| is the sum of
    w (t - s.e), formed where s.e > 0 as w (1 + |s - (s.e) e|^2) / (t + s.e): no term cancels.
    Accuracy: eps (1 + (eps e^R)^2): to radius 30 for float32 points, 33 for float64 ones.

    Args:
        x: (*, n, d).
        scale: s = scale x is the space part of each point, in units of its radius: (*, n, 1).
        time: t = sqrt(1 + |s|^2), (*, n, 1).
        w: weights >= 0, (*, n, 1).
    """
    x = x.expand(*torch.broadcast_shapes(x.shape[:-1], w.shape[:-1]), x.shape[-1])
    (X,) = rows(x)
    total = ((w * scale) * X).sum(-2, keepdim=True)
    total_time = (w * time).sum(-2, keepdim=True)
    square = (total * total).sum(-1, keepdim=True)
    X, S = rows(x, total)
    (xs,) = dots((X, S))
    size = safe_sqrt(square)
    along = safe_divide(scale * xs, size)
    A = scale * X - safe_divide(along, size) * S
    (aside,) = dots((A, A))
    ahead = along > 0
    shortfall = (1 + aside) / torch.where(ahead, time + along, 1.0)
    shortfall = (w * torch.where(ahead, shortfall, time - along)).sum(-2, keepdim=True)
    return total, total_time, safe_sqrt(shortfall * (total_time + size))


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
    rate = torch.where(hyperbolic, torch.where(hyperbolic, -K, 1.0).sqrt(), 1.0)
    total, total_time, length = ambient_sum(x, rate * scale, time, w)
    total = total / rate
    if sign < 0:
        return safe_divide(total, total_time + length)[..., 0, :]
    square = K * (total * total).sum(-1, keepdim=True)
    length = torch.where(hyperbolic, length, safe_sqrt(total_time * total_time + square))
    past = ~hyperbolic & (total_time < 0)
    top = torch.where(past, length - total_time, 1.0)
    bottom = torch.where(past, square, total_time + length)
    result = safe_divide(top, bottom) * total
    return torch.where(past & (square == 0), torch.inf, result)[..., 0, :]
