"""The Euclidean baseline: a plain particle transformer in torch.nn alone."""

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.models._budget import count_parameters
from noneuclid.models._checks import check_sizes, without_padding
from noneuclid.models._reset import reset_children
from noneuclid.models.particles.embedding import FeatureEmbedding
from noneuclid.models.particles.pairs import PairEmbedding
from noneuclid.models.particles.sizes import Sizes, fit_transformer, sizes_of


class EuclideanTransformer(nn.Module):
    """A particle transformer of the shape of `PMTransformer`, written without a manifold.

    Feature embedding; pre-norm blocks of attention, with the pairs' bias, and feed-forward maps;
    class-attention blocks; an MLP. It is the baseline a curved model of the same number of
    parameters has to beat, with the initial values that torch.nn gives its layers.

    Args:
        in_features: F, features of a particle.
        classes: number of logits.
        dim: width of the tokens; with a preset it comes from the budget.
        jet_dim: width of the jet's vector; by default that of the tokens.
        hidden: width of the first map from token to jet; by default twice `dim`.
        preset: "1k", "5k", "25k", "250k", "1M", "2M": a budget of parameters, met within 2 %.
        parameters: a budget in place of the preset's own.
        dropout: of attention weights and feed-forward maps.
        **sizes: fields of `Sizes` to change: layers, class_layers, heads, ffn_ratio, embed_layers,
            pair_widths, jet_layers.
        device, dtype: of the parameters.

    Shapes: features (B, P, F), mask (B, P) bool, True where a particle is, momenta (B, P, 4) px,
    py, pz, E in GeV, wanted where there are pair widths -> logits (B, classes).

    Raises:
        ValueError: neither or both of a budget and `dim`; a budget that no widths meet; a size
            below 1; a dim that heads does not divide; a mask of the wrong shape; no momenta.

    Source: [qu2022particle] section 4, with the feed-forward and residual order of a pre-norm
    transformer.
    """

    def __init__(
        self,
        in_features: int,
        classes: int,
        *,
        dim: int | None = None,
        jet_dim: int | None = None,
        hidden: int | None = None,
        preset: str | None = None,
        parameters: int | None = None,
        dropout: float = 0.0,
        **sizes: Any,
    ) -> None:
        super().__init__()
        where: dict[str, Any] = {k: sizes.pop(k) for k in ("device", "dtype") if k in sizes}
        budget, self.sizes = sizes_of(preset, sizes)
        budget = parameters or budget
        check_sizes(
            in_features=in_features, classes=classes, dim=dim, jet_dim=jet_dim, hidden=hidden
        )
        if (budget is None) == (dim is None):
            raise ValueError("give either a preset or a budget of parameters, or dim, not both")
        if budget is not None:

            def count(dim: int, hidden: int) -> int:
                shape: dict[str, Any] = {"dim": dim, "hidden": hidden, **vars(self.sizes)}
                with torch.device("meta"):
                    return count_parameters(EuclideanTransformer(in_features, classes, **shape))

            dim, hidden = fit_transformer(count, budget, self.sizes)
        assert dim is not None
        self._build(in_features, classes, dim, jet_dim or dim, hidden or 2 * dim, dropout, where)

    def _build(
        self,
        in_features: int,
        classes: int,
        dim: int,
        jet_dim: int,
        hidden: int,
        dropout: float,
        where: dict[str, Any],
    ) -> None:
        sizes: Sizes = self.sizes
        self.embed = FeatureEmbedding(in_features, dim, sizes.embed_layers, **where)
        self.lift = nn.Linear(dim, dim, **where)
        self.pairs = None
        if sizes.pair_widths is not None:
            self.pairs = PairEmbedding(sizes.heads, sizes.pair_widths, **where)
        blocks = [
            Block(dim, sizes.heads, sizes.ffn_ratio, dropout if i < sizes.layers else 0.0, **where)
            for i in range(sizes.layers + sizes.class_layers)
        ]
        self.blocks = nn.ModuleList(blocks[: sizes.layers])
        self.class_blocks = nn.ModuleList(blocks[sizes.layers :])
        self.token = nn.Parameter(torch.empty(1, dim, **where))
        self._draw_token()
        steps: list[nn.Module] = []
        widths = (dim, hidden, *(sizes.jet_layers + 1) * (jet_dim,))
        for before, after in itertools.pairwise(widths):
            steps += [nn.Linear(before, after, **where), nn.GELU()]
        self.jet = nn.Sequential(*steps, nn.Linear(jet_dim, jet_dim, **where))
        self.head = nn.Sequential(
            nn.LayerNorm(jet_dim, **where),
            nn.Linear(jet_dim, 2 * jet_dim, **where),
            nn.GELU(),
            nn.Linear(2 * jet_dim, classes, **where),
        )

    def _draw_token(self) -> None:
        nn.init.trunc_normal_(self.token, std=0.02)

    def reset_parameters(self) -> None:
        """Draw fresh parameters everywhere."""
        reset_children(self)
        self._draw_token()

    def forward(
        self, features: Tensor, mask: Tensor | None = None, momenta: Tensor | None = None
    ) -> Tensor:
        """Return logits (B, classes); without a mask every slot is a particle."""
        x = self.lift(self.embed(without_padding(features, mask), mask))
        bias = None
        if self.pairs is not None:
            if momenta is None:
                raise ValueError(
                    "the pair features need momenta (B, P, 4), px py pz E in GeV; a model with"
                    " pair_widths=None does without"
                )
            bias = self.pairs(momenta, mask)
        for block in self.blocks:
            x = block(x, x, mask, bias)
        token = self.token.expand(len(features), 1, -1)
        here = None if mask is None else F.pad(mask, (1, 0), value=True)
        for block in self.class_blocks:
            token = block(token, torch.cat([token, x], dim=1), here)
        return self.head(self.jet(token[:, 0]))


