"""The prototype head: minus the distance from a learnable point of each class."""

import torch
from torch import Tensor, nn

from noneuclid.layers._normal import from_normal, initial_radius, to_normal
from noneuclid.layers.classifier._base import Classifier
from noneuclid.manifolds import HomogeneousManifold, ManifoldParameter
from noneuclid.manifolds.product import factors_of


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
        super().__init__(manifold, classes, clip)
        self.squared = squared
        place = torch.get_default_device() if device is None else device
        points = manifold.origin(classes, device=place, dtype=dtype)
        self.prototypes = ManifoldParameter(points, manifold)
        self.log_scale = nn.Parameter(torch.empty(1, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the prototypes and set s to 1."""
        nn.init.zeros_(self.log_scale)
        like, parts = self.prototypes, []
        with torch.no_grad():
            for factor in factors_of(self.manifold_in):
                normal = torch.randn(self.classes, factor.dim, dtype=like.dtype, device=like.device)
                radius = initial_radius(factor, like.device).to(like.dtype)
                parts.append(radius / factor.dim**0.5 * normal)
            self.prototypes.copy_(from_normal(self.manifold_in, torch.cat(parts, dim=-1)))

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
