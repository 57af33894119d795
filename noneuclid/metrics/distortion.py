"""How far an embedding stretches distances: average and worst case, exact and sampled."""

from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import wide


class Distortion(NamedTuple):
    """Average and worst-case distortion: float64, ().

    average: mean of |d_M - d| / d over pairs, 0 for an isometric embedding.
    worst: the largest d_M / d over the smallest, 1 for an embedding up to scale.
    """

    average: Tensor
    worst: Tensor


def distortion(embedded: Tensor, distances: Tensor) -> Distortion:
    """Compute the distortion of distances `embedded` (*) against those they stand for, (*).

    Pairs count where `distances` is positive and finite: diagonals and pairs without a path do not.
    NaN where no pair counts.

    Raises:
        ValueError: the shapes differ.
    """
    if embedded.shape != distances.shape:
        raise ValueError(
            "embedded and true distances must have one shape, got"
            f" {tuple(embedded.shape)} and {tuple(distances.shape)}"
        )
    return _finished(_parts(embedded, distances))


def embedding_distortion(
    manifold: HomogeneousManifold,
    points: Tensor,
    distances: Tensor,
    *,
    pairs: int | None = None,
    generator: torch.Generator | None = None,
    block: int = 512,
) -> Distortion:
    """Compute the distortion of points on a manifold against a table of distances.

    Args:
        manifold: where the points live.
        points: (n, S).
        distances: (n, n), symmetric; pairs without a path are inf, and do not count.
        pairs: how many to draw, uniformly with replacement among pairs of different points; then
            `worst` is a lower bound. None: all of them, in blocks of rows.
        generator: on the CPU, for the draws.
        block: rows that are compared at a time.

    Source: [gu2019learning] section 4 for the average, [sala2018representation] for the worst case.

    Raises:
        ValueError: shapes that do not fit, or `pairs` < 1.
    """
    count = len(points)
    if distances.shape != (count, count):
        raise ValueError(
            f"distances must have shape ({count}, {count}), got {tuple(distances.shape)}"
        )
    if pairs is None:
        blocks = range(0, count, block)
        parts = [
            _parts(manifold.cdist(points[i : i + block], points), distances[i : i + block])
            for i in blocks
        ]
        found = torch.stack(parts or [_parts(distances, distances)])
        least, largest = found[:, 2].amin(), found[:, 3].amax()
        return _finished(torch.stack((*found[:, :2].sum(0), least, largest)))
    if pairs < 1 or count < 2:
        raise ValueError(f"pairs must be at least 1, of two points or more, got {pairs} of {count}")
    i = torch.randint(count, (pairs,), generator=generator)
    j = torch.randint(count - 1, (pairs,), generator=generator)
    i, j = i.to(points.device), (j + (j >= i)).to(points.device)
    return distortion(manifold.dist(points[i], points[j]), distances[i, j])


def _parts(embedded: Tensor, distances: Tensor) -> Tensor:
    """Return the sum of relative errors, the number of pairs, least and largest ratio: (4,)."""
    counts = (distances > 0) & distances.isfinite()
    ratio = wide(embedded) / torch.where(counts, wide(distances), 1)
    error = torch.where(counts, (ratio - 1).abs(), 0).sum()
    infinity = ratio.new_full((1,), torch.inf)  # for tables without entries
    least = torch.cat((torch.where(counts, ratio, torch.inf).flatten(), infinity)).amin()
    largest = torch.cat((torch.where(counts, ratio, -torch.inf).flatten(), -infinity)).amax()
    return torch.stack((error, counts.sum().to(ratio.dtype), least, largest))


def _finished(parts: Tensor) -> Distortion:
    error, count, least, largest = parts.unbind(-1)
    return Distortion(error / count, torch.where(count > 0, largest / least, torch.nan))
