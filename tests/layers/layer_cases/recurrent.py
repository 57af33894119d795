"""Cases of recurrent layers."""

from typing import Any

import torch
from torch import Tensor

from layer_cases.case import Builder, Case, coordinates, points, represents_its_geometry
from noneuclid.layers import GRU, GRUCell, Layer
from noneuclid.manifolds import HomogeneousManifold, Product


class Doubled(Layer):
    """A cell that is given its input as the state, too: alone its state would be the origin."""

    def __init__(self, cell: GRUCell) -> None:
        super().__init__(cell.manifold_in, cell.manifold_out)
        self.cell = cell

    def forward(self, x: Tensor) -> Tensor:
        return self.cell(x, x)

    def reset_parameters(self) -> None:
        self.cell.reset_parameters()

    def flat_parameters(self) -> dict[str, Tensor]:
        return self.cell.flat_parameters()


def _slow_step(cell: GRUCell, x: Tensor, h: Tensor) -> Tensor:
    """The equations on one point, by the manifold's own exp, log and transport."""
    m, n = cell.manifold_in, cell.manifold_out

    def add(a: Tensor, b: Tensor) -> Tensor:
        return n.expmap(a, n.transp0(a, n.logmap0(b)))

    def times(weight: Tensor, space: HomogeneousManifold, point: Tensor) -> Tensor:
        return points(n, weight @ coordinates(space, point))

    W, U = cell.weight_hh.chunk(3), cell.weight_ih.chunk(3)
    driven = [add(times(U[i], m, x), cell.bias[i]) for i in range(3)]
    r, z = (torch.sigmoid(coordinates(n, add(times(W[i], n, h), driven[i]))) for i in range(2))
    hidden = points(n, r * coordinates(n, add(times(W[2], n, h), cell.bias[3])))
    candidate = points(n, torch.tanh(coordinates(n, add(hidden, driven[2]))))
    way = coordinates(n, add(points(n, -coordinates(n, h)), candidate))
    return add(h, points(n, (1 - z) * way))


def gru_cell(m: HomogeneousManifold) -> Case | None:
    """One step, from a state that is the input, where `gru` leaves a geometry out."""
    if isinstance(m, Product):
        return None

    def twin(c: Tensor, **parameters: Tensor) -> Tensor:
        return torch.gru_cell(c, c, *parameters.values())

    return Case(
        Doubled(GRUCell(m, m)),
        twin,
        lambda layer, x: torch.stack([_slow_step(layer.cell, row, row) for row in x]),
        claims={"compiled": False},  # the layer compiles two of these steps
    )


def _slow_gru(layer: GRU, x: Tensor, mask: Tensor) -> Tensor:
    sequences = []
    for row, present in zip(x, mask, strict=True):
        h, states = layer.manifold_out.origin(dtype=x.dtype), []
        for at, here in zip(row, present, strict=True):
            h = _slow_step(layer.cell, at, h) if here else h
            states.append(h)
        sequences.append(torch.stack(states))
    return torch.stack(sequences)


def _flat_gru(c: Tensor, mask: Tensor, **parameters: Any) -> Tensor:
    h = c.new_zeros(len(c), parameters["weight_hh_l0"].shape[1])
    states = []
    for i in range(c.shape[1]):
        h = torch.where(mask[:, i, None], torch.gru_cell(c[:, i], h, *parameters.values()), h)
        states.append(h)
    return torch.stack(states, dim=1)


def gru(m: HomogeneousManifold) -> Case | None:
    """Two steps, to one dimension more, on one model for each geometry and on products."""
    if not (isinstance(m, Product) or represents_its_geometry(m)):
        return None
    return Case(GRU(m, m.like(m.dim + 1)), _flat_gru, _slow_gru, slots=2)


CASES: dict[tuple[type[Layer], str], Builder] = {(GRUCell, ""): gru_cell, (GRU, ""): gru}
