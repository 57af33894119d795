"""A light detector: tracking, two calorimeters and energy flow, with the numbers of a Delphes card.

Efficiencies, resolutions and tower sizes are those of ``cards/delphes_card_ATLAS.tcl`` (Delphes,
de Favereau et al., arXiv:1307.6346), the card of the Top Tagging reference set. Left out: the
bending of tracks in the magnetic field, secondary interactions, the forward calorimeter
(|eta| > 3.2), and the two rows of towers of other widths at the calorimeters' edges.

All functions work on the particles of many events at once, one row a particle.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

CHARGED_HADRON, NEUTRAL_HADRON, PHOTON, ELECTRON, MUON = range(5)
NEUTRINOS = (12, 14, 16)

# (|eta| limit, efficiency for 0.1 < pT < 1 GeV, for 1 < pT < 100 GeV, above 100 GeV)
TRACK_EFFICIENCY = {
    CHARGED_HADRON: ((1.5, 0.70, 0.95, 0.95), (2.5, 0.60, 0.85, 0.85)),
    ELECTRON: ((1.5, 0.73, 0.95, 0.99), (2.5, 0.50, 0.83, 0.90)),
    MUON: ((1.5, 0.75, 0.99, 0.99), (2.5, 0.70, 0.98, 0.98)),
}
# (|eta| limit, constant a, slope b / GeV): sigma(pT) / pT = sqrt(a^2 + (b pT)^2)
TRACK_RESOLUTION = {
    CHARGED_HADRON: ((0.5, 0.06, 1.3e-3), (1.5, 0.10, 1.7e-3), (2.5, 0.25, 3.1e-3)),
    ELECTRON: ((0.5, 0.03, 1.3e-3), (1.5, 0.05, 1.7e-3), (2.5, 0.15, 3.1e-3)),
    MUON: ((0.5, 0.01, 1.0e-4), (1.5, 0.015, 1.5e-4), (2.5, 0.025, 3.5e-4)),
}


@dataclass(frozen=True)
class Calorimeter:
    """A calorimeter of equal towers.

    ``resolution`` has rows (|eta| limit, constant a, stochastic b / sqrt(GeV), noise c / GeV):
    sigma(E)^2 = (a E)^2 + b^2 E + c^2. ``threshold`` is in GeV, tower sizes in eta and radians.
    """

    tower_eta: float
    tower_phi: float
    threshold: float
    resolution: tuple[tuple[float, float, float, float], ...]
    neutral: int  # what an excess over the tracks is taken for


ELECTROMAGNETIC = Calorimeter(0.0174, np.pi / 180, 0.5, ((3.2, 0.0017, 0.101, 0.0),), PHOTON)
HADRONIC = Calorimeter(
    0.1, np.pi / 18, 1.0, ((1.7, 0.0302, 0.5205, 1.59), (3.2, 0.05, 0.706, 0.0)), NEUTRAL_HADRON
)
CALORIMETER_REACH = 3.2
SIGNIFICANCE = 2.0  # sigmas that a tower, and its excess over the tracks, must have


@dataclass(frozen=True)
class Particles:
    """Massless particles of many events; every field has one entry a particle.

    ``event`` counts the events of the batch from 0, ``pt`` is in GeV, ``kind`` is one of the codes
    above and ``charge`` is in units of the positron's.
    """

    event: np.ndarray
    pt: np.ndarray
    eta: np.ndarray
    phi: np.ndarray
    kind: np.ndarray
    charge: np.ndarray

    def __getitem__(self, index: np.ndarray) -> "Particles":
        return Particles(*(getattr(self, field.name)[index] for field in fields(self)))

    @property
    def energy(self) -> np.ndarray:
        """The energies in GeV."""
        return self.pt * np.cosh(self.eta)


def concatenate(parts: list[Particles]) -> Particles:
    """Join particle lists and order them by event; the order within an event is kept."""
    columns = [np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Particles)]
    joined = Particles(*columns)
    return joined[np.argsort(joined.event, kind="stable")]


def kind_of(identity: np.ndarray, charge: np.ndarray) -> np.ndarray:
    """Give the code of each PDG particle number."""
    kind = np.where(charge != 0, CHARGED_HADRON, NEUTRAL_HADRON)
    for number, code in ((22, PHOTON), (11, ELECTRON), (13, MUON)):
        kind[np.abs(identity) == number] = code
    return kind.astype(np.int8)


def detect(
    truth: Particles, energy: np.ndarray, identity: np.ndarray, rng: np.random.Generator
) -> Particles:
    """Turn visible final-state particles into energy-flow objects: tracks and neutral excesses.

    Tracks measure momentum, calorimeters ``energy``, the particles' true one in GeV: it exceeds
    the massless ``truth.energy``. ``identity`` is the PDG number.
    """
    track_index, tracks = _tracks(truth, rng)
    # K0_S and Lambda that reach the calorimeters leave 30 % of their energy in the first.
    long_lived = np.isin(np.abs(identity), (310, 3122))
    showers = np.isin(truth.kind, (PHOTON, ELECTRON))
    first = np.where(long_lived, 0.3, showers.astype(float))
    second = np.where(showers | (truth.kind == MUON), 0.0, 1.0 - first)
    parts = [tracks]
    for calorimeter, share in ((ELECTROMAGNETIC, first), (HADRONIC, second)):
        deposits = energy * share
        seen = share[track_index] > 0  # the tracks whose particle showers in this calorimeter
        parts.append(_excess(calorimeter, truth, deposits, tracks[seen], rng))
    return concatenate(parts)


def _by_eta(table: tuple[tuple[float, ...], ...], eta: np.ndarray) -> np.ndarray:
    """Look up the row of each |eta|; zeros beyond the last limit."""
    rows = np.array([row[1:] for row in table] + [[0.0] * (len(table[0]) - 1)])
    return rows[np.searchsorted([row[0] for row in table], np.abs(eta))]


def _lognormal(mean: np.ndarray, sigma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Smear positive values: log-normal with the given mean and standard deviation."""
    safe = np.where(mean > 0, mean, 1.0)
    width2 = np.log1p((sigma / safe) ** 2)
    smeared = safe * np.exp(np.sqrt(width2) * rng.standard_normal(len(mean)) - width2 / 2)
    return np.where(mean > 0, smeared, 0.0)


