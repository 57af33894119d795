"""HGCNConv: the hyperbolic graph convolution, on any geometry."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.layers.graph._attention import EdgeScores
from noneuclid.layers.graph._base import GraphLayer, Pair, pair
from noneuclid.layers.graph._edges import Edges, Normalization, summed
from noneuclid.layers.graph._midpoint import from_columns, to_columns
from noneuclid.layers.graph.kappa_gcn_conv import shifted
from noneuclid.layers.linear import Linear
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import working_dtype

Aggregation = Literal["origin", "local", "midpoint"]
AGGREGATIONS = ("origin", "local", "midpoint")


class HGCNConv(GraphLayer):
    """The graph convolution of HGCN: a Moebius linear map, a mean over neighbours, a translation.

    With h_j = W (x) x_j = exp_o(W log_o x_j) and A the normalized weights of edges,

        y_i = agg_i(h) (+) exp_o(b).

    | aggregation | agg_i(h) |
    | --- | --- |
    | "origin" | exp_o(sum_j A_ij log_o h_j): that of the source's code |
    | "local" | exp_{h_i}(sum_j A_ij log_{h_i} h_j): that of the source's text |
    | "midpoint" | (sum_j A_ij) (x) the midpoint of the h_j: that of `KappaGCNConv` |

    The means of "local" and "midpoint" commute with every isometry, that of "origin" with
    rotations about the origin. No activation is applied: the source's, from one curvature to the
    next, is exp_o(f(log_o y)), as in `Activation`.

    Args:
        manifold_in: where the input lives; of constant curvature, Euclidean, or a product of those.
        manifold_out: where the output lives, and where its means are taken.
        bias: True for a translation after the mean, where the flat layer has it; "before" for one
            between W and the mean, as in the source (the same in the flat limit where the rows of
            A sum to 1); False for none.
        aggregation: see above. "origin" costs what the flat layer does, "midpoint" a column more,
            "local" a logarithm for each edge.
        attention: whether A_ij = softmax_j(LeakyReLU(u . log_o h_j + v . log_o h_i) + log w_ij);
            otherwise it is as `normalization` says.
        normalization: "row", w_ij / d_i, as in the source; "symmetric", w_ij / sqrt(d_i d_j);
            "none", the weights w_ij as they are given.
        self_loops: whether a node without an edge to itself is given one, of weight 1.
        cached: whether to keep the normalized and sorted graph of the first call.
        device, dtype: of the parameters.

    Shapes: points (N, S_in), or a pair of those of sources and targets; edge_index (2, E);
    edge_weight (E,) -> (N, S_out). A node that hears nothing gives the point exp_o(b) ("local": its
    own point). Parameters: `linear`, `bias` (dim_out,), a vector at the origin, and with attention
    `scores.source` and `scores.target` (1, dim_out).

    Raises:
        ValueError: an unknown option, edges of the wrong shape.

    Initial values: W semi-orthogonal times sqrt 2, b = 0, u and v normal of variance 1 / dim_out.
    Flat limit: torch_geometric.nn.GCNConv with the same weight and bias; with attention GATConv.
    (Normalization "row" is GCNConv's with `normalize=False` and the weights w_ij / d_i.)
    Source: [chami2019hyperbolic] section 4.
    """

    def __init__(  # noqa: PLR0913 - the options of a convolution, by keyword
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        bias: bool | Literal["before"] = True,
        *,
        aggregation: Aggregation = "origin",
        attention: bool = False,
        normalization: Normalization = "row",
        self_loops: bool = True,
        cached: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out, normalization, self_loops, cached)
        if bias not in (True, False, "before"):
            raise ValueError(f'bias must be True, False or "before", got {bias!r}')
        if aggregation not in AGGREGATIONS:
            raise ValueError(
                f"aggregation must be one of {', '.join(AGGREGATIONS)}, got {aggregation!r}"
            )
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.aggregation: Aggregation = aggregation
        self.shifts_before = bias == "before"
        if attention:
            self.normalization = "none"
        self.linear = Linear(manifold_in, manifold_out, False, variant="mobius", **where)
        self.bias = nn.Parameter(torch.empty(manifold_out.dim, **where)) if bias else None
        self.scores = EdgeScores(1, manifold_out.dim, **where) if attention else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W, u and v, and set b to 0."""
        super().reset_parameters()
        self.linear.reset_parameters()
        if self.scores is not None:
            self.scores.reset_parameters()
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def tangent(
        self, c: Tensor | Pair, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the normal coordinates of y."""
        source, target = pair(c)
        edges = self.edges(edge_index, edge_weight, (source.shape[0], target.shape[0]), source)
        rows = self._mapped(source)
        own = rows if target is source else self._mapped(target)
        if self.scores is not None:
            edges = _attended(self.scores, rows, own, edges)
        mean = self._mean(rows, own, edges).to(source.dtype)
        return shifted(self.manifold_out, mean, None if self.shifts_before else self.bias)

    def _mapped(self, c: Tensor) -> Tensor:
        """Return h in normal coordinates, in the dtype to sum up in."""
        mapped = self.linear.tangent(c)
        if self.shifts_before:
            mapped = shifted(self.manifold_out, mapped, self.bias)
        return mapped.to(working_dtype(c.dtype))

    def _mean(self, rows: Tensor, own: Tensor, edges: Edges) -> Tensor:
        """Return agg in normal coordinates: (N_target, dim_out)."""
        if self.aggregation == "origin":
            return self.heard(rows, own, edges)
        if self.aggregation == "local":
            return self._local_mean(rows, own, edges)
        columns = to_columns(self.manifold_out, rows)
        ours = columns if own is rows else to_columns(self.manifold_out, own)
        return from_columns(self.manifold_out, self.heard(columns, ours, edges), edges.total)

    def _local_mean(self, rows: Tensor, own: Tensor, edges: Edges) -> Tensor:
        """Return exp_{h_i}(sum_j A_ij log_{h_i} h_j), in which a loop is 0."""
        space, (source, target) = self.manifold_out, (edges.ends[0], edges.ends[1])
        points = from_normal(space, rows)
        center = points if own is rows else from_normal(space, own)
        steps = space.logmap(center.index_select(0, target), points.index_select(0, source))
        if edges.weight is not None:
            steps = edges.weight[:, None] * steps
        if edges.source is not None:
            steps = edges.source[source] * steps
        step = torch.zeros_like(center).index_add(0, target, steps)
        step = step if edges.target is None else edges.target * step
        return to_normal(space, space.expmap(center, step))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return W, b, u and v under the names of torch_geometric.nn.GCNConv and GATConv."""
        flat = {"lin.weight": self.linear.flat_parameters()["weight"]}
        if self.scores is not None:
            flat["att_src"], flat["att_dst"] = self.scores.source[None], self.scores.target[None]
        return flat if self.bias is None else {**flat, "bias": self.bias}

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        return (
            f"{super().extra_repr()}, aggregation={self.aggregation!r},"
            f" attention={self.scores is not None}"
        )


def _attended(scores: EdgeScores, rows: Tensor, own: Tensor, edges: Edges) -> Edges:
    """Return edges with the weights of an attention."""
    weights, loop = scores(rows[:, None], own[:, None], edges)
    total = summed(weights[:, 0], edges.ends[1], edges.size[1])
    total = total if loop is None else total + loop
    return edges._replace(weight=weights[:, 0], loop=loop, total=total)
