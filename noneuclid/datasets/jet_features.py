"""The inputs of jet taggers, computed from the particles of a block: features and observables.

Source of the feature sets and constants: [qu2022particle], the files ``JetClass_kin.yaml``,
``JetClass_kinpid.yaml`` and ``JetClass_full.yaml`` of its repository.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from noneuclid.datasets._block import DISPLACEMENT, IDENTITY, Block

OBSERVABLES = ("mass", "multiplicity", "pT dispersion", "girth")
CLIP = 5.0


class Standard(NamedTuple):
    """The standardisation of a feature: (feature - centre) scale, cut off at low and high."""

    centre: float
    scale: float
    low: float
    high: float


AS_IT_IS = Standard(0.0, 1.0, -math.inf, math.inf)
ENERGIES = ("log pT", "log E", "log pT/pT_jet", "log E/E_jet")
STANDARDS = {
    "log pT": Standard(1.7, 0.7, -CLIP, CLIP),
    "log E": Standard(2.0, 0.7, -CLIP, CLIP),
    "log pT/pT_jet": Standard(-4.7, 0.7, -CLIP, CLIP),
    "log E/E_jet": Standard(-4.7, 0.7, -CLIP, CLIP),
    "dR": Standard(0.2, 4.0, -CLIP, CLIP),
    "d0 error": Standard(0.0, 1.0, 0.0, 1.0),
    "dz error": Standard(0.0, 1.0, 0.0, 1.0),
}
FEATURE_SETS = {
    "kin": (*ENERGIES, "dR", "d eta", "d phi"),
    "kinpid": (*ENERGIES, "dR", *IDENTITY, "d eta", "d phi"),
    "full": (*ENERGIES, "dR", *IDENTITY, *DISPLACEMENT, "d eta", "d phi"),
}
EXTRA = {  # the columns that a set needs beyond the momenta
    name: tuple(f for f in features if f in (*IDENTITY, *DISPLACEMENT))
    for name, features in FEATURE_SETS.items()
}


def feature_names(feature_set: str) -> tuple[str, ...]:
    """List the features of a set.

    Raises:
        ValueError: There is no such set.
    """
    if feature_set not in FEATURE_SETS:
        raise ValueError(f"feature_set must be one of {list(FEATURE_SETS)}, got {feature_set!r}")
    return FEATURE_SETS[feature_set]


def features(block: Block, feature_set: str) -> np.ndarray:
    """Compute the features of a set as they are, before any standardisation.

    Returns:
        (n, W, F) with pT and E in GeV: log pT, log E, log pT/pT_jet, log E/E_jet, dR to the jet
        axis, charge and five flags ("kinpid", "full"), tanh d0, d0 error, tanh dz, dz error with
        lengths in mm ("full"), d eta sign(eta_jet), d phi; 0 where there is no particle.
    """
    mask = block.mask
    # 1 stands in for what is not there: its logarithm is harmless, and masked at the end
    pt = np.where(mask, np.hypot(block.momenta[..., 0], block.momenta[..., 1]), 1.0)
    energy = np.where(mask, block.momenta[..., 3], 1.0)
    jet_pt, jet_energy = (np.where(mask, block.jet[:, [i]], 1.0) for i in (0, 3))
    deta, dphi = block.relative[..., 0], block.relative[..., 1]
    columns: dict[str, Callable[[], np.ndarray]] = {
        "log pT": lambda: np.log(pt),
        "log E": lambda: np.log(energy),
        "log pT/pT_jet": lambda: np.log(pt / jet_pt),
        "log E/E_jet": lambda: np.log(energy / jet_energy),
        "dR": lambda: np.hypot(deta, dphi),
        "d0": lambda: np.tanh(block.extra["d0"]),
        "dz": lambda: np.tanh(block.extra["dz"]),
        "d eta": lambda: deta,
        "d phi": lambda: dphi,
    }
    raw = [
        columns[name]() if name in columns else block.extra[name]
        for name in feature_names(feature_set)
    ]
    return np.where(mask[..., None], np.stack(raw, axis=-1), 0.0)


def observables(block: Block) -> np.ndarray:
    """Compute the jet observables, (n, 4), see ``Jets.observables``."""
    px, py, pz, energy = np.moveaxis(block.momenta.sum(axis=1), -1, 0)
    mass = np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))  # rounding below 0
    pt = np.hypot(block.momenta[..., 0], block.momenta[..., 1])
    scale = np.maximum(pt.sum(axis=1), np.finfo(np.float64).tiny)  # a jet without particles: 0
    dispersion = np.sqrt((pt**2).sum(axis=1)) / scale
    distance = np.hypot(block.relative[..., 0], block.relative[..., 1])
    girth = (pt * distance * block.mask).sum(axis=1) / scale
    return np.stack([mass, block.multiplicity, dispersion, girth], axis=1)
