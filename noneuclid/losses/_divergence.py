"""Divergences of two distributions over the same neighbours, one given, one by its logarithm."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from noneuclid.numerics import safe_sqrt


def _log(p: Tensor) -> Tensor:
    """Return log p, and 0 where p = 0: always a factor of p."""
    return torch.where(p > 0, p, 1).log()


def _kl(p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(p | q) = sum p (log p - log q), for each row."""
    return (p * (_log(p) - torch.where(p > 0, log_q, 0))).sum(-1)


def _total_variation(p: Tensor, log_q: Tensor) -> Tensor:
    """Return sum |p - q| / 2, in [0, 1]."""
    return (p - log_q.exp()).abs().sum(-1) / 2


def _jensen_shannon(p: Tensor, log_q: Tensor) -> Tensor:
    """Return (KL(p | m) + KL(q | m)) / 2, m = (p + q) / 2, in [0, log 2].

    m in logarithms: a q that underflows still has a slope.
    """
    there = log_q > -torch.inf
    log_q = torch.where(there, log_q, 0)
    log_sum = torch.where(p > 0, torch.logaddexp(_log(p), log_q), log_q)
    log_mean = log_sum - math.log(2)
    q = torch.where(there, log_q.exp(), 0)
    return (p * (_log(p) - log_mean) + q * (log_q - log_mean)).sum(-1) / 2


def _hellinger(p: Tensor, log_q: Tensor) -> Tensor:
    """Return sum (sqrt p - sqrt q)^2 / 2, the squared Hellinger distance, in [0, 1]."""
    difference = safe_sqrt(p) - (log_q / 2).exp()
    return (difference * difference).sum(-1) / 2


# p (*, n, m) and log q (*, n, m), -inf where there is no neighbour (and p is 0) -> (*, n).
DIVERGENCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "kl": _kl,
    "tv": _total_variation,
    "jsd": _jensen_shannon,
    "hellinger": _hellinger,
}
