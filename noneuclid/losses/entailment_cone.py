"""Cones of hyperbolic space: the points that a point entails."""

import math

import torch
from torch import Tensor, nn

from noneuclid.manifolds import HomogeneousManifold, SpaceForm
from noneuclid.numerics import safe_divide, safe_norm, safe_sqrt, wide, working_dtype


class EntailmentCone(nn.Module):
    """The cone of each point x: what lies behind x, seen from the origin, within an aperture.

    y is in the cone of x if the angle at x between the outward ray and the geodesic to y is at most

        aperture(x) = asin(2 k / sinh(|K|^1/2 d(o, x))),

    and pi / 2 where that sine would exceed 1. It is the same function on every model: in Poincare
    coordinates asin(k (1 - |x|^2) / |x|), on the hyperboloid asin(2 k / (|K|^1/2 |x_s|)). The cones
    are nested: what is in the cone of y is in that of x if y is.

    Args:
        manifold: hyperbolic: Lorentz, PoincareBall, or Stereographic at a fixed K < 0.
        min_radius: k; cones are half-spaces up to about this norm in Poincare coordinates of
            curvature -1.

    Accuracy: both angles are computed in float64 from the coordinates given, to a few units in the
    last place of what those resolve, and neither loses digits at 0 or pi. Gradients are finite
    everywhere: 0 at x = o, where there is no outward ray (the origin entails everything, at angle
    0), at x = y (angle 0), inside the region of half-spaces, and along the ray through x.
    Source: [ganea2018entailment] on the ball, [desai2023hyperbolic] section 3.3 on the hyperboloid.

    Raises:
        TypeError: a manifold that is not hyperbolic: where K >= 0 rays from the origin do not part
            fast enough for cones to nest. A product: take a cone on its hyperbolic factor.
        ValueError: `min_radius` is not positive.
    """

    def __init__(self, manifold: HomogeneousManifold, min_radius: float = 0.1) -> None:
        super().__init__()
        if not 0 < min_radius < math.inf:
            raise ValueError(f"min_radius must be a positive number, got {min_radius}")
        self.manifold = _hyperbolic(manifold)
        self.min_radius = min_radius

    def aperture(self, x: Tensor) -> Tensor:
        """Return half the opening of the cones, in (0, pi/2]: (*, S) -> (*,)."""
        sine = torch.sinh(self._polar(x)[0])
        k = 2 * self.min_radius
        angle = torch.atan2(torch.full_like(sine, k), safe_sqrt((sine - k) * (sine + k)))
        return angle[..., 0].to(working_dtype(x.dtype))

    def exterior_angle(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the angle at x between outward ray and geodesic to y, in [0, pi]: -> (*,).

        In polar coordinates (r, u) of x and (s, v) of y, radii in units of |K|^-1/2, it is the
        argument of the two components of log_x y, each divided by the same number,

            outward = sinh(s - r) - cosh r sinh s |u - v|^2 / 2,
            across  = sinh s |u - v| |u + v| / 2.
        """
        (r, u), (s, v) = self._polar(x), self._polar(y)
        apart, together = safe_norm(u - v), safe_norm(u + v)
        outward = torch.sinh(s - r) - torch.cosh(r) * torch.sinh(s) * apart * apart / 2
        across = torch.sinh(s) * apart * together / 2
        # The angle does not change by a common factor, but squares of large numbers overflow.
        size = torch.maximum(outward.abs(), across.abs()).detach()
        none = (r == 0) | (size == 0)
        size = torch.where(none, 1, size)
        across = torch.where(none, 0, across) / size
        angle = torch.atan2(across, torch.where(none, 1, outward / size))
        return angle[..., 0].to(working_dtype(torch.promote_types(x.dtype, y.dtype)))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return exterior_angle(x, y) - aperture(x): at most 0 where x entails y, -> (*,)."""
        return self.exterior_angle(x, y) - self.aperture(x)

    def _polar(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return |K|^1/2 d(o, x), (*, 1), and the unit vector towards x (0 at the origin)."""
        c = self.manifold.to_frame(self.manifold.logmap0(wide(x)))
        length = safe_norm(c)
        rate = (-self.manifold.curvature(x.device)).sqrt()
        return rate * length, safe_divide(c, length)

    def extra_repr(self) -> str:
        """Return the parameter of the aperture."""
        return f"min_radius={self.min_radius:g}"


def _hyperbolic(manifold: HomogeneousManifold) -> SpaceForm:
    if not isinstance(manifold, SpaceForm):
        reason = f"{type(manifold).__name__} is not one; of a product, take its hyperbolic factor"
    elif manifold.curvature_sign >= 0 and manifold.curvature.learnable:
        reason = f"the sign of K of {manifold!r} may change; use PoincareBall or Lorentz"
    elif not float(manifold.curvature) < 0:
        reason = f"{manifold!r} has K >= 0, where cones do not nest"
    else:
        return manifold
    raise TypeError(f"entailment cones need a hyperbolic space, K < 0: {reason}")
