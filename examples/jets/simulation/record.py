"""The two tables of the simulation: the particles of events, and the jets found in them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .detector import Particles, kind_of


@dataclass
class JetColumns:
    """Jets with ragged constituents, ordered by event, constituents by falling pT."""

    constituents: Particles  # its `event` is the jet's row
    jet: np.ndarray  # (n, 4): pT, eta, phi, mass
    event: np.ndarray  # (n,)


@dataclass(frozen=True)
class Record:
    """The event records of a batch, one row a particle, ordered by event."""

    n_events: int
    event: np.ndarray
    identity: np.ndarray  # PDG number
    status: np.ndarray  # Pythia's status code; positive in the final state
    mother: np.ndarray  # PDG number of the first mother
    momentum: np.ndarray  # (n, 4): px, py, pz, E in GeV
    particle_data: Any  # Pythia's particle table

    def particles(self, rows: np.ndarray) -> Particles:
        """Give some rows as massless particles."""
        px, py, pz, _ = self.momentum[rows].T
        pt = np.hypot(px, py)
        unique, inverse = np.unique(self.identity[rows], return_inverse=True)
        table = np.array([round(self.particle_data.charge(int(number))) for number in unique])
        charge = table.astype(np.int8)[inverse]
        return Particles(
            self.event[rows], pt, np.arcsinh(pz / pt), np.arctan2(py, px),
            kind_of(self.identity[rows], charge), charge,
        )  # fmt: skip


def wrap(angle: np.ndarray) -> np.ndarray:
    """Bring angles into [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
