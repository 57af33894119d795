"""Sums of points on the hyperboloid or sphere, whose length is the hard part of every midpoint."""

import torch
from torch import Tensor

from noneuclid.numerics import row_dot, safe_divide, safe_sqrt


def timelike_sum(space: Tensor, time: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return (S, T, sqrt(T^2 - |S|^2)) with S = sum w x, T = sum w t over the axis -2.

    T^2 - |S|^2 cancels by e^2R. With e = S/|S| it is (T - |S|)(T + |S|), and T - |S| is the sum of
    w (t - x.e), formed where x.e > 0 as w (1 + |x - (x.e) e|^2) / (t + x.e): no term cancels.
    Accuracy: eps (1 + (eps e^R)^2): to radius 30 for float32 points, 33 for float64 ones.

    Args:
        space: x, (*, n, d) in float64.
        time: t = sqrt(1 + |x|^2), (*, n, 1).
        w: weights >= 0, (*, n, 1).
    """
    total, total_time = (w * space).sum(-2, keepdim=True), (w * time).sum(-2)
    size = safe_sqrt(row_dot(total, total))
    direction = safe_divide(total, size)
    along = row_dot(space, direction)
    across = space - along * direction
    ahead = along > 0
    shortfall = (1 + row_dot(across, across)) / torch.where(ahead, time + along, 1)
    shortfall = (w * torch.where(ahead, shortfall, time - along)).sum(-2)
    length = safe_sqrt(shortfall * (total_time + size[..., 0, :]))
    return total[..., 0, :], total_time, length


def centroid(space: Tensor, time: Tensor, w: Tensor, curvature: Tensor) -> Tensor:
    """Return the stereographic projection A / (B + N) of the normalised sum, N^2 = B^2 + K|A|^2.

    Past the equator of a sphere, where B < 0 cancels with N, it is A (N - B) / (K|A|^2); that is
    infinite where the sum is the antipode of the origin. No weight at all gives the origin.

    Args:
        space: 2x/g, (*, n, d) in float64.
        time: (2 - g)/g, (*, n, 1); B and A are the weighted sums of both.
        w: weights >= 0, (*, n, 1).
        curvature: K, (1,).
    """
    hyperbolic = curvature < 0
    rate = torch.where(hyperbolic, torch.where(hyperbolic, -curvature, 1).sqrt(), 1)
    total, total_time, length = timelike_sum(rate * space, time, w)
    total = total / rate
    square = curvature * row_dot(total, total)
    length = torch.where(hyperbolic, length, safe_sqrt(total_time * total_time + square))
    past = ~hyperbolic & (total_time < 0)
    top = torch.where(past, length - total_time, 1)
    bottom = torch.where(past, square, total_time + length)
    result = safe_divide(top, bottom) * total
    return torch.where(past & (square == 0), torch.inf, result)
