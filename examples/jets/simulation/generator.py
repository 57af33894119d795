"""Jets from Pythia 8 and FastJet: hard processes, truth matching, and the jets of one shard.

Sources: Pythia 8.3 [bierlich2022comprehensive], FastJet [cacciari2012fastjet], the recipe of the
Top Tagging reference set [kasieczka2019machine].
"""

import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .detector import NEUTRINOS, Particles, concatenate, detect, kind_of

RADIUS = 0.8
JET_PT = (550.0, 650.0)  # GeV
JET_ETA = 2.0
EVENTS_PER_BATCH = 250


@dataclass(frozen=True)
class Process:
    """A class of jets.

    ``settings`` are Pythia's. A jet must lie within the jet radius of a particle ``parent`` (a PDG
    number; 0: no matching) and of all quarks into which the particles ``decaying`` decay; with
    ``antiparticle`` the same holds for the charge conjugate, taken as another candidate.
    """

    settings: tuple[str, ...]
    parent: int = 0
    decaying: tuple[int, ...] = ()
    antiparticle: bool = False


# The code of a class in the files is its place here: add new classes at the end.
PROCESSES = {
    "qcd": Process(("HardQCD:all = on",)),
    "top": Process(
        ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", "24:onMode = off", "24:onIfAny = 1 2 3 4 5"),
        parent=6,
        decaying=(6, 24),
        antiparticle=True,
    ),
}


@dataclass(frozen=True)
class Recipe:
    """What decides the jets of a folder, besides the class and the number of the shard."""

    seed: int
    window: tuple[float, float]  # pTHat in GeV
    level: str  # "detector" or "particle"
    shard_jets: int


@dataclass
class JetColumns:
    """Jets with ragged constituents, ordered by event, constituents by falling pT."""

    constituents: Particles  # its `event` is the jet's row
    jet: np.ndarray  # (n, 4): pT, eta, phi, mass
    event: np.ndarray  # (n,)


def make_shard(name: str, shard: int, recipe: Recipe) -> JetColumns:
    """Generate events until ``recipe.shard_jets`` jets pass; every jet of the last event is kept.

    The seeds depend on the recipe's seed, the class and the shard number alone.
    """
    sequence = np.random.SeedSequence([recipe.seed, zlib.crc32(name.encode()), shard])
    pythia_seed = int(sequence.generate_state(1)[0]) % 900_000_000 + 1  # Pythia's range is 1..9e8
    rng = np.random.default_rng(sequence.spawn(1)[0])
    process = PROCESSES[name]
    pythia = _pythia(process, recipe.window, pythia_seed)
    batches, found, first_event = [], 0, 0
    while found < recipe.shard_jets:
        events = pythia.nextBatch(EVENTS_PER_BATCH).prt
        if len(events) == 0:
            raise ValueError(f"Pythia made no event of class {name} in the window {recipe.window}")
        jets = _jets_of(_record(events, pythia.particleData), process, recipe.level, rng)
        jets.event = jets.event + first_event
        first_event += len(events)
        batches.append(jets)
        found += len(jets.event)
    return _whole_events(_join(batches), recipe.shard_jets)


def _pythia(process: Process, window: tuple[float, float], seed: int) -> Any:
    """Start Pythia: 14 TeV, no multiple parton interactions, a window in pTHat."""
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    common = (
        "Print:quiet = on", "Beams:eCM = 14000", "PartonLevel:MPI = off",
        f"PhaseSpace:pTHatMin = {window[0]}", f"PhaseSpace:pTHatMax = {window[1]}",
        "Random:setSeed = on", f"Random:seed = {seed}",
    )  # fmt: skip
    for setting in (*common, *process.settings):
        if not pythia.readString(setting):
            raise ValueError(f"Pythia does not know the setting {setting!r}")
    if not pythia.init():
        raise ValueError(f"Pythia could not start with the pTHat window {window}")
    return pythia


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


def _record(events: Any, particle_data: Any) -> Record:
    """Flatten an awkward array of Pythia's event records."""
    import awkward as ak

    counts = ak.to_numpy(ak.num(events))
    event = np.repeat(np.arange(len(counts)), counts)
    start = np.cumsum(counts) - counts
    flat = ak.flatten(events)
    identity = ak.to_numpy(flat.id)
    mother = identity[start[event] + ak.to_numpy(flat.mother1)]
    momentum = np.stack([ak.to_numpy(flat.p[key]) for key in ("px", "py", "pz", "e")], axis=1)
    status = ak.to_numpy(flat.status)
    return Record(len(counts), event, identity, status, mother, momentum, particle_data)


