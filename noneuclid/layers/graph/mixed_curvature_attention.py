"""MixedCurvatureAttention: attention over a node's neighbours, inside every factor."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers.attention._heads import Heads
from noneuclid.layers.attention._options import check_heads
from noneuclid.layers.graph._attention import EdgeScores
from noneuclid.layers.graph._base import GraphLayer, Pair, pair
from noneuclid.layers.graph._edges import Edges
from noneuclid.layers.graph.kappa_gcn_conv import shifted
from noneuclid.layers.linear import Linear
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import working_dtype


class MixedCurvatureAttention(GraphLayer):
    """The attentional aggregation inside a factor: midpoints of neighbours, weights learned.

    In each factor by itself, with h_j = W log_o x_j, over the edges j -> i and i itself,

        e_ij = LeakyReLU(a . h_j + b . h_i),   A_ij = softmax_j(e_ij + log w_ij),
        y_i = m(exp_o h; A_i) (+) exp_o(bias).

    The gyromidpoint m is the direction of sum_j A_ij (T_j, X_j) in ambient coordinates; the outer
    factor of A [x] h is the row sum of A, which is 1.

    Args:
        manifold_in: where the input lives; of constant curvature, Euclidean, or a product of those.
        manifold_out: where the output lives, and where its midpoints are taken.
        heads: H, how many attentions side by side, each with a part of a factor's dimensions (cut
            and joined in the tangent space with the beta scale, as in `MultiheadAttention`).
        bias: whether the last step is there.
        dropout: probability that a weight becomes 0 in training. On a curved factor the others are
            weights of a mean again; on R^n they are divided by 1 - dropout, as in the flat layer.
        negative_slope: of the LeakyReLU.
        self_loops: whether a node without an edge to itself is given one, of weight 1.
        mixing: as in `Linear`: whether W mixes the factors of a product.
        device, dtype: of the parameters.

    Shapes: points (N, S_in), or a pair of those of sources and targets; edge_index (2, E);
    edge_weight (E,) >= 0 -> (N, S_out). A node that hears nothing gives the point exp_o(bias).
    Parameters: `linear`; `scores[i].source`, a (H, d), and `scores[i].target`, b (H, d), for factor
    i; `bias` (dim_out,), a vector at the origin.

    Raises:
        ValueError: heads that do not divide the dimension of a factor, edges of the wrong shape.

    Initial values: W semi-orthogonal times sqrt 2, a and b normal of variance 1 / d, bias 0.
    Flat limit: torch_geometric.nn.GATConv with the same parameters, for each factor.
    Source: [sun2022self], attentional aggregation; [velickovic2018graph] on flat space.
    """

    scores: Sequence[EdgeScores]

    def __init__(  # noqa: PLR0913 - the options of a convolution, by keyword
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        heads: int = 1,
        bias: bool = True,
        *,
        dropout: float = 0.0,
        negative_slope: float = 0.2,
        self_loops: bool = True,
        mixing: bool | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out, "none", self_loops)
        check_heads(manifold_out, heads)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.linear = Linear(
            manifold_in, manifold_out, False, variant="mobius", mixing=mixing, **where
        )
        factors = factors_of(manifold_out)
        self.heads = tuple(Heads(factor, heads, "beta") for factor in factors)
        self.dims = tuple(factor.dim for factor in factors)
        self.scores = nn.ModuleList(  # type: ignore[assignment]  # it is a Sequence
            EdgeScores(heads, dim // heads, negative_slope, **where) for dim in self.dims
        )
        self.dropout = dropout
        self.bias = nn.Parameter(torch.empty(manifold_out.dim, **where)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W, a and b and set the bias to 0."""
        super().reset_parameters()
        self.linear.reset_parameters()
        for scores in self.scores:
            scores.reset_parameters()
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def tangent(
        self, c: Tensor | Pair, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the normal coordinates of y."""
        pieces, edges = self._prepare(c, edge_index, edge_weight)
        dropout = self.dropout if self.training else 0.0
        means = []
        for heads, scores, (rows, own) in zip(self.heads, self.scores, pieces, strict=True):
            weights, loop = scores(rows, own, edges, dropout)
            means.append(self._mean(heads, rows, own, edges, weights, loop).flatten(-2))
        y = means[0] if len(means) == 1 else torch.cat(means, dim=-1)
        return shifted(self.manifold_out, y.to(pair(c)[0].dtype), self.bias)

    def attention_weights(
        self, x: Tensor | Pair, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> list[tuple[Tensor, Tensor | None]]:
        """Return, for each factor, A of the edges (E, H) and of the added loops (N, H)."""
        source, target = pair(x)
        normal = [self.manifold_in.to_frame(self.manifold_in.logmap0(p)) for p in (source, target)]
        c = normal[0] if target is source else (normal[0], normal[1])
        pieces, edges = self._prepare(c, edge_index, edge_weight)
        return [scores(*piece, edges) for scores, piece in zip(self.scores, pieces, strict=True)]

    def _prepare(
        self, c: Tensor | Pair, edge_index: Tensor, edge_weight: Tensor | None
    ) -> tuple[list[tuple[Tensor, Tensor]], Edges]:
        """Return h of sources and targets (N, H, d) for each factor, and the edges."""
        source, target = pair(c)
        edges = self.edges(edge_index, edge_weight, (source.shape[0], target.shape[0]), source)
        rows = self._cut(self.linear.tangent(source))
        own = rows if target is source else self._cut(self.linear.tangent(target))
        return list(zip(rows, own, strict=True)), edges

    def _cut(self, c: Tensor) -> list[Tensor]:
        """Return the heads of every factor: (N, dim) -> (N, H, d) each."""
        parts = c.to(working_dtype(c.dtype)).split(self.dims, dim=-1)
        pieces = zip(self.heads, parts, strict=True)
        return [part.unflatten(-1, (heads.count, heads.dim)) for heads, part in pieces]

    def _mean(
        self,
        heads: Heads,
        rows: Tensor,
        own: Tensor,
        edges: Edges,
        weights: Tensor,
        loop: Tensor | None,
    ) -> Tensor:
        """Return the means of neighbours, (N_target, H, d)."""
        edges = edges._replace(weight=weights, loop=None if loop is None else loop[..., None])
        columns = _columns(heads, rows)
        ours = columns if own is rows else _columns(heads, own)
        return heads.from_rows(self.heard(columns, ours, edges))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return those of torch_geometric.nn.GATConv; a and b of factor i > 0 end in `.i`."""
        flat = {"lin.weight": self.linear.flat_parameters()["weight"]}
        for i, scores in enumerate(self.scores):
            end = f".{i}" if i else ""
            flat[f"att_src{end}"], flat[f"att_dst{end}"] = scores.source[None], scores.target[None]
        return flat if self.bias is None else {**flat, "bias": self.bias}

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        return (
            f"{self.manifold_in!r} -> {self.manifold_out!r}, heads={self.heads[0].count},"
            f" dropout={self.dropout}, self_loops={self.self_loops}"
        )


def _columns(heads: Heads, rows: Tensor) -> Tensor:
    """Return what is summed up for heads (N, H, d), which `Heads` wants before the nodes."""
    return heads.rows(rows.transpose(-2, -3)).transpose(-2, -3)
