"""Scores of queries against keys: one inner product each, or a table of distances."""

import math
from typing import Literal

import torch
from torch import Tensor

from noneuclid.layers._normal import from_normal
from noneuclid.layers.attention._heads import Heads
from noneuclid.manifolds import HomogeneousManifold

Score = Literal["tangent", "transported", "lorentz", "distance", "squared distance"]
SCORES = ("tangent", "transported", "lorentz", "distance", "squared distance")
DISTANCES = ("distance", "squared distance")


def default_scale(score: Score, dim: int) -> float:
    """Return the factor of a score before the softmax; of a distance, its initial value."""
    return 1.0 if score == "distance" else 1 / math.sqrt(dim)


def inner_product_rows(
    score: Score, heads: Heads, q: Tensor, k: Tensor, v: Tensor, own: Tensor
) -> tuple[Tensor, Tensor, float]:
    """Return rows a, b and a factor f such that the score is f a.b, up to a term of the query.

    Args:
        score: "tangent", "transported" or "lorentz".
        heads: where the rest lives, in normal coordinates.
        q: queries, (B, H, Q, d); for "transported" tangent vectors at `own`.
        k: keys, (B, H, N, d); for "transported" tangent vectors at `v`.
        v: values of the keys, (B, H, N, d).
        own: values of the points that ask, (B, H, Q, d).

    Formulas: "transported" carries vectors at the value v to the origin, a factor
    cosk(r / 2)^2 = (1 + T_v) / 2 each, r the distance of v from the origin. "lorentz" is minus the
    squared chord in ambient space, with a = (1 - T) / K

        -(2 / K) (1 - T_q T_k - K X_q.X_k) = 2 (X_q.X_k - T_q a_k) - 2 a_q,

    which is analytic through K = 0; its last term is the same for all keys.
    """
    if score == "tangent":
        return q, k, 1.0
    if score == "transported":
        (_, ours), (_, theirs) = heads.ambient(own), heads.ambient(v)
        largest = _largest_time(q.dtype)
        return (1 + ours.clamp(max=largest)) / 2 * q, (1 + theirs.clamp(max=largest)) / 2 * k, 1.0
    a, b = heads.ambient(q), heads.ambient(k)
    rows = torch.cat(a, dim=-1), torch.cat([b[0], -heads.depth(*b)], dim=-1)
    return _in_reach(rows[0], a[1]), _in_reach(rows[1], b[1]), 2.0


def _in_reach(row: Tensor, T: Tensor) -> Tensor:
    """Return the row, smaller where its time would make scores overflow."""
    largest = _largest_time(row.dtype)
    return largest / T.clamp(min=largest) * row


def _largest_time(dtype: torch.dtype) -> float:
    """Return the time from which points no longer move a score: at radius 23 in float32."""
    return torch.finfo(dtype).max ** 0.25


def distances(
    score: Score, heads: Heads, manifold: HomogeneousManifold, q: Tensor, k: Tensor
) -> Tensor:
    """Return the distances, or their squares, in the unit of the heads: -> (B, H, Q, N).

    Args:
        score: "distance" or "squared distance".
        heads: where q and k live, in normal coordinates.
        manifold: the factor's geometry in the dimension of one head.
        q: queries, (B, H, Q, d).
        k: keys, (B, H, N, d).
    """
    x, y = (from_normal(manifold, heads.unit * rows) for rows in (q, k))
    distance = manifold.cdist(x, y) / heads.unit
    return distance if score == "distance" else distance * distance
