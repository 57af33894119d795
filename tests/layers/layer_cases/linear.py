"""Cases of linear maps."""

import torch
from torch import Tensor, nn

from layer_cases.case import Builder, Case, coordinates, points
from noneuclid.layers import Layer, Linear
from noneuclid.manifolds import HomogeneousManifold


def _slow_linear(layer: Linear, x: Tensor) -> Tensor:
    """exp_o(W log_o x) (+) b row by row, by the manifold's own exp and transport."""
    m, n = layer.manifold_in, layer.manifold_out
    weight = torch.block_diag(*layer.weights)
    rows = []
    for row in x:
        moved = points(n, weight @ coordinates(m, row))
        rows.append(n.expmap(moved, n.transp0(moved, n.logmap0(layer.bias))))
    return torch.stack(rows)


def linear(m: HomogeneousManifold) -> Case:
    """To one dimension more."""
    return Case(Linear(m, m.like(m.dim + 1)), nn.Linear(m.dim, m.dim + 1), _slow_linear)


CASES: dict[tuple[type[Layer], str], Builder] = {(Linear, ""): linear}
