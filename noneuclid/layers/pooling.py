"""Pooling a set of points into one point or vector."""

from collections.abc import Callable

import torch
from torch import Tensor

from noneuclid.layers._base import Layer, TangentLayer
from noneuclid.layers._masking import checked_mask, points_only
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.manifolds import Euclidean, HomogeneousManifold, SpaceForm
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import safe_divide, safe_norm, safe_sqrt


class TangentMean(TangentLayer):
    """Mean of log_o x over a set, in the orthonormal frame: points to one vector.

    Args:
        manifold: where the points live.

    Shapes: x (*, n, S), mask (*, n) bool, True where a point is -> (*, dim). What stands in masked
    rows, NaN included, has no effect; a set without points gives 0.

    Flat limit: the masked mean; there is no torch.nn twin.
    Source: [woodward2024product] section 4, with a mask.
    """

    takes_mask = True

    def __init__(self, manifold: HomogeneousManifold) -> None:
        super().__init__(manifold, Euclidean(manifold.dim))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map sets of points (*, n, S) to vectors (*, dim)."""
        x = points_only(self.manifold_in, x, mask)
        return from_normal(self.manifold_out, self.tangent(to_normal(self.manifold_in, x), mask))

    def tangent(self, c: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean over axis -2 of the rows where `mask` is True."""
        if mask is None:
            return c.mean(-2) if c.shape[-2] else c.sum(-2)  # the mean of nothing would be NaN
        checked_mask(mask, c.shape[:-1])
        total = torch.where(mask[..., None], c, 0).sum(-2)
        return safe_divide(total, mask.sum(-1, keepdim=True).to(c.dtype))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return nothing: a mean has no parameters."""
        return {}


class _MeanPool(Layer):
    """A weighted mean of points that is a method of the manifold."""

    takes_mask = True

    def __init__(self, manifold: HomogeneousManifold) -> None:
        super().__init__(manifold, manifold)

    def _pool(
        self,
        mean: Callable[[Tensor, Tensor | None], Tensor],
        x: Tensor,
        mask: Tensor | None,
        weights: Tensor | None,
    ) -> Tensor:
        if weights is not None and weights.shape != x.shape[:-1]:
            raise ValueError(
                f"weights must be of shape {tuple(x.shape[:-1])}, one >= 0 for each point,"
                f" got {tuple(weights.shape)}"
            )
        x = points_only(self.manifold_in, x, mask)
        if mask is not None:
            weights = mask.to(x.dtype) if weights is None else torch.where(mask, weights, 0)
        return mean(x, weights)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return nothing: a mean has no parameters."""
        return {}


class MidpointPool(_MeanPool):
    """The weighted gyromidpoint of a set: points to one point, in closed form.

    It is the direction of the weighted sum in ambient coordinates: the gyromidpoint of the
    stereographic models, the Lorentz centroid, the normalised sum on a sphere (`midpoint` of the
    manifold); it commutes with every motion.

    Args:
        manifold: where the points live.

    Shapes: x (*, n, S), mask (*, n) bool, True where a point is, weights (*, n) >= 0, equal by
    default -> (*, S). What stands in masked rows, NaN included, has no effect; a set without
    points, or with weights 0 alone, gives the origin.

    Raises:
        ValueError: in `forward`, a mask or weights of another shape, a mask that is not bool.

    Flat limit: the weighted mean; there is no torch.nn twin.
    Accuracy: that of `midpoint`: to radius 30 |K|^-1/2.
    Source: [ungar2008analytic] for the gyromidpoint; [shimizu2021hyperbolic] section 3.3 for what
    it is on the other models.
    """

    def forward(
        self, x: Tensor, mask: Tensor | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Map sets of points (*, n, S) to their midpoints (*, S)."""
        return self._pool(self.manifold_in.midpoint, x, mask, weights)


# Newton steps between points further out than this, in |K|^-1/2, see nothing but rounding.
_FARTHEST = 30.0


def _within(manifold: HomogeneousManifold, x: Tensor, farthest: float) -> Tensor:
    """Return points with those beyond `farthest` |K|^-1/2 brought back along their geodesics."""
    parts, outside = [], torch.zeros_like(x[..., :1], dtype=torch.bool)
    factors = factors_of(manifold)
    c = to_normal(manifold, x).split([factor.dim for factor in factors], dim=-1)
    for factor, part in zip(factors, c, strict=True):
        if isinstance(factor, SpaceForm):
            size = safe_sqrt(factor.curvature(x.device).abs()).to(part.dtype) * safe_norm(part)
            beyond = size > farthest
            outside = outside | beyond
            part = part * (farthest / torch.where(beyond, size, farthest))
        parts.append(part)
    return torch.where(outside, from_normal(manifold, torch.cat(parts, dim=-1)), x)


class FrechetMeanPool(_MeanPool):
    """The weighted Frechet mean of a set, argmin_m sum w d(m, x)^2: points to one point.

    It costs Newton steps where `MidpointPool` has a closed form, and is the mean in distance, not
    in ambient coordinates; it commutes with every motion.

    Args:
        manifold: where the points live.
        steps: Newton steps from the midpoint, a fixed number; 12 reach rounding error for all
            points within 15 |K|^-1/2, 4 are enough for points near one another.

    Shapes: x (*, n, S), mask (*, n) bool, True where a point is, weights (*, n) >= 0, equal by
    default -> (*, S). What stands in masked rows, NaN included, has no effect; a set without
    points, or with weights 0 alone, gives the origin.

    Raises:
        ValueError: `steps` < 1; in `forward`, a mask or weights of another shape, a mask that is
            not bool.

    Flat limit: the weighted mean; there is no torch.nn twin.
    Accuracy: that of `frechet_mean` of the manifold; unique where K <= 0, and among points within
    pi/2 K^-1/2 of a common one where K > 0. Points more than 30 |K|^-1/2 from the origin, which
    coordinates do not tell apart, are read as at that distance.
    Source: [pennec2006riemannian].
    """

    def __init__(self, manifold: HomogeneousManifold, steps: int = 12) -> None:
        super().__init__(manifold)
        if steps < 1:
            raise ValueError(f"FrechetMeanPool needs at least one Newton step, got steps={steps}")
        self.steps = steps

    def forward(
        self, x: Tensor, mask: Tensor | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Map sets of points (*, n, S) to their Frechet means (*, S)."""

        def mean(x: Tensor, weights: Tensor | None) -> Tensor:
            near = _within(self.manifold_in, x, _FARTHEST)
            return self.manifold_in.frechet_mean(near, weights, steps=self.steps)

        return self._pool(mean, x, mask, weights)

    def extra_repr(self) -> str:
        """Return the manifolds and the number of steps."""
        return f"{super().extra_repr()}, steps={self.steps}"
