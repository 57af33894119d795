"""Where p(j|i) comes from: weights >= 0 over pairs, which `NeighborLoss` normalises by row.

An adjacency matrix is one already.
"""

import math

import torch
from torch import Tensor

_STEPS = 64  # halvings of an interval of 2 * _REACH: to the last place of log beta in float64
_REACH = 64.0


def label_neighbors(labels: Tensor) -> Tensor:
    """Return 1 for pairs of the same label, 0 for a point and itself: (n,) -> (n, n).

    Source: [khosla2020supervised].
    """
    same = labels[..., :, None] == labels[..., None, :]
    return (same & ~_diagonal(same)).to(torch.get_default_dtype())


def view_neighbors(
    objects: int, views: int = 2, *, device: torch.device | str | None = None
) -> Tensor:
    """Return 1 for other views of the same object: (views * objects, views * objects).

    Rows are stacked view by view, as torch.cat([first_views, second_views]) stacks them.
    Source: [chen2020simple].
    """
    return label_neighbors(torch.arange(objects, device=device).repeat(views))


def nearest_neighbors(distances: Tensor, k: int) -> Tensor:
    """Return 1 for the k nearest others of each point: (*, n, n) -> (*, n, n).

    Raises:
        ValueError: `k` is not in [1, n - 1].
    """
    count = distances.shape[-1]
    if not 1 <= k < count:
        raise ValueError(f"k must be in [1, {count - 1}], got {k}")
    others = distances.masked_fill(_diagonal(distances), torch.inf)
    best = others.topk(k, dim=-1, largest=False).indices
    return torch.zeros_like(distances).scatter(-1, best, 1.0)


def perplexity_neighbors(distances: Tensor, perplexity: float = 30.0) -> Tensor:
    """Return Gaussian weights of the same perplexity in every row: (*, n, n) -> (*, n, n).

    p(j|i) proportional to exp(-b_i d_ij^2), b_i such that the entropy of p(.|i) is log perplexity
    (in nats); found by bisection of log b_i. Without derivative.

    Args:
        distances: of any metric, in any unit.
        perplexity: the effective number of neighbours, in (1, n - 1).

    Raises:
        ValueError: `perplexity` is not in (1, n - 1).
    Source: [hinton2002stochastic] section 2.
    """
    count = distances.shape[-1]
    if not 1 < perplexity < count - 1:
        raise ValueError(f"perplexity must be in (1, {count - 1}), got {perplexity}")
    with torch.no_grad():
        own = _diagonal(distances)
        square = distances.to(torch.float64).square().masked_fill(own, torch.inf)
        square = square - square.amin(-1, keepdim=True)  # the nearest at 0: no row underflows
        unit = square.masked_fill(own, 0).mean(-1, keepdim=True)
        square = square / torch.where(unit == 0, 1, unit)
        low = torch.full_like(unit, -_REACH)
        high = -low
        for _ in range(_STEPS):
            middle = (low + high) / 2
            wide = _entropy(middle, square) > math.log(perplexity)
            low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
        return torch.softmax(-low.exp() * square, dim=-1).to(distances.dtype)


def _entropy(log_rate: Tensor, square: Tensor) -> Tensor:
    log_p = torch.log_softmax(-log_rate.exp() * square, dim=-1)
    return -(log_p.exp() * log_p.masked_fill(log_p == -torch.inf, 0)).sum(-1, keepdim=True)


def _diagonal(table: Tensor) -> Tensor:
    return torch.eye(table.shape[-1], dtype=torch.bool, device=table.device)
