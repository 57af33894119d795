"""KappaGCNConv: the graph convolution of a space of constant curvature, and of products."""

from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers._normal import principal, translate
from noneuclid.layers.graph._base import GraphLayer, Pair, pair
from noneuclid.layers.graph._edges import Normalization
from noneuclid.layers.graph._midpoint import from_columns, to_columns
from noneuclid.layers.linear import Linear
from noneuclid.manifolds import HomogeneousManifold


class KappaGCNConv(GraphLayer):
    """The graph convolution y_i = (A [x] (W (x) x))_i (+) b of kappa-GCN.

    With A the normalized weights of edges, h_j = W (x) x_j = exp_o(W log_o x_j) and m the
    gyromidpoint,

        y_i = (sum_j A_ij) (x) m(h; A_i) (+) exp_o(b).

    The gyromidpoint is the direction of sum_j A_ij (T_j, X_j) in ambient coordinates. Beyond the
    equator of a sphere, where the denominator of the source's formula, sum_j A_ij T_j, turns
    negative, it is the normalized sum, as everywhere else. No activation is applied.

    Args:
        manifold_in: where the input lives; of constant curvature, Euclidean, or a product of those.
        manifold_out: where the output lives, and where its midpoints are taken.
        normalization: "symmetric", A_ij = w_ij / sqrt(d_i d_j); "row", w_ij / d_i, which makes y a
            midpoint alone; "none", the weights w_ij as they are given.
        self_loops: whether a node without an edge to itself is given one, of weight 1.
        bias: whether b is there.
        mixing: as in `Linear`: whether W mixes the factors of a product.
        cached: whether to keep the normalized and sorted graph of the first call, for training on
            one graph.
        device, dtype: of the parameters.

    Shapes: points (N, S_in), or a pair of those of sources and targets; edge_index (2, E);
    edge_weight (E,) -> (N, S_out). A node that hears nothing gives the point exp_o(b). Parameters:
    `linear`, `bias` (dim_out,), a vector at the origin.

    Raises:
        ValueError: an unknown normalization, edges of the wrong shape. TypeError: a factor without
            constant curvature.

    Initial values: W semi-orthogonal times sqrt 2, b = 0.
    Flat limit: torch_geometric.nn.GCNConv with the same weight and bias.
    Cost: the messages of the flat layer with one column more for each curved factor.
    Source: [bachmann2020constant] section 3.
    """

    def __init__(  # noqa: PLR0913 - the options of a convolution, by keyword
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        bias: bool = True,
        *,
        normalization: Normalization = "symmetric",
        self_loops: bool = True,
        mixing: bool | None = None,
        cached: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out, normalization, self_loops, cached)
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.linear = Linear(
            manifold_in, manifold_out, False, variant="mobius", mixing=mixing, **where
        )
        self.bias = nn.Parameter(torch.empty(manifold_out.dim, **where)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W and set b to 0."""
        super().reset_parameters()
        self.linear.reset_parameters()
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def tangent(
        self, c: Tensor | Pair, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the normal coordinates of y."""
        source, target = pair(c)
        size = source.shape[0], target.shape[0]
        edges = self.edges(edge_index, edge_weight, size, source)
        columns = to_columns(self.manifold_out, self.linear.tangent(source))
        own = columns
        if target is not source and edges.loop is not None:
            own = to_columns(self.manifold_out, self.linear.tangent(target))
        y = from_columns(self.manifold_out, self.heard(columns, own, edges), edges.total)
        return shifted(self.manifold_out, y.to(source.dtype), self.bias)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return W and b under the names of torch_geometric.nn.GCNConv."""
        flat = {"lin.weight": self.linear.flat_parameters()["weight"]}
        return flat if self.bias is None else {**flat, "bias": self.bias}


def shifted(manifold: HomogeneousManifold, c: Tensor, bias: Tensor | None) -> Tensor:
    """Return exp_o(c) (+) exp_o(bias) in the shortest normal coordinates."""
    return principal(manifold, c) if bias is None else translate(manifold, c, bias)
