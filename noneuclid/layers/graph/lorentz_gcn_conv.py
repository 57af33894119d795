"""LorentzGCNConv: a graph convolution on the hyperboloid that never leaves it."""

import torch
from torch import Tensor

from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.layers.graph._base import GraphLayer, Pair, pair
from noneuclid.layers.graph._edges import Normalization
from noneuclid.layers.graph._midpoint import columns_of_points, points_of_columns
from noneuclid.layers.linear import Linear
from noneuclid.manifolds import HomogeneousManifold


class LorentzGCNConv(GraphLayer):
    """A Lorentz linear map, then the centroid of the neighbours: no exp_o and no log_o.

    With h_j = L(x_j) and A the weights of edges, on the hyperboloid of curvature K

        y_i = |K|^-1/2 S_i / |S_i|_L,   S_i = sum_j A_ij h_j,

    which is where the sum of the squared Lorentz distances A_ij |y - h_j|_L^2 is smallest. On other
    factors it is the same midpoint, through their ambient coordinates. The row sums of A make no
    difference. No activation is applied.

    Args:
        manifold_in: where the input lives; of constant curvature, Euclidean, or a product of those.
        manifold_out: where the output lives, and where its centroids are taken; as many factors as
            `manifold_in`.
        bias: whether L has one.
        variant: L, a name of `Linear`'s table: "htc", W on (T, X) with the time computed again, as
            in the source of LGCN; "gated", that of HyboNet; "spacelike", or any other.
        normalization: "row", w_ij / d_i, or "symmetric", w_ij / sqrt(d_i d_j); "none" is "row".
        self_loops: whether a node without an edge to itself is given one, of weight 1.
        cached: whether to keep the normalized and sorted graph of the first call.
        device, dtype: of the parameters.

    Shapes: points (N, S_in), or a pair of those of sources and targets; edge_index (2, E);
    edge_weight (E,) -> (N, S_out). A node that hears nothing gives the origin. Parameters:
    `linear`.

    Raises:
        ValueError: an unknown normalization or variant, edges of the wrong shape, or different
            numbers of factors.

    Initial values: those of the variant.
    Flat limit, of the variants that have one: torch_geometric.nn.GCNConv with the same weight and
    bias, `normalize=False` and the weights w_ij / d_i.
    Accuracy: the length of a sum at radius R |K|^-1/2 cancels: right to eps e^2R.
    Source: [zhang2021lorentzian] for the linear map that computes the time again, and the centroid;
    [chen2022fully] for the gated one.
    """

    def __init__(  # noqa: PLR0913 - the options of a convolution, by keyword
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        bias: bool = True,
        *,
        variant: str = "htc",
        normalization: Normalization = "row",
        self_loops: bool = True,
        cached: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out, normalization, self_loops, cached)
        self.linear = Linear(
            manifold_in,
            manifold_out,
            bias,
            variant=variant,
            mixing=False,
            device=device,
            dtype=dtype,
        )

    def reset_parameters(self) -> None:
        """Draw fresh parameters of the linear map."""
        super().reset_parameters()
        self.linear.reset_parameters()

    def forward(
        self, x: Tensor | Pair, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Map points (N, S_in) of nodes to points (N, S_out); see `GraphLayer.forward`."""
        source, target = pair(x)
        edges = self.edges(edge_index, edge_weight, (source.shape[0], target.shape[0]), source)
        space = self.manifold_out
        columns = own = columns_of_points(space, self.linear(source))
        if target is not source and edges.loop is not None:
            own = columns_of_points(space, self.linear(target))
        return points_of_columns(space, self.heard(columns, own, edges), source.dtype)

    def tangent(
        self, c: Tensor | Pair, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the normal coordinates of y, through points."""
        source, target = pair(c)
        x = from_normal(self.manifold_in, source)
        both = x if target is source else (x, from_normal(self.manifold_in, target))
        return to_normal(self.manifold_out, self(both, edge_index, edge_weight))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return weight and bias under the names of torch_geometric.nn.GCNConv."""
        flat = self.linear.flat_parameters()
        return {"lin.weight" if name == "weight" else name: value for name, value in flat.items()}

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        return f"{super().extra_repr()}, variant={self.linear.variant!r}"
