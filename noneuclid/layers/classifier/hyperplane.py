"""The hyperplane head: multinomial regression by distances to totally geodesic hyperplanes."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.functional import hyperplane_logits
from noneuclid.layers.classifier._base import Classifier
from noneuclid.numerics import safe_norm


class HyperplaneClassifier(Classifier):
    """logit_k = |z_k| times the signed distance from the hyperplane at r_k along z_k.

    Args:
        manifold: of constant curvature, Euclidean, or a product of such, whose factors add up.
        classes: C.
        clip: distance from the origin at which features are cut off, or None.
        device, dtype: of the parameters.

    Shapes: (*, S) -> (*, C). Parameters: `weight` z (C, dim), in the orthonormal frame at the
    origin; `offset` r, lengths, (C,), on a product (C, factors).

    Initial values: z that of torch.nn.Linear, r = 0.

    Flat limit: torch.nn.Linear with weight z and bias -|z| r (summed over the factors).
    Source: [shimizu2021hyperbolic] Eq. (6).
    """

    def _add_parameters(self, where: dict[str, Any]) -> None:
        self.weight = nn.Parameter(torch.empty(self.classes, self.manifold_in.dim, **where))
        self.offset = nn.Parameter(torch.empty(self.factor_shape, **where))

    def reset_parameters(self) -> None:
        """Draw z and put every hyperplane through the origin."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        nn.init.zeros_(self.offset)

    def logits(self, x: Tensor) -> Tensor:
        """Return |z| d."""
        return hyperplane_logits(self.manifold_in, x, self.weight, self.offset)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return z and -|z| r."""
        lengths = torch.cat([safe_norm(z) for z in self.weight.split(self.dims, -1)], dim=-1)
        offsets = self.offset.reshape(self.classes, len(self.dims))
        return {"weight": self.weight, "bias": -(lengths * offsets).sum(-1)}