def _tracks(truth: Particles, rng: np.random.Generator) -> tuple[np.ndarray, Particles]:
    """Reconstruct tracks: their row in ``truth``, and the tracks."""
    efficiency, spread = np.zeros(len(truth.pt)), np.zeros(len(truth.pt))
    column = np.searchsorted((1.0, 100.0), truth.pt)
    for kind, table in TRACK_EFFICIENCY.items():
        rows = np.flatnonzero(truth.kind == kind)
        efficiency[rows] = _by_eta(table, truth.eta[rows])[np.arange(len(rows)), column[rows]]
        constant, slope = _by_eta(TRACK_RESOLUTION[kind], truth.eta[rows]).T
        spread[rows] = np.hypot(constant, slope * truth.pt[rows])
    found = (rng.random(len(truth.pt)) < efficiency) & (truth.pt > 0.1)
    index = np.flatnonzero(found)
    exact = truth[index]
    return index, replace(exact, pt=_lognormal(exact.pt, spread[index] * exact.pt, rng))


def _towers(calorimeter: Calorimeter, particles: Particles) -> np.ndarray:
    """Number the tower that each particle hits, over all events."""
    n_eta = 2 * int(np.ceil(CALORIMETER_REACH / calorimeter.tower_eta))
    n_phi = round(2 * np.pi / calorimeter.tower_phi)
    eta = np.floor(particles.eta / calorimeter.tower_eta).astype(np.int64) + n_eta // 2
    phi = np.floor(particles.phi / calorimeter.tower_phi).astype(np.int64) % n_phi
    return (particles.event * n_eta + eta) * n_phi + phi


def _excess(
    calorimeter: Calorimeter,
    truth: Particles,
    deposits: np.ndarray,
    tracks: Particles,
    rng: np.random.Generator,
) -> Particles:
    """Give the neutral objects of a calorimeter: towers whose energy exceeds that of their tracks.

    A tower counts from its threshold and 2 sigma of its resolution on; so does its excess over the
    tracks that point to it.
    """
    inside = (deposits > 0) & (np.abs(truth.eta) < CALORIMETER_REACH)
    hits = truth[inside]
    numbers, tower_of_hit = np.unique(_towers(calorimeter, hits), return_inverse=True)
    energy = np.bincount(tower_of_hit, deposits[inside], len(numbers))
    _, first = np.unique(tower_of_hit, return_index=True)
    corner = hits[first]  # one particle of each tower tells the tower's place
    eta = (np.floor(corner.eta / calorimeter.tower_eta) + 0.5) * calorimeter.tower_eta
    phi = (np.floor(corner.phi / calorimeter.tower_phi) + 0.5) * calorimeter.tower_phi

    energy = _lognormal(energy, _resolution(calorimeter, eta, energy), rng)
    sigma = _resolution(calorimeter, eta, energy)
    energy = np.where((energy > calorimeter.threshold) & (energy > SIGNIFICANCE * sigma), energy, 0)

    # Every track's particle left a deposit in the same tower, so its number is among `numbers`.
    tower_of_track = np.searchsorted(numbers, _towers(calorimeter, tracks))
    excess = np.maximum(energy - np.bincount(tower_of_track, tracks.energy, len(numbers)), 0)
    # The resolution at the excess, as in the Delphes of the reference set, not at the tower's
    # energy: that would lose the soft neutrals beside hard tracks, and 2 GeV of the top mass.
    significant = excess > SIGNIFICANCE * _resolution(calorimeter, eta, excess)
    kept = (excess > calorimeter.threshold) & significant

    # The place within the tower is unknown: uniform, so that no grid shows in the jets.
    eta = eta[kept] + calorimeter.tower_eta * (rng.random(kept.sum()) - 0.5)
    phi = phi[kept] + calorimeter.tower_phi * (rng.random(kept.sum()) - 0.5)
    kind = np.full(len(eta), calorimeter.neutral, dtype=np.int8)
    charge = np.zeros(len(eta), dtype=np.int8)
    return Particles(corner.event[kept], excess[kept] / np.cosh(eta), eta, phi, kind, charge)


def _resolution(calorimeter: Calorimeter, eta: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Give sigma(E) in GeV."""
    constant, stochastic, noise = _by_eta(calorimeter.resolution, eta).T
    return np.sqrt((constant * energy) ** 2 + stochastic**2 * energy + noise**2)