class Block(nn.Module):
    """Pre-norm attention and feed-forward maps, each with a residual.

    Shapes: x (B, Q, D), context (B, N, D), mask (B, N) bool, bias (B, H, Q, N) -> (B, Q, D). Rows
    without a key attend to nothing. The norm of the first half acts on the context.
    """

    def __init__(
        self, dim: int, heads: int, ratio: int, dropout: float = 0.0, **where: Any
    ) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"heads must divide the width, got {heads} heads and width {dim}")
        self.heads = heads
        self.dropout = dropout
        self.norm1 = nn.LayerNorm(dim, **where)
        self.in_proj = nn.Linear(dim, 3 * dim, **where)
        self.out_proj = nn.Linear(dim, dim, **where)
        self.norm2 = nn.LayerNorm(dim, **where)
        self.ffn = nn.Sequential(
            nn.Linear(dim, ratio * dim, **where),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(ratio * dim, dim, **where),
        )

    def forward(
        self, x: Tensor, context: Tensor, mask: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Return the tokens after both halves."""
        x = x + self._attend(x, context, mask, bias)
        return x + self.ffn(self.norm2(x))

    def attention_weights(
        self, x: Tensor, context: Tensor, mask: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Return the weights of the keys: (B, H, Q, N), rows that sum to 1."""
        q, k, _ = self._projected(x, context)
        scores = q @ k.mT / q.shape[-1] ** 0.5
        added = attend(mask, bias)
        if added is None:
            return scores.softmax(-1)
        if added.dtype == torch.bool:
            added = torch.zeros_like(scores).masked_fill(~added, float("-inf"))
        return (scores + added).softmax(-1)

    def _projected(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values: (B, H, Q or N, D / H)."""
        normed = self.norm1(context)
        if x is context:
            q, k, v = self.in_proj(normed).chunk(3, dim=-1)
        else:  # class attention: the token asks as it is
            weight, shift = self.in_proj.weight, self.in_proj.bias
            dim = x.shape[-1]
            q = F.linear(x, weight[:dim], shift[:dim])
            k, v = F.linear(normed, weight[dim:], shift[dim:]).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        return q, k, v

    def _attend(
        self, x: Tensor, context: Tensor, mask: Tensor | None, bias: Tensor | None
    ) -> Tensor:
        q, k, v = self._projected(x, context)
        drop = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, attend(mask, bias), dropout_p=drop)
        if mask is not None:
            out = torch.where(mask.any(-1)[:, None, None, None], out, 0)
        return self.out_proj(out.transpose(1, 2).flatten(-2))


def attend(mask: Tensor | None, bias: Tensor | None) -> Tensor | None:
    """Return what is added to the scores: the bias, and -inf at masked keys."""
    if mask is None:
        return bias
    keys = mask[:, None, None, :]
    if bias is None:
        return keys
    return torch.where(keys, bias, float("-inf"))
