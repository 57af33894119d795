"""A transformer encoder between points of hyperbolic space."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from noneuclid.layers import (
    Activation,
    HopePosition,
    KernelAttention,
    Linear,
    MultiheadAttention,
    ResidualSum,
    SpaceLayerNorm,
    TangentLayer,
)
from noneuclid.layers._masking import coordinates_only, points_only
from noneuclid.manifolds import HomogeneousManifold, Product
from noneuclid.manifolds.product import factors_of
from noneuclid.models._checks import check_sizes
from noneuclid.models._reset import reset_children

Kind = Literal["softmax", "linear"]


class HyperbolicTransformer(TangentLayer):
    """Pre-norm blocks of attention and feed-forward maps on the hyperboloid.

    For L blocks, points x of a sequence or set:

        x <- x (+) MHA(LN x),   x <- x (+) HTC(relu(HTC(LN x))),

    LN and HTC on the space part with the time recomputed, (+) the weighted Lorentz residual, scores
    minus the squared Lorentz distance and midpoints by the Lorentz centroid; or, with
    `attention="linear"`, the kernel attention whose cost is linear in the number of points. A last
    norm ends it.

    Args:
        manifold: where points live: `Lorentz`, a ball, any other space of constant curvature, or a
            product, on whose factors the blocks act one by one.
        layers: L.
        heads: of every attention; it divides the dimension.
        ffn_ratio: hidden dimension of the feed-forward maps over the dimension.
        attention: "softmax" or "linear".
        positions: whether a point's place in the sequence turns it (`HopePosition`); without it a
            sequence is a set.
        dropout: of the weights of softmax attention; the linear one has none.
        device, dtype: of the parameters.

    Shapes: (B, n, S), mask (B, n) bool, True where a point is -> (B, n, S).

    Raises:
        ValueError: a size below 1, an unknown attention, dropout without weights, heads that
            do not divide the dimension.

    Initial values: the residuals have gain (2 L)^-1/2, so that points stay near the radius at which
    they come in.

    Flat limit: a pre-norm transformer with scores -|q - k|^2 and residuals a (x + s y) / (1 + s).
    Source: [yang2024hypformer] for HTC, norms on the space part and both attentions,
    [he2024lresnet] for the residual, [he2025helm] for the positions.
    """

    takes_mask = True

    def __init__(  # noqa: PLR0913 - sizes of a model, all but one by keyword
        self,
        manifold: HomogeneousManifold,
        *,
        layers: int = 2,
        heads: int = 4,
        ffn_ratio: int = 4,
        attention: Kind = "softmax",
        positions: bool = False,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, manifold)
        check_sizes(layers=layers, heads=heads, ffn_ratio=ffn_ratio)
        if attention not in ("softmax", "linear"):
            raise ValueError(f'attention must be "softmax" or "linear", got {attention!r}')
        if attention == "linear" and dropout:
            raise ValueError("linear attention forms no weights that dropout could leave out")
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.position = HopePosition(manifold) if positions else None
        self.blocks = nn.ModuleList(
            _Block(manifold, heads, ffn_ratio, attention, dropout, (2 * layers) ** -0.5, where)
            for _ in range(layers)
        )
        self.norm = SpaceLayerNorm(manifold, **where)

    def reset_parameters(self) -> None:
        """Draw fresh parameters everywhere; the manifold, which is the user's, stays as it is."""
        reset_children(self.blocks)
        self.norm.reset_parameters()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map points (B, n, S) to points (B, n, S)."""
        return super().forward(points_only(self.manifold_in, x, mask), mask=mask)

    def tangent(self, c: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the output's normal coordinates."""
        c = coordinates_only(c, mask)
        if self.position is not None:
            c = self.position.tangent(c)
        for block in self.blocks:
            c = block(c, mask)
        return self.norm.tangent(c)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the parameters, which mean the same in the limit formula."""
        return dict(self.named_parameters())


class _Block(nn.Module):
    """Attention and feed-forward maps, each after a norm and with a residual."""

    def __init__(
        self,
        space: HomogeneousManifold,
        heads: int,
        ratio: int,
        attention: Kind,
        dropout: float,
        gain: float,
        where: dict[str, Any],
    ) -> None:
        super().__init__()
        wider = [factor.like(ratio * factor.dim) for factor in factors_of(space)]
        wide = wider[0] if len(wider) == 1 else Product(*wider)
        self.norm1 = SpaceLayerNorm(space, **where)
        self.attention: TangentLayer
        if attention == "linear":
            self.attention = KernelAttention(space, heads, **where)
        else:
            self.attention = MultiheadAttention(
                space, heads, score="lorentz", split="lorentz", dropout=dropout, **where
            )
        self.sum1 = ResidualSum(space, "lorentz", gain=gain, **where)
        self.norm2 = SpaceLayerNorm(space, **where)
        self.up = Linear(space, wide, variant="htc", **where)
        self.activation = Activation(wide, torch.relu)
        self.down = Linear(wide, space, variant="htc", **where)
        self.sum2 = ResidualSum(space, "lorentz", gain=gain, **where)

    def forward(self, c: Tensor, mask: Tensor | None) -> Tensor:
        """Return the normal coordinates of the points after both halves."""
        given = self.attention.tangent(self.norm1.tangent(c), mask=mask)
        c = self.sum1.tangent(c, given)
        hidden = self.activation.tangent(self.up.tangent(self.norm2.tangent(c)))
        return self.sum2.tangent(c, self.down.tangent(hidden))
