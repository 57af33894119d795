"""Layer normalisation in the tangent space at the origin."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import initial_radius, principal
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of


class TangentLayerNorm(TangentLayer):
    """y = exp_o(LN(log_o x)), LN on the normal coordinates of each factor by itself.

    Args:
        manifold: where input and output live.
        eps: added to the variance, as in torch.nn.LayerNorm.
        device, dtype: of the parameters.

    Shapes: (*, S) -> (*, S). Parameters: `weight` (dim,), `bias` (dim,).

    Initial values: the weight of a factor is min(1, |K|^-1/2) / sqrt(dim) and the bias 0, so that
    every point lands at radius min(1, |K|^-1/2), whatever the depth. (torch's weight 1 would mean
    radius sqrt(dim): near the antipode of a sphere already at dim 8.) A factor of dimension 1 is
    always normalised to its bias.
    Where it follows a ReLU without a residual, the mean that it takes away costs a factor
    sqrt(pi / (pi - 1)) = 1.2 in the gradient of every layer, on flat space too; `SpaceRMSNorm` has
    a factor 1.

    Flat limit: torch.nn.LayerNorm with the same weight and bias, on each factor.
    Source: [woodward2024product] section 4.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        eps: float = 1e-5,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, manifold)
        self.eps = eps
        self.dims = tuple(factor.dim for factor in factors_of(manifold))
        self.weight = nn.Parameter(torch.empty(manifold.dim, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(manifold.dim, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to its initial radius and the bias to 0."""
        nn.init.zeros_(self.bias)
        parts = zip(factors_of(self.manifold_out), self.weight.split(self.dims), strict=True)
        with torch.no_grad():
            for factor, part in parts:
                part.copy_(initial_radius(factor, part.device) / factor.dim**0.5)

    def tangent(self, c: Tensor) -> Tensor:
        """Return LN(c), factor by factor; factors of one dimension in one pass."""
        if len(set(self.dims)) == 1:
            rows = c.unflatten(-1, (len(self.dims), -1))
            normed = F.layer_norm(rows, rows.shape[-1:], eps=self.eps).flatten(-2)
            return principal(self.manifold_out, torch.addcmul(self.bias, normed, self.weight))
        parts = zip(
            c.split(self.dims, dim=-1),
            self.weight.split(self.dims),
            self.bias.split(self.dims),
            strict=True,
        )
        outputs = [F.layer_norm(part, w.shape, w, b, self.eps) for part, w, b in parts]
        return principal(self.manifold_out, torch.cat(outputs, dim=-1))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return weight and bias, to be split over the factors."""
        return {"weight": self.weight, "bias": self.bias}
