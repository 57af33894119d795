"""The symmetric contrastive loss of two views."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from noneuclid.losses._distances import factor_distances, half_square_chord, without_padding
from noneuclid.losses._reduction import Reduction, check_reduction, reduced
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import working_dtype


class ContrastiveLoss(nn.Module):
    """Cross entropy of finding a point's other view among the batch, both ways round.

    With logits a_ij = s sim(x_i, y_j), row i of both views being one object,

        loss_i = -(log softmax_j a_ij + log softmax_j a_ji)_(j = i) / 2.

    Args:
        manifold: where the points live; products and every geometry.
        temperature: 1 / s at the start.
        learnable: whether s is a parameter.
        max_scale: s stays below it: s = max_scale sigmoid(raw), which has a gradient everywhere
            where a clamp would have none.
        similarity: "distance", minus the geodesic distance; "inner", the inner product of ambient
            coordinates: <x, y>_L on the hyperboloid, the cosine on the unit sphere, x.y - |x|^2 / 2
            - |y|^2 / 2 on R^n, each up to a constant that changes no softmax; summed over factors.
        reduction: "mean" over the rows that are there, "sum" or "none".
        device, dtype: of the parameter.

    Shapes: x, y (n, S), mask (n,) bool, True where an object is -> () or (n,). One object alone
    costs 0: there is nothing to mistake it for; so does a batch without any. 16-bit points are
    compared in float32.

    Source: [desai2023hyperbolic] section 3.2 with the distance; [chen2020simple] with the cosine.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        temperature: float = 0.07,
        *,
        learnable: bool = True,
        max_scale: float = 100.0,
        similarity: Literal["distance", "inner"] = "distance",
        reduction: Reduction = "mean",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        if similarity not in ("distance", "inner"):
            raise ValueError(f"similarity must be 'distance' or 'inner', got {similarity!r}")
        if not (temperature > 0 and 0 < 1 / temperature < max_scale < math.inf):
            raise ValueError(
                f"1 / temperature must be in (0, max_scale = {max_scale:g}), got temperature"
                f" {temperature}"
            )
        self.manifold = manifold
        self.max_scale = max_scale
        self.similarity = similarity
        self.reduction: Reduction = reduction
        share = 1 / (temperature * max_scale)
        raw = torch.tensor([math.log(share) - math.log1p(-share)], device=device, dtype=dtype)
        self.raw = nn.Parameter(raw, requires_grad=learnable)

    def scale(self) -> Tensor:
        """Return s, one over the temperature: (1,)."""
        return self.max_scale * torch.sigmoid(self.raw)

    def logits(self, x: Tensor, y: Tensor) -> Tensor:
        """Return s sim(x_i, y_j): (n, S), (m, S) -> (n, m)."""
        dtype = working_dtype(torch.promote_types(x.dtype, y.dtype))
        x, y = x.to(dtype), y.to(dtype)
        if self.similarity == "distance":
            return -self.scale().to(dtype) * self.manifold.cdist(x, y)
        tables = zip(factors_of(self.manifold), factor_distances(self.manifold, x, y), strict=True)
        chords = torch.stack([half_square_chord(factor, d) for factor, d in tables])
        return -self.scale().to(dtype) * chords.sum(0)

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss of two views of the same objects."""
        if x.dim() != 2 or x.shape != y.shape:
            raise ValueError(
                f"ContrastiveLoss needs two views of shape (n, S), got {tuple(x.shape)} and"
                f" {tuple(y.shape)}"
            )
        x, y = (without_padding(self.manifold, view, mask) for view in (x, y))
        logits = self.logits(x, y)
        if mask is not None:
            both = mask[:, None] & mask
            own = torch.eye(len(x), dtype=torch.bool, device=x.device)
            logits = torch.where(both, logits, -torch.inf)
            logits = torch.where(own & ~both, 0, logits)  # a row that is not there: no NaN in it
        ways = [torch.log_softmax(table, dim=-1).diagonal() for table in (logits, logits.mT)]
        return reduced(-(ways[0] + ways[1]) / 2, self.reduction, mask)

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"similarity={self.similarity!r}, max_scale={self.max_scale:g},"
            f" reduction={self.reduction!r}"
        )
