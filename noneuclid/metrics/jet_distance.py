"""Distances between the constituents of a jet, for `gromov_delta` and its kin."""

import math

import torch
from torch import Tensor

from noneuclid.numerics import safe_sqrt


def angular_distance(directions: Tensor) -> Tensor:
    """Compute Delta R = sqrt((y_a - y_b)^2 + (phi_a - phi_b)^2) of all pairs: -> (*, P, P).

    Args:
        directions: rapidity (or pseudorapidity) and azimuth in radians, (*, P, 2). Azimuths are
            compared around the circle; those relative to the jet's axis will do.
    """
    _check(directions)
    y, phi = directions.unbind(-1)
    dy = y[..., :, None] - y[..., None, :]
    around = torch.remainder((phi[..., :, None] - phi[..., None, :]).abs(), 2 * math.pi)
    dphi = torch.minimum(around, 2 * math.pi - around)
    return safe_sqrt(dy * dy + dphi * dphi)


def softer_angular_distance(directions: Tensor, momenta: Tensor) -> Tensor:
    """Compute min(pT_a, pT_b) Delta R of all pairs: -> (*, P, P), in the unit of `momenta`.

    The relative transverse momentum of the kT algorithm: soft constituents are near to everything.
    It is no metric, as triangle inequalities fail.

    Args:
        directions: as for `angular_distance`.
        momenta: transverse momenta, (*, P), as they are or as shares of the jet's.
    """
    _check(directions, momenta)
    softer = torch.minimum(momenta[..., :, None], momenta[..., None, :])
    return softer * angular_distance(directions)


def energy_angular_distance(directions: Tensor, energies: Tensor) -> Tensor:
    """Compute |E_a - E_b| Delta R of all pairs: -> (*, P, P), in the unit of `energies`.

    It resembles the work of moving energy by an angle, but is no metric: different constituents of
    equal energy are at distance 0, and 2 delta may exceed the diameter.

    Args:
        directions: as for `angular_distance`.
        energies: (*, P), as they are or as shares of the jet's.

    Source: [woodward2024product].
    """
    _check(directions, energies)
    return (energies[..., :, None] - energies[..., None, :]).abs() * angular_distance(directions)


def _check(directions: Tensor, weights: Tensor | None = None) -> None:
    if directions.dim() < 2 or directions.shape[-1] != 2:
        raise ValueError(f"directions must have shape (*, P, 2), got {tuple(directions.shape)}")
    if weights is not None and weights.shape != directions.shape[:-1]:
        raise ValueError(
            f"expected one number for each of {tuple(directions.shape[:-1])} constituents, got"
            f" {tuple(weights.shape)}"
        )