def _jets_of(record: Record, process: Process, level: str, rng: np.random.Generator) -> JetColumns:
    """Give the jets of a batch that pass the cuts and the matching."""
    visible = (record.status > 0) & ~np.isin(np.abs(record.identity), NEUTRINOS)
    objects = record.particles(visible)
    if level == "detector":
        energy = record.momentum[visible, 3]
        objects = detect(objects, energy, record.identity[visible], rng)
    jets = _cluster(objects, record.n_events)
    pt, eta = jets.jet[:, 0], jets.jet[:, 1]
    passed = (pt >= JET_PT[0]) & (pt <= JET_PT[1]) & (np.abs(eta) < JET_ETA)
    if process.parent:
        passed &= _matched(jets, record, process)
    return _select(jets, passed)


def _cluster(objects: Particles, n_events: int) -> JetColumns:
    """Cluster every event with anti-kT and give the jets of at least ``JET_PT[0]``."""
    import awkward as ak
    import fastjet

    momentum = np.stack(
        [
            objects.pt * np.cos(objects.phi),
            objects.pt * np.sin(objects.phi),
            objects.pt * np.sinh(objects.eta),
            objects.energy,
        ]
    )
    counts = np.bincount(objects.event, minlength=n_events)
    columns = dict(zip(("px", "py", "pz", "E"), momentum, strict=True))
    events = ak.unflatten(ak.zip(columns, with_name="Momentum4D"), counts)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, RADIUS)
    found = fastjet.ClusterSequence(events, definition).constituent_index(min_pt=JET_PT[0])

    jets_per_event = ak.to_numpy(ak.num(found, axis=1))
    size = ak.to_numpy(ak.flatten(ak.num(found, axis=2)))
    event = np.repeat(np.arange(n_events), jets_per_event)
    row = np.repeat(np.arange(len(size)), size)
    start = np.cumsum(counts) - counts
    index = ak.to_numpy(ak.flatten(found, axis=None)) + start[event[row]]
    index = index[np.lexsort((-objects.pt[index], row))]
    total = np.stack([np.bincount(row, part[index], len(size)) for part in momentum])
    constituents = replace(objects[index], event=row)
    return JetColumns(constituents, _axis_and_mass(total), event)


def _axis_and_mass(total: np.ndarray) -> np.ndarray:
    """Turn (px, py, pz, E) rows, shape (4, n), into pT, eta, phi and mass, shape (n, 4)."""
    px, py, pz, energy = total
    pt = np.hypot(px, py)
    mass2 = np.maximum(energy**2 - pt**2 - pz**2, 0)  # rounding of a one-particle jet
    return np.stack([pt, np.arcsinh(pz / pt), np.arctan2(py, px), np.sqrt(mass2)], axis=1)


def _matched(jets: JetColumns, record: Record, process: Process) -> np.ndarray:
    """Tell which jets hold a parent and all the quarks of its decay within the jet radius."""
    matched = np.zeros(len(jets.event), dtype=bool)
    for sign in (1, -1) if process.antiparticle else (1,):
        # Pythia copies a particle when it recoils; the last copy is the one that decays.
        parents = np.flatnonzero(record.identity == sign * process.parent)
        last = parents[np.append(np.diff(record.event[parents]) > 0, True)]
        mothers = [sign * number for number in process.decaying]
        outgoing = (np.abs(record.status) == 23) & (np.abs(record.identity) <= 5)
        quarks = np.flatnonzero(outgoing & np.isin(record.mother, mothers))
        here = np.ones(len(jets.event), dtype=bool)
        for rows in (last, quarks):
            # a pair is a jet and a parton of its event; one parton outside spoils the jet
            partons = record.particles(rows)
            jet, parton = np.nonzero(jets.event[:, None] == partons.event[None, :])
            deta = jets.jet[jet, 1] - partons.eta[parton]
            dphi = wrap(jets.jet[jet, 2] - partons.phi[parton])
            outside = np.hypot(deta, dphi) > RADIUS
            here &= np.bincount(jet, minlength=len(here)) > 0
            here &= np.bincount(jet, outside, len(here)) == 0
        matched |= here
    return matched


def wrap(angle: np.ndarray) -> np.ndarray:
    """Bring angles into [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _select(jets: JetColumns, chosen: np.ndarray) -> JetColumns:
    """Keep the jets where ``chosen`` is True."""
    row = jets.constituents.event
    kept = chosen[row]
    constituents = jets.constituents[kept]
    constituents = replace(constituents, event=(np.cumsum(chosen) - 1)[row[kept]])
    return JetColumns(constituents, jets.jet[chosen], jets.event[chosen])


def _join(batches: list[JetColumns]) -> JetColumns:
    """Join batches; rows of jets are renumbered."""
    first = np.cumsum([0] + [len(batch.event) for batch in batches])
    parts = [
        replace(batch.constituents, event=batch.constituents.event + start)
        for batch, start in zip(batches, first[:-1], strict=True)
    ]
    jet = np.concatenate([batch.jet for batch in batches])
    event = np.concatenate([batch.event for batch in batches])
    return JetColumns(concatenate(parts), jet, event)


def _whole_events(jets: JetColumns, n_jets: int) -> JetColumns:
    """Keep whole events until there are ``n_jets`` jets or one more."""
    return _select(jets, jets.event <= jets.event[n_jets - 1])
