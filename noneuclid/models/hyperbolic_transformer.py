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
from noneuclid.manifolds import manifold as read_manifold
from noneuclid.manifolds.product import factors_of
from noneuclid.models._budget import count_parameters
from noneuclid.models._checks import check_sizes
from noneuclid.models._encoder_sizes import EncoderSizes, encoder_sizes, fit_encoder
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
            product, on whose factors the blocks act one by one. Or a signature, such as "H16";
            where a preset or a budget sets the widths, one without them, such as "H" or "H* x S".
        preset: "1k", "5k", "25k", "250k", "1M", "2M": a budget of parameters, met within 2 %.
        parameters: a budget in place of the preset's own.
        layers: L; by default the preset's, else 2.
        heads: of every attention; it divides the dimension. By default the preset's, else 4.
        ffn_ratio: hidden dimension of the feed-forward maps over the dimension, factor by factor;
            by default the preset's, else 4. A budget sets it but for the last few per cent.
        hidden: the hidden dimension itself.
        attention: "softmax" or "linear".
        positions: whether a point's place in the sequence turns it (`HopePosition`); without it a
            sequence is a set.
        dropout: of the weights of softmax attention; the linear one has none.
        device, dtype: of the parameters.

    Shapes: (B, n, S), mask (B, n) bool, True where a point is -> (B, n, S).

    Raises:
        ValueError: a size below 1, an unknown attention or preset, dropout without weights, heads
            that do not divide the dimension; a budget together with widths, or one that no widths
            meet.

    Initial values: the residuals have gain (2 L)^-1/2, so that points stay near the radius at which
    they come in.

    Flat limit: a pre-norm transformer with scores -|q - k|^2 and residuals a (x + s y) / (1 + s).
    Source: [yang2024hypformer] for HTC, norms on the space part and both attentions,
    [he2024lresnet] for the residual, [he2025helm] for the positions.
    """

    takes_mask = True

    def __init__(  # noqa: PLR0913 - sizes of a model, all but one by keyword
        self,
        manifold: HomogeneousManifold | str,
        *,
        preset: str | None = None,
        parameters: int | None = None,
        layers: int | None = None,
        heads: int | None = None,
        ffn_ratio: int | None = None,
        hidden: int | None = None,
        attention: Kind = "softmax",
        positions: bool = False,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if attention not in ("softmax", "linear"):
            raise ValueError(f'attention must be "softmax" or "linear", got {attention!r}')
        if attention == "linear" and dropout:
            raise ValueError("linear attention forms no weights that dropout could leave out")
        budget, sizes = encoder_sizes(preset, layers=layers, heads=heads, ffn_ratio=ffn_ratio)
        check_sizes(hidden=hidden, parameters=parameters)
        budget = parameters or budget
        dim = None
        if budget is not None:
            if not isinstance(manifold, str) or hidden is not None:
                raise ValueError(
                    "a preset or a budget sets the widths: give a signature that leaves them out,"
                    f' such as "H" or "H* x S", and no hidden, got {manifold!r} and {hidden}'
                )
            dim, hidden = self._fit(manifold, budget, sizes, attention)
        space = read_manifold(manifold, dim) if isinstance(manifold, str) else manifold
        super().__init__(space, space)
        self.sizes = sizes
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.position = HopePosition(space) if positions else None
        self.blocks = nn.ModuleList(
            _Block(space, sizes, hidden, attention, dropout, where) for _ in range(sizes.layers)
        )
        self.norm = SpaceLayerNorm(space, **where)

    @classmethod
    def _fit(
        cls, signature: str, parameters: int, sizes: EncoderSizes, attention: Kind
    ) -> tuple[int, int]:
        """Return the width of a factor and `hidden` of the model with that many parameters."""

        def count(dim: int, hidden: int) -> int:
            shape: dict[str, Any] = {"hidden": hidden, "attention": attention, **vars(sizes)}
            with torch.device("meta"):
                return count_parameters(cls(read_manifold(signature, dim), **shape))

        return fit_encoder(count, parameters, sizes)

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
        sizes: EncoderSizes,
        hidden: int | None,
        attention: Kind,
        dropout: float,
        where: dict[str, Any],
    ) -> None:
        super().__init__()
        heads, gain = sizes.heads, (2 * sizes.layers) ** -0.5
        factors = factors_of(space)
        wider = [factor.like(hidden or sizes.ffn_ratio * factor.dim) for factor in factors]
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
