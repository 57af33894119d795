"""The Busemann head: how deep a point lies in the horoballs of each class."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.functional import busemann_logits
from noneuclid.layers.classifier._base import Classifier
from noneuclid.numerics import safe_norm


class BusemannClassifier(Classifier):
    """logit_k = -g_k B_k(x) + b_k with B_k the Busemann function of an ideal point, g_k > 0.

    One product of matrices for all classes, and dim + 2 numbers for each. Where K > 0 there are no
    ideal points and -B_k is the signed distance from a great sphere through the origin (see
    `SpaceForm.busemann`).

    Args:
        manifold: of constant curvature, Euclidean, or a product of such, whose factors add up.
        classes: C.
        clip: distance from the origin at which features are cut off, or None.
        device, dtype: of the parameters.

    Shapes: (*, S) -> (*, C). Parameters: `direction` v (C, dim), in the orthonormal frame at the
    origin, of any length; `log_gain` log g, (C,), on a product (C, factors); `bias` b (C,).

    Initial values: v normal, b = 0 and g_k = 1/sqrt(3 factors), which gives the logits of a point
    at radius R the spread that torch.nn.Linear gives its outputs.

    Flat limit: torch.nn.Linear with weight g v/|v| and bias b, at a distance of order |K|^1/2.
    Source: [chen2026hyperbolic], Busemann multinomial regression.
    """

    flat_order = 0.5  # horospheres bend with |K|^1/2

    def _add_parameters(self, where: dict[str, Any]) -> None:
        self.direction = nn.Parameter(torch.empty(self.classes, self.manifold_in.dim, **where))
        self.log_gain = nn.Parameter(torch.empty(self.factor_shape, **where))
        self.bias = nn.Parameter(torch.empty(self.classes, **where))

    def reset_parameters(self) -> None:
        """Draw v; set g and b."""
        nn.init.normal_(self.direction)
        nn.init.constant_(self.log_gain, -0.5 * math.log(3 * len(self.dims)))
        nn.init.zeros_(self.bias)

    def logits(self, x: Tensor) -> Tensor:
        """Return -g B + b."""
        found = busemann_logits(self.manifold_in, x, self.direction, self.log_gain.exp())
        return found + self.bias

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return g v/|v| and b."""
        gains = self.log_gain.exp().reshape(self.classes, len(self.dims))
        weights = [
            gain[:, None] * v / safe_norm(v)
            for gain, v in zip(gains.unbind(-1), self.direction.split(self.dims, -1), strict=True)
        ]
        return {"weight": torch.cat(weights, dim=-1), "bias": self.bias}
