"""The ideal-prototype head: fixed directions at infinity, and the loss that goes with them."""

from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.functional import busemann_logits
from noneuclid.layers.classifier._base import Classifier
from noneuclid.layers.classifier._separated import separated_directions
from noneuclid.manifolds import Euclidean, HomogeneousManifold, SpaceForm
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import log1p_ratio, safe_norm, sinck, tanck, wide


class IdealPrototypeClassifier(Classifier):
    """logit_k = -s B_k(x), B_k the Busemann function of the fixed ideal point of class k.

    The directions are spread over the unit sphere of the frame at the origin, as far apart as they
    can be; a direction of a product is one of the whole product. Nothing but the scale s is
    learned here. Where K > 0 the point at infinity is pi/2 K^-1/2 away (see `SpaceForm.busemann`),
    so that classes are prototypes on the equator of the origin.

    Args:
        manifold: of constant curvature, Euclidean, or a product of such.
        classes: C; at most 2 if the manifold is a line.
        clip: distance from the origin at which features are cut off, or None.
        device, dtype: of the parameter and the directions.

    Shapes: (*, S) -> (*, C). Parameter: `log_scale` (1,). Buffer: `direction` (C, dim), unit
    vectors, the same for the same C and dim.

    Raises:
        ValueError: more than two classes on a line.

    Initial values: s = 1.

    Flat limit: torch.nn.Linear without bias, of weight s v, at a distance of order |K|^1/2.
    Source: [ghadimi2021hyperbolic] section 3.
    """

    flat_order = 0.5  # horospheres bend with |K|^1/2

    direction: Tensor

    def _add_parameters(self, where: dict[str, Any]) -> None:
        self.log_scale = nn.Parameter(torch.empty(1, **where))
        directions = torch.empty(self.classes, self.manifold_in.dim, **where)
        self.register_buffer("direction", directions)

    def reset_parameters(self) -> None:
        """Set s to 1 and spread the directions."""
        nn.init.zeros_(self.log_scale)
        with torch.device("cpu"):  # the same ones wherever they are wanted
            self.direction.copy_(separated_directions(self.classes, self.manifold_in.dim))

    def logits(self, x: Tensor) -> Tensor:
        """Return -s B."""
        return self.log_scale.exp() * self._depths(x)

    def _depths(self, x: Tensor) -> Tensor:
        space = self.manifold_in
        directions = self._unit_directions()
        parts = directions.split(self.dims, dim=-1)
        lengths = torch.cat([safe_norm(part) for part in parts], dim=-1)
        return busemann_logits(space, x, directions, lengths.reshape(self.factor_shape))

    def _unit_directions(self) -> Tensor:
        """Return the directions; rounded to another dtype they are no longer unit."""
        return nn.functional.normalize(self.direction, dim=-1)

    def loss(self, x: Tensor, target: Tensor, weight: float = 2.0) -> Tensor:
        """Return the mean penalised Busemann loss B_k(x) + f q(x), k the class of x: -> ().

        q keeps points from running off to their ideal point, which B alone would let them do:
        q = sum over factors of -(2/K) log cos_K(d/2), d the distance from the origin. At K = -1
        it is -log(1 - |z|^2) on the ball, at K = 0 it is d^2/4.

        Args:
            x: points, (*, S).
            target: classes, (*,) integers.
            weight: f, in 1 / length. Where K < 0 the least loss is at the distance d of
                tanh(r d/2) = r / f, r = |K|^1/2: f <= r does not hold points back.

        Source: [ghadimi2021hyperbolic] section 3, the penalised Busemann loss, f its phi(dim).
        """
        depths = self._depths(x).gather(-1, target[..., None])[..., 0]
        return (weight * retreat(self.manifold_in, x) - depths).mean()

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return s v."""
        return {"weight": self.log_scale.exp() * self._unit_directions()}


def retreat(manifold: HomogeneousManifold, x: Tensor) -> Tensor:
    """Return -(2/K) log cos_K(d/2), d the distance from the origin, summed over factors: -> (*,).

    Raises:
        TypeError: a factor is neither Euclidean nor of constant curvature.
    """
    factors = factors_of(manifold)
    parts = x.split([factor.point_shape[0] for factor in factors], dim=-1)
    return torch.stack([_retreat(f, part) for f, part in zip(factors, parts, strict=True)]).sum(0)


def _retreat(factor: HomogeneousManifold, x: Tensor) -> Tensor:
    """Form cosh - 1 for K < 0, and tan^2 for K > 0, by which log cos = -log(1 + tan^2) / 2."""
    if not isinstance(factor, SpaceForm | Euclidean):
        raise TypeError(f"this loss needs constant curvature, got {type(factor).__name__}")
    square = wide(factor.dist0(x)).square()
    if isinstance(factor, Euclidean):
        return (square / 4).to(x.dtype)
    K = factor.curvature(x.device)
    below, above = torch.where(K < 0, K, 0.0), torch.where(K > 0, K, 0.0)
    half = (sinck(below * square / 16, sign=-1).square() * square) / 8  # (cosh - 1) / -K
    slope = tanck(above * square / 4, sign=1).square() * square / 4  # tan^2 / K
    value = torch.where(
        K < 0, 2 * half * log1p_ratio(-below * half), slope * log1p_ratio(above * slope)
    )
    return value.to(x.dtype)
