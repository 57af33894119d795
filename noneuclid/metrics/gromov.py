"""How far a finite metric space is from a tree: Gromov's delta, exact and sampled."""

from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.metrics._witness import search
from noneuclid.numerics import safe_divide, working_dtype
from noneuclid.numerics.native.four_point import has_witnesses, witnesses

_DISK = 0.144  # relative delta of the Poincare disk, as a table of points on it has it


class SampledDelta(NamedTuple):
    """The largest delta of the quadruples that were drawn, and their mean: each (*,)."""

    maximum: Tensor
    mean: Tensor


def gromov_delta(
    distances: Tensor, base: int | None = None, *, mask: Tensor | None = None
) -> Tensor:
    """Compute Gromov's delta of finite metric spaces: 0 for trees, at most half the diameter.

    Of four points, let S1 >= S2 >= S3 be d(a,b) + d(c,d), d(a,c) + d(b,d), d(a,d) + d(b,c). Then

        delta = max over quadruples of (S1 - S2) / 2,

    over all of them (the four-point delta), or over those that hold the point `base`. The latter is
    max_xy [max_z min((x|z), (z|y)) - (x|y)] with the Gromov products (x|y) at that base, at least
    half the former, and n times cheaper.

    Args:
        distances: (*, n, n), symmetric with a zero diagonal. What is no metric (a violated triangle
            inequality) has a delta too: points of a quadruple may coincide.
        base: a point, 0 <= base < n; where it is masked, the first that is there. None: all.
        mask: (*, n) bool, True where a point is; what stands elsewhere is not read.

    Returns:
        (*,) in the dtype of `distances` (16-bit: found in float32), with its gradient, that of the
        quadruple found. NaN where a distance of points that are there is not finite; 0 for sets
        of fewer than four points, and of none.

    Cost: O(n^3) with a base, O(n^4) without, and no table larger than n^2; compiled on a CPU with a
    C compiler. For graphs of thousands of nodes: `graph_gromov_delta`.
    Source: [gromov1987hyperbolic]; [fournier2015computing] for the max-min product.

    Raises:
        TypeError: `distances` is not floating point, or `mask` not bool. ValueError: a shape or a
            base that does not fit.
    """
    _check(distances, base, mask)
    kept = distances.to(working_dtype(distances.dtype))
    batch, points = kept.shape[:-2], kept.shape[-1]
    if points == 0:
        return distances.sum((-2, -1))
    flat = kept.reshape(-1, points, points)
    present = None if mask is None else mask.expand(*batch, points).reshape(-1, points)
    is_compiled = flat.device.type == "cpu" and has_witnesses(flat.dtype)
    find = witnesses if is_compiled and not torch.compiler.is_compiling() else search
    value = _delta_of(flat, find(flat.detach(), present, base))
    legal = flat.isfinite()
    if present is not None:
        value = torch.where(present.any(-1), value, 0)
        legal = legal | ~(present[:, :, None] & present[:, None, :])
    value = torch.where(legal.all(-1).all(-1), value, torch.nan)
    return value.reshape(batch).to(distances.dtype)


def relative_gromov_delta(
    distances: Tensor, base: int | None = None, *, mask: Tensor | None = None
) -> Tensor:
    """Compute 2 delta / diameter, in [0, 1] for metrics: 0 for trees, and for a single point.

    Arguments, errors and source as for `gromov_delta`; the scale of the distances drops out.
    """
    delta = gromov_delta(distances, base, mask=mask)
    present = distances
    if mask is not None:
        present = torch.where(mask[..., :, None] & mask[..., None, :], distances, 0)
    diameter = present.flatten(-2).amax(-1) if distances.shape[-1] else torch.zeros_like(delta)
    return safe_divide(2 * delta, diameter)


def implied_curvature(relative_delta: Tensor) -> Tensor:
    """Return the curvature K < 0 of the Poincare disk whose relative delta is the one given.

    K = -(0.144 / relative_delta)^2: a disk of curvature -1 has a relative delta of 0.144, and the
    ratio goes with the radius |K|^-1/2. -inf for a tree. It is a rule of thumb, and grows with the
    number of points: delta is a maximum.

    Source: [khrulkov2020hyperbolic] section 4.
    """
    return -((_DISK / relative_delta) ** 2)


def sampled_gromov_delta(
    distances: Tensor,
    samples: int = 50_000,
    *,
    generator: torch.Generator | None = None,
) -> SampledDelta:
    """Compute delta of random quadruples: a lower bound of the exact one, and the mean.

    Args:
        distances: (*, n, n), n >= 4, symmetric, finite.
        samples: quadruples of four different points, uniform; the same for all sets.
        generator: on the CPU, for the draws.

    Raises:
        TypeError: `distances` is not floating point. ValueError: not square, n < 4, or no samples.
    """
    _check(distances, None, None)
    points = distances.shape[-1]
    if points < 4 or samples < 1:
        raise ValueError(
            f"needs at least four points and one sample, got {points} points, {samples} samples"
        )
    four = _quadruples(points, samples, generator).to(distances.device)
    flat = distances.reshape(-1, points, points)
    values = torch.stack([_delta_of(each.expand(samples, -1, -1), four) for each in flat])
    batch = distances.shape[:-2]
    return SampledDelta(values.amax(-1).reshape(batch), values.mean(-1).reshape(batch))


def _quadruples(points: int, samples: int, generator: torch.Generator | None) -> Tensor:
    """Return ordered quadruples of different points, uniform: (samples, 4).

    The k-th is drawn among those left, and counted past the ones that are taken.
    """
    four = torch.empty(samples, 0, dtype=torch.int64)
    for taken in range(4):
        place = torch.randint(points - taken, (samples, 1), generator=generator)
        for other in four.sort(-1).values.unbind(-1):
            place = place + (place >= other[:, None])
        four = torch.cat((four, place), dim=-1)
    return four


def _delta_of(distances: Tensor, four: Tensor) -> Tensor:
    """Return half the difference of the two largest sums: (B, n, n), (B, 4) -> (B,)."""
    each = torch.arange(len(four), device=four.device)
    a, b, c, d = four.unbind(-1)
    pairings = ((a, b, c, d), (a, c, b, d), (a, d, b, c))
    sums = [distances[each, p, q] + distances[each, r, s] for p, q, r, s in pairings]
    largest, second, _ = torch.stack(sums, dim=-1).sort(-1, descending=True).values.unbind(-1)
    return (largest - second) / 2


def _check(distances: Tensor, base: int | None, mask: Tensor | None) -> None:
    if not distances.is_floating_point():
        raise TypeError(f"distances must be floating point, got {distances.dtype}")
    if distances.dim() < 2 or distances.shape[-1] != distances.shape[-2]:
        raise ValueError(f"distances must have shape (*, n, n), got {tuple(distances.shape)}")
    points = distances.shape[-1]
    if base is not None and not 0 <= base < max(points, 1):
        raise ValueError(f"base must be one of the {points} points, got {base}")
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be bool, True where a point is, got {mask.dtype}")
    if mask.shape != distances.shape[:-1]:
        raise ValueError(
            f"mask must have shape {tuple(distances.shape[:-1])}, got {tuple(mask.shape)}"
        )
