"""Directions as far apart as they can be."""

import math

import torch
from torch import Tensor

_STEPS = 500
_SHARPNESS = 20.0  # of the soft maximum of the cosines


def separated_directions(count: int, dim: int) -> Tensor:
    """Return `count` unit vectors of R^dim, well separated: (count, dim) in float64.

    Up to dim + 1 are the corners of a regular simplex and in the plane those of a regular polygon,
    both exact; more of them are found by descent on the largest cosine of each, from a fixed start.
    A simplex of fewer is turned in a fixed way, so that it lies across all axes.

    Raises:
        ValueError: more than two in R^1.

    Source: [mettes2019hyperspherical] section 3.1.
    """
    if dim == 1 and count > 2:
        raise ValueError(f"a line has two directions, which cannot be those of {count} classes")
    if count <= dim + 1:
        return _simplex(count, dim)
    if dim == 2:
        angles = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
        return torch.stack([angles.cos(), angles.sin()], dim=-1)
    return _descended(count, dim)


def _simplex(count: int, dim: int) -> Tensor:
    """Return the corners of the regular simplex in count - 1 of the dimensions."""
    if count == 1:
        return torch.eye(1, dim, dtype=torch.float64)
    corners = torch.eye(count, dtype=torch.float64) - 1 / count
    basis = torch.linalg.svd(corners).U[:, : count - 1]
    flat = torch.nn.functional.normalize(basis, dim=-1)
    if dim == 1:
        return flat
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    return flat @ torch.linalg.qr(normal)[0][: count - 1]


def _descended(count: int, dim: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    with torch.enable_grad():
        free = start.requires_grad_()
        optimizer = torch.optim.Adam([free], lr=0.05)
        for _ in range(_STEPS):
            unit = torch.nn.functional.normalize(free, dim=-1)
            cosines = unit @ unit.mT - 3 * torch.eye(count, dtype=torch.float64)
            optimizer.zero_grad()
            torch.logsumexp(_SHARPNESS * cosines, dim=-1).mean().backward()
            optimizer.step()
    return torch.nn.functional.normalize(free.detach(), dim=-1)
