"""Root-mean-square normalisation of the space part."""

import torch
import torch.nn.functional as F
from torch import Tensor

from noneuclid.layers.norm._space_norm import SpaceNorm
from noneuclid.manifolds import HomogeneousManifold


class SpaceRMSNorm(SpaceNorm):
    """RMSNorm of the space part X of every factor, from which T is computed again.

        (T, X) -> (sqrt(1 - K |Y|^2), Y),  Y = X / sqrt(mean X^2 + eps) * weight,

    and exp_o(RMSNorm(log_o x)) where K >= 0; see `SpaceLayerNorm`. It keeps the direction from the
    origin up to `weight`, which a LayerNorm does not.

    Args:
        manifold: where input and output live.
        eps: added to the mean square, as in torch.nn.RMSNorm (whose default is the dtype's own).
        device, dtype: of the parameters.

    Shapes: (*, S) -> (*, S). Parameters: `weight` (dim,).

    Raises:
        TypeError: a factor that is neither of constant curvature nor Euclidean.
        ValueError: eps < 0.

    Initial values: the weight of a factor is min(1, |K|^-1/2) / sqrt(dim): points land at 0.88 to 1
    times min(1, |K|^-1/2), whatever the depth.

    Flat limit: torch.nn.RMSNorm with the same weight, on each factor.
    Source: [he2025helm] for RMSNorm of the space part; [yang2024hypformer], HRC.
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
        self.reset_parameters()

    def _norm(self, X: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.rms_norm(X, weight.shape, weight, self.eps)
