"""PM-Transformer: a particle transformer whose tokens live on a product of manifolds."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers import Classifier, Lift, TangentLayer, make_classifier
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.layers.attention._visible import visible
from noneuclid.manifolds import ManifoldParameter, manifold
from noneuclid.manifolds.product import factors_of
from noneuclid.models._budget import count_parameters
from noneuclid.models._checks import check_sizes, without_padding
from noneuclid.models._reset import reset_children
from noneuclid.models.particles.embedding import FeatureEmbedding
from noneuclid.models.particles.pairs import PairEmbedding
from noneuclid.models.particles.sizes import Sizes, fit_transformer, sizes_of
from noneuclid.models.pm_transformer.block import Block
from noneuclid.models.pm_transformer.jet import JetEmbedding
from noneuclid.models.pm_transformer.options import Options

_TOKEN = 0.02  # standard deviation of a fresh class token's coordinates


class PMTransformer(nn.Module):
    """Classify sets of particles by attention on products of manifolds.

    1. A Euclidean vector for each particle (`FeatureEmbedding`), seen by all factors.
    2. `Lift`: exp_o(s (W h + b)), to the particles' manifold M.
    3. Particle blocks: c <- c (+) MHA(LN c), c <- c (+) FFN(LN c) on every factor, the pairs'
       features (`PairEmbedding`) as one attention bias for all; after every second block the
       factors are coupled (`InterManifoldAttention`).
    4. Class-attention blocks: one token on every factor asks itself and all particles.
    5. `JetEmbedding`: the token's logarithm to the jet's manifold J, whose factors are coupled.
    6. A head on J: log_o, LayerNorm and an MLP, or a classifier of points.

    Beyond the source: softmax over keys, heads cut by axes, weights of a coupling from the token's
    own factors, padding that is masked, points that start at radius 1, the learned scale s, and
    GELU where the source has ReLU, which in layers a few numbers wide often leaves nothing alive.

    Args:
        in_features: F, features of a particle.
        classes: number of logits.
        particle: signature of M, such as "H x E" or "H* x S*"; widths may be left out.
        jet: signature of J.
        dim: dimension of each factor of M that leaves its own out; a preset sets it.
        jet_dim: likewise of J; by default that of the particles.
        hidden: width of the first map from token to jet; by default twice `dim`.
        preset: "1k", "5k", "25k", "250k", "1M", "2M": a budget of parameters, met within 2 %.
        parameters: a budget in place of the preset's own.
        head: "mlp", or a `Classifier` head: "hyperplane", "busemann", "prototype".
        **choices: fields of `Options` (score, split, residual, coupling, coupling_period,
            activation, dropout) and of `Sizes` (layers, class_layers, heads, ffn_ratio,
            embed_layers, pair_widths, jet_layers); device and dtype of the parameters.

    Shapes: features (B, P, F), mask (B, P) bool, True where a particle is, momenta (B, P, 4) px,
    py, pz, E in GeV, wanted where there are pair widths -> logits (B, classes). What stands in
    padded slots, NaN included, never changes an output; in evaluation no row depends on another.

    Raises:
        ValueError: neither or both of a budget and widths; a budget that no widths meet; a size
            below 1; heads that do not divide a factor; an unknown option; a mask of the wrong
            shape; no momenta where they are wanted.
        TypeError: a choice that does not exist.

    Flat limit: `EuclideanTransformer`, for particle="E" and jet="E" with the same weights.
    Source: [woodward2024product] section 4; [qu2022particle] for inputs and pair features.
    """

    def __init__(  # noqa: PLR0913 - sizes of a model, all but four by keyword
        self,
        in_features: int,
        classes: int,
        particle: str = "H x E",
        jet: str = "H x E",
        *,
        dim: int | None = None,
        jet_dim: int | None = None,
        hidden: int | None = None,
        preset: str | None = None,
        parameters: int | None = None,
        head: str = "mlp",
        **choices: Any,
    ) -> None:
        super().__init__()
        where: dict[str, Any] = {k: choices.pop(k) for k in ("device", "dtype") if k in choices}
        own = {k: choices.pop(k) for k in Options.__dataclass_fields__ if k in choices}
        self.options = Options(**own)
        budget, self.sizes = sizes_of(preset, choices)
        budget = parameters or budget
        check_sizes(in_features=in_features, classes=classes)
        check_sizes(dim=dim, jet_dim=jet_dim, hidden=hidden)
        if budget is not None:
            if dim is not None or hidden is not None:
                raise ValueError("give either a preset or a budget, or dim and hidden, not both")
            shape = {"jet_dim": jet_dim, "head": head, **own, **vars(self.sizes)}
            what = (in_features, classes, particle, jet)
            dim, hidden = self._fit(what, budget, shape)
        self.in_features = in_features
        self.signatures = (particle, jet)
        self.space = manifold(particle, dim)
        self.jet_space = manifold(jet, jet_dim or dim)
        self._build_particles(where)
        self._build_jet(classes, hidden or 2 * (dim or self.space.dim), head, where)

    def _fit(
        self, what: tuple[int, int, str, str], parameters: int, shape: dict[str, Any]
    ) -> tuple[int, int]:
        """Return `dim` and `hidden` of the model with that many parameters."""

        def count(dim: int, hidden: int) -> int:
            with torch.device("meta"):
                return count_parameters(PMTransformer(*what, dim=dim, hidden=hidden, **shape))

        return fit_transformer(count, parameters, self.sizes)

    def _build_particles(self, where: dict[str, Any]) -> None:
        sizes: Sizes = self.sizes
        space, options = self.space, self.options
        width = max(factor.dim for factor in factors_of(space))
        self.embed = FeatureEmbedding(self.in_features, width, sizes.embed_layers, **where)
        self.lift = Lift(width, space, **where)
        self.pairs = None
        if sizes.pair_widths is not None:
            self.pairs = PairEmbedding(sizes.heads, sizes.pair_widths, **where)
        gain = (2 * (sizes.layers + sizes.class_layers)) ** -0.5  # two residuals in each block
        blocks = [
            Block(space, sizes.heads, sizes.ffn_ratio, options, dropout, gain, **where)
            for dropout in sizes.layers * [options.dropout] + sizes.class_layers * [0.0]
        ]
        self.blocks = nn.ModuleList(blocks[: sizes.layers])
        self.class_blocks = nn.ModuleList(blocks[sizes.layers :])
        self.couplings: Mapping[str, TangentLayer] = nn.ModuleDict()  # type: ignore[assignment]
        for i in range(options.coupling_period - 1, sizes.layers, options.coupling_period):
            coupling = options.coupling_of(space, **where)
            if coupling is not None:
                self.couplings[str(i)] = coupling  # type: ignore[index]
        self.token = ManifoldParameter(torch.empty(1, *space.point_shape, **where), space)
        self._draw_token()

    def _build_jet(self, classes: int, hidden: int, head: str, where: dict[str, Any]) -> None:
        space, jet = self.space, self.jet_space
        self.jet = JetEmbedding(
            space.dim, hidden, jet, self.sizes.jet_layers, self.options, **where
        )
        if head == "mlp":
            self.head: nn.Module = nn.Sequential(
                nn.LayerNorm(jet.dim, **where),
                nn.Linear(jet.dim, 2 * jet.dim, **where),
                nn.GELU(),
                nn.Linear(2 * jet.dim, classes, **where),
            )
        else:
            self.head = make_classifier(jet, classes, head=head, **where)

    @torch.no_grad()
    def _draw_token(self) -> None:
        place: dict[str, Any] = {"device": self.token.device, "dtype": self.token.dtype}
        noise = nn.init.trunc_normal_(torch.empty(1, self.space.dim, **place), std=_TOKEN)
        self.token.copy_(from_normal(self.space, noise))

    def reset_parameters(self) -> None:
        """Draw fresh parameters everywhere; learnable curvatures go back to where they started."""
        reset_children(self)
        self._draw_token()

    def forward(
        self, features: Tensor, mask: Tensor | None = None, momenta: Tensor | None = None
    ) -> Tensor:
        """Return logits (B, classes); without a mask every slot is a particle."""
        c = self.jet(self.token_of(features, mask, momenta))
        if isinstance(self.head, Classifier):
            return self.head(from_normal(self.jet_space, c))
        return self.head(c)

    def embed_jets(
        self, features: Tensor, mask: Tensor | None = None, momenta: Tensor | None = None
    ) -> Tensor:
        """Return the points of the jets on `jet_space`: (B, S)."""
        return from_normal(self.jet_space, self.jet(self.token_of(features, mask, momenta)))

    def token_of(
        self, features: Tensor, mask: Tensor | None = None, momenta: Tensor | None = None
    ) -> Tensor:
        """Return the jets' tokens, normal coordinates on the particles' manifold: (B, dim)."""
        c, bias = self._tokens(features, mask, momenta)
        count, places = c.shape[:2]
        seen = visible((count, places, places), mask, bias, False, c)
        for i, block in enumerate(self.blocks):
            c = block(c, None, seen)
            if str(i) in self.couplings:
                c = self.couplings[str(i)].tangent(c)
        token = to_normal(self.space, self.token).to(c.dtype).expand(count, 1, -1)
        here = None if mask is None else F.pad(mask, (1, 0), value=True)
        seen = visible((count, 1, places + 1), here, None, False, c)
        for block in self.class_blocks:
            token = block(token, torch.cat([token, c], dim=1), seen)
        return token[:, 0]

    def _tokens(
        self, features: Tensor, mask: Tensor | None, momenta: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the particles' normal coordinates and the attention bias."""
        if features.dim() != 3 or features.shape[-1] != self.in_features:
            raise ValueError(
                f"PMTransformer expects features of shape (B, P, {self.in_features}),"
                f" got {tuple(features.shape)}"
            )
        h = self.embed(without_padding(features, mask), mask)
        bias = None
        if self.pairs is not None:
            if momenta is None:
                raise ValueError(
                    "the pair features need momenta (B, P, 4), px py pz E in GeV; a model with"
                    " pair_widths=None does without"
                )
            bias = self.pairs(momenta, mask)
        return self.lift.tangent(h), bias

    def extra_repr(self) -> str:
        """Return the signatures."""
        return f"particle={self.signatures[0]!r}, jet={self.signatures[1]!r}"
