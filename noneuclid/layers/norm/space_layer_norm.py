"""Layer normalisation of the space part."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers.norm._space_norm import SpaceNorm
from noneuclid.manifolds import HomogeneousManifold


class SpaceLayerNorm(SpaceNorm):
    """LayerNorm of the space part X of every factor, from which T is computed again.

    With (T, X) the ambient coordinates of the point, T^2 + K |X|^2 = 1:

        (T, X) -> (sqrt(1 - K |Y|^2), Y),  Y = (X - mean X) / sqrt(var X + eps) * weight + bias.

    Where K >= 0 it is exp_o(LN(log_o x)), as X = log_o x at K = 0 and a sphere has no point for
    every Y. On a `Lorentz` point it costs a LayerNorm and one pass for the time entry.

    Args:
        manifold: where input and output live.
        eps: added to the variance, as in torch.nn.LayerNorm.
        device, dtype: of the parameters.

    Shapes: (*, S) -> (*, S). Parameters: `weight` (dim,), `bias` (dim,).

    Raises:
        TypeError: a factor that is neither of constant curvature nor Euclidean.
        ValueError: eps < 0.

    Initial values: the weight of a factor is min(1, |K|^-1/2) / sqrt(dim) and the bias 0: points
    land at 0.88 to 1 times min(1, |K|^-1/2), whatever the depth.

    Flat limit: torch.nn.LayerNorm with the same weight and bias, on each factor.
    Source: [yang2024hypformer], HRC.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        eps: float = 1e-5,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, eps, device=device, dtype=dtype)
        self.bias = nn.Parameter(torch.empty(manifold.dim, device=device, dtype=dtype))
        self.reset_parameters()

    def _norm(self, X: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.layer_norm(X, weight.shape, weight, bias, self.eps)
