"""Cases of positions in a sequence."""

import math

import torch
from torch import Tensor

from layer_cases.case import Builder, Case, coordinates, dims_of, points
from noneuclid.layers import HopePosition, Layer, LearnedPosition
from noneuclid.manifolds import HomogeneousManifold


def _rotation(dims: tuple[int, ...], place: int) -> Tensor:
    """Return the matrix that turns the coordinates at one place."""
    blocks = []
    for dim in dims:
        block = torch.eye(dim, dtype=torch.float64)
        for k in range(dim // 2):
            angle, j = place * 10_000.0 ** (-2 * k / dim), k + dim // 2
            block[k, k] = block[j, j] = math.cos(angle)
            block[j, k] = math.sin(angle)
            block[k, j] = -block[j, k]
        blocks.append(block)
    return torch.block_diag(*blocks)


def _turned(dims: tuple[int, ...], c: Tensor) -> Tensor:
    rows = [[_rotation(dims, p).to(c) @ at for p, at in enumerate(row)] for row in c]
    return torch.stack([torch.stack(row) for row in rows])


def _slow_hope(layer: HopePosition, x: Tensor) -> Tensor:
    m = layer.manifold_in
    return points(m, _turned(dims_of(m), coordinates(m, x)))


def hope(m: HomogeneousManifold) -> Case:
    """Rotations, three places."""
    dims = dims_of(m)
    claims = {"uses_curvature": False}
    return Case(HopePosition(m), lambda c: _turned(dims, c), _slow_hope, slots=3, claims=claims)


def _slow_learned(layer: LearnedPosition, x: Tensor) -> Tensor:
    """x (+) w row by row, by the manifold's own exp and transport."""
    m = layer.manifold_in
    rows = [
        [m.expmap(at, m.transp0(at, m.logmap0(layer.weight[p]))) for p, at in enumerate(row)]
        for row in x
    ]
    return torch.stack([torch.stack(row) for row in rows])


def learned(m: HomogeneousManifold) -> Case:
    """Points for four places, of which three are taken."""
    return Case(LearnedPosition(m, 4), lambda c, weight: c + weight[:3], _slow_learned, slots=3)


CASES: dict[tuple[type[Layer], str], Builder] = {
    (HopePosition, ""): hope,
    (LearnedPosition, ""): learned,
}
