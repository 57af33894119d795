"""SelfMGNN: self-supervised learning of graphs in a space of mixed curvature."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers import Lift
from noneuclid.layers._normal import principal
from noneuclid.layers.graph import AttentionalConcat, MixedCurvatureAttention
from noneuclid.layers.graph.attentional_concat import Center
from noneuclid.manifolds import HomogeneousManifold, SpaceForm, manifold
from noneuclid.manifolds.product import factors_of
from noneuclid.models._checks import check_sizes
from noneuclid.models.graphs.diffusion import diffusion as diffuse
from noneuclid.models.graphs.encoder import GraphData, SelfSupervised, weights_of
from noneuclid.models.graphs.self_mgnn.dual_contrast import Discriminator, DualContrast
from noneuclid.models.graphs.self_mgnn.projector import RiemannianProjector
from noneuclid.numerics import safe_divide, safe_norm


class SelfMGNN(SelfSupervised):
    """The self-supervised mixed-curvature graph network, whole.

    Encoder, on the product M of the signature:

    1. `Lift`: features enter each factor as exp_o(s W_m x);
    2. `layers` times `MixedCurvatureAttention`, midpoints of neighbours inside every factor, with
       an ELU on the tangent space at the origin between them;
    3. `AttentionalConcat`: factors weighed against each other, in a common dimension.

    Loss, between the graph and its diffused twin (`diffusion`, from the edges that are given):

    4. `RiemannianProjector`: one view of constant curvature for each curved factor;
    5. `DualContrast`: InfoNCE inside every view and across views.

    Args:
        in_features: F.
        signature: of M, such as "K8(-1)* x K8(1)* x E8"; widths may be left out where `dim` gives
            them, and `*` makes a curvature learnable.
        dim: dimension of the factors that leave their own out.
        layers: L >= 1.
        heads: of each attention.
        dropout: of features, and of the normal coordinates between the layers.
        normalize: whether each row of features is brought to root mean square 1, the size for which
            `Lift` puts points where a space bends but does not saturate.
        center: what factors are compared with, see `AttentionalConcat`.
        width: dimension of the factors of the code; that of the largest one by default.
        projector_depth: 0, 1 or 2, see `RiemannianProjector`.
        discriminator: see `DualContrast`: "bilinear" is the source's, "transport" that of RGT,
            "neighbor" a divergence between distributions over neighbours.
        temperature: t of the discriminator.
        cross_weight: weight of the cross-view loss; 0 is the single-view ablation.
        flat_views: whether flat factors have views too.
        negatives: how many other nodes a node is told from, drawn anew at every call; all others
            where there are fewer. The loss takes memory of their square.
        diffusion: options of `models.graphs.diffusion`: kernel "ppr" or "heat", `alpha`, `time`,
            `top_k`, `threshold`.
        codes: what `embed` gives a decoder: "first", the codes of the graph itself; "both", the
            midpoints of those and the codes of its diffused twin.
        neighbors: whom a node should be recognized in: itself in the other graph ("self", the
            source's), or its row of the diffused graph ("diffusion"), itself among them.
        device, dtype: of the parameters.

    Shapes: `forward(x, edge_index, edge_weight=None)`: (N, F), (2, E) -> points (N, S) of
    `manifold`; `contrast(data)` -> ().

    Raises:
        ValueError: a size below 1, an unknown option.

    Source: [sun2022self]; what it leaves open is an option here, with the default named first in
    the docs. The attentional concatenation over nodes is that of [grover2025spectro].
    """

    attentions: Sequence[MixedCurvatureAttention]

    def __init__(  # noqa: PLR0913 - the options of a method, all but two by keyword
        self,
        in_features: int,
        signature: str = "K8(-1)* x K8(1)* x E8",
        *,
        dim: int | None = None,
        layers: int = 2,
        heads: int = 1,
        dropout: float = 0.0,
        normalize: bool = True,
        center: Center = "factors",
        width: int | None = None,
        projector_depth: int = 2,
        discriminator: Discriminator = "bilinear",
        temperature: float = 1.0,
        cross_weight: float = 1.0,
        flat_views: bool = False,
        negatives: int = 2048,
        neighbors: Literal["self", "diffusion"] = "self",
        codes: Literal["first", "both"] = "both",
        diffusion: dict[str, Any] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(in_features=in_features, layers=layers, negatives=negatives)
        _check_choice("neighbors", neighbors, ("self", "diffusion"))
        _check_choice("codes", codes, ("first", "both"))
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.in_features, self.signature = in_features, signature
        self.dropout, self.normalize = dropout, normalize
        self.negatives, self.neighbors, self.codes = negatives, neighbors, codes
        self._make_encoder(manifold(signature, dim), layers, heads, (width, center), where)
        options = {"temperature": temperature, "cross_weight": cross_weight, **where}
        self._make_loss(discriminator, options, (projector_depth, flat_views), where)
        self.diffusion_options = dict(diffusion or {})
        self._diffused: tuple[Tensor, tuple[Tensor, Tensor]] | None = None

    def _make_encoder(
        self,
        space: HomogeneousManifold,
        layers: int,
        heads: int,
        concat: tuple[int | None, Center],
        where: dict[str, Any],
    ) -> None:
        self.lift = Lift(self.in_features, space, **where)
        self.attentions = nn.ModuleList(  # type: ignore[assignment]  # it is a Sequence
            MixedCurvatureAttention(space, space, heads, **where) for _ in range(layers)
        )
        width, center = concat
        self.concat = AttentionalConcat(space, width, center=center, **where)
        self.manifold = self.concat.manifold_out

    def _make_loss(
        self,
        discriminator: Discriminator,
        options: dict[str, Any],
        projector: tuple[int, bool],
        where: dict[str, Any],
    ) -> None:
        depth, flat = projector
        common = factors_of(self.manifold)[0].dim
        self.projector = RiemannianProjector(self.manifold, common, depth, flat=flat, **where)
        self.loss = DualContrast(self.projector.manifolds, discriminator, **options)

    def coordinates(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the codes' normal coordinates, (N, dim)."""
        if self.normalize:
            x = safe_divide(x, safe_norm(x)) * self.in_features**0.5
        c = self.lift.tangent(F.dropout(x, self.dropout, self.training))
        for i, attention in enumerate(self.attentions):
            if i:
                c = principal(attention.manifold_in, F.elu(c))
                c = F.dropout(c, self.dropout, self.training)
            c = attention.tangent(c, edge_index, edge_weight)
        return self.concat.tangent(c)

    def embed(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Return the codes of the frozen encoder, (N, S); see `codes`."""
        first = super().embed(x, edge_index, edge_weight)
        if self.codes == "first":
            return first
        second = super().embed(x, *self.diffused(edge_index, len(x)))
        return self.manifold.midpoint(torch.stack([first, second], dim=-2)).detach()

    def diffused(self, edge_index: Tensor, num_nodes: int) -> tuple[Tensor, Tensor]:
        """Return edges and weights of the diffused graph; computed once for the same tensor."""
        if self._diffused is None or self._diffused[0] is not edge_index:
            options = {"kernel": "ppr", **self.diffusion_options}
            self._diffused = (edge_index, diffuse(edge_index, num_nodes, **options))
        return self._diffused[1]

    def contrast(self, data: GraphData, diffused: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Return the dual contrastive loss of a graph and its diffused twin.

        Args:
            data: with `x` (N, F), `edge_index` (2, E) and, if it has one, `edge_weight`; the
                training edges alone, in both directions.
            diffused: edges and weights of the second graph; by default those of `diffused`.
        """
        x, edge_index = data.x, data.edge_index
        second = self.diffused(edge_index, len(x)) if diffused is None else diffused
        codes = (
            self.coordinates(x, edge_index, weights_of(data)),
            self.coordinates(x, *second),
        )
        nodes = torch.randperm(len(x), device=x.device)[: self.negatives + 1]
        views = [self.projector(code[nodes]) for code in codes]
        return self.loss(views[0], views[1], self._near(nodes, second, len(x)))

    def _near(self, nodes: Tensor, second: tuple[Tensor, Tensor], count: int) -> Tensor | None:
        """Return the rows of the diffused graph among `nodes`, if they are asked for."""
        if self.neighbors == "self":
            return None
        place = torch.full((count,), -1, device=nodes.device)
        place[nodes] = torch.arange(len(nodes), device=nodes.device)
        source, target = place[second[0]]
        weight = torch.where((source >= 0) & (target >= 0), second[1], 0)
        p = second[1].new_zeros(len(nodes), len(nodes))
        return p.index_put((target, source), weight, accumulate=True)

    def curvatures(self) -> list[float]:
        """Return the curvatures of the factors, in their order."""
        return [
            float(factor.curvature().detach()) if isinstance(factor, SpaceForm) else 0.0
            for factor in factors_of(self.manifold)
        ]

    def extra_repr(self) -> str:
        """Return the signature."""
        return f"signature={self.signature!r}, negatives={self.negatives}"


def _check_choice(name: str, given: str, known: tuple[str, ...]) -> None:
    """Raise ValueError unless `given` is among the `known` choices."""
    if given not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {given!r}")
