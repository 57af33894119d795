"""The prototype head: minus the distance from a learnable point of each class."""

from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers._initial import draw_points
from noneuclid.layers._normal import to_normal
from noneuclid.layers.classifier._base import Classifier
from noneuclid.manifolds import HomogeneousManifold, ManifoldParameter


class PrototypeClassifier(Classifier):
    """logit_k = -s d(x, p_k), or -s d(x, p_k)^2, with prototypes p_k on the manifold and s > 0.

    Args:
        manifold: any with an origin.
        classes: C.
        squared: whether to take the squared distance, which is smooth at the prototypes.
        clip: distance from the origin at which features are cut off, or None.
        device, dtype: of the parameters.

    Shapes: (*, S) -> (*, C). Parameters: `prototypes` (C, S), points; `log_scale` (1,), the log of
    the inverse temperature s.

    Initial values: prototypes exp_o of normal vectors of root mean square length min(1, |K|^-1/2)
    in each factor, where fresh layers put their outputs; s = 1.

    Flat limit: the same formula with |x - p_k|; there is no torch.nn twin.
    Source: [snell2017prototypical] for the head; the squared distance is theirs.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        classes: int,
        *,
        squared: bool = True,
        clip: float | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, classes, clip=clip, device=device, dtype=dtype)
        self.squared = squared

    def _add_parameters(self, where: dict[str, Any]) -> None:
        space = self.manifold_in
        points = torch.empty(self.classes, *space.point_shape, **where)
        self.prototypes = ManifoldParameter(points, space)
        self.log_scale = nn.Parameter(torch.empty(1, **where))

    def reset_parameters(self) -> None:
        """Draw the prototypes and set s to 1."""
        nn.init.zeros_(self.log_scale)
        draw_points(self.prototypes, self.manifold_in)

    def logits(self, x: Tensor) -> Tensor:
        """Return -s d or -s d^2."""
        space = self.manifold_in
        space._check(x)
        rows = x.reshape(-1, *space.point_shape)
        distances = space.cdist(rows, self.prototypes)
        distances = distances.reshape(*x.shape[: -len(space.point_shape)], self.classes)
        return -self.log_scale.exp() * (distances.square() if self.squared else distances)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the prototypes in normal coordinates and s."""
        prototypes = to_normal(self.manifold_in, self.prototypes)
        return {"prototypes": prototypes, "scale": self.log_scale.exp()}

    def extra_repr(self) -> str:
        """Return the manifold, classes and options."""
        return f"{super().extra_repr()}, squared={self.squared}"
