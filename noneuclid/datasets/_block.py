"""The common form of the jets of every file format, and the arithmetic on ragged particles."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType

import numpy as np

IDENTITY = ("charge", "charged hadron", "neutral hadron", "photon", "electron", "muon")
DISPLACEMENT = ("d0", "d0 error", "dz", "dz error")


class JetFileError(ValueError):
    """A file that cannot be read as jets; the message names it and says why."""


@dataclass(frozen=True)
class Block:
    """Some jets with all their particles, padded to a common width W, sorted by falling pT.

    Attributes:
        momenta: (n, W, 4) px, py, pz, E in GeV; 0 where there is no particle.
        relative: (n, W, 2) eta and phi relative to the jet axis; eta carries the sign of the jet's
            eta, so that positive points away from the collision, as in JetClass.
        mask: (n, W) True where a particle is.
        jet: (n, 4) pT in GeV, eta, phi, E in GeV.
        multiplicity: (n,) number of particles of the jet before any were left out.
        classes: (n,) index into ``class_names``.
        events: (n,) number of the collision.
        class_names: Name of each class.
        extra: (n, W) arrays by name, of ``IDENTITY`` (charge in units of the positron's, flags 0
            or 1) and ``DISPLACEMENT`` (impact parameters of tracks and their errors in mm).
    """

    momenta: np.ndarray
    relative: np.ndarray
    mask: np.ndarray
    jet: np.ndarray
    multiplicity: np.ndarray
    classes: np.ndarray
    events: np.ndarray
    class_names: tuple[str, ...]
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def rows(self, chosen: np.ndarray) -> "Block":
        """Take some jets."""
        return Block(
            self.momenta[chosen], self.relative[chosen], self.mask[chosen], self.jet[chosen],
            self.multiplicity[chosen], self.classes[chosen], self.events[chosen],
            self.class_names, {name: column[chosen] for name, column in self.extra.items()},
        )  # fmt: skip

    def leading(self, width: int) -> "Block":
        """Keep the particles of highest pT."""
        return replace(
            self,
            momenta=self.momenta[:, :width],
            relative=self.relative[:, :width],
            mask=self.mask[:, :width],
            extra={name: column[:, :width] for name, column in self.extra.items()},
        )


def sort_particles(block: Block) -> Block:
    """Sort the particles of each jet by falling pT, padding last."""
    pt = np.hypot(block.momenta[..., 0], block.momenta[..., 1])
    order = np.argsort(np.where(block.mask, -pt, np.inf), axis=1, kind="stable")
    take = order[..., None]
    return replace(
        block,
        momenta=np.take_along_axis(block.momenta, take, 1),
        relative=np.take_along_axis(block.relative, take, 1),
        mask=np.take_along_axis(block.mask, order, 1),
        extra={n: np.take_along_axis(column, order, 1) for n, column in block.extra.items()},
    )


def load_package(name: str) -> ModuleType:
    """Import an optional package.

    Raises:
        ImportError: It is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{name} is needed to read this file: install noneuclid[jets]") from error


def wrap(angle: np.ndarray) -> np.ndarray:
    """Bring angles into [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def pad(flat: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Spread ragged values over the True entries of a mask (n, W)."""
    padded = np.zeros((*mask.shape, *flat.shape[1:]))
    padded[mask] = flat
    return padded


def prefix_mask(counts: np.ndarray) -> np.ndarray:
    """Give the mask (n, W) whose rows begin with ``counts`` True entries."""
    return np.arange(max(counts.max(initial=0), 1)) < counts[:, None]
