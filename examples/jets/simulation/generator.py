"""Jets from Pythia 8 and FastJet: the events, the jets in them, and the jets of one shard.

Sources: Pythia 8.3 [bierlich2022comprehensive], FastJet [cacciari2012fastjet], the recipe of the
Top Tagging reference set [kasieczka2019machine].
"""

import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from .detector import NEUTRINOS, Particles, concatenate, detect
from .matching import RADIUS, matched
from .processes import PROCESSES, Process
from .recipe import Recipe
from .record import JetColumns, Record

JET_ETA = 2.0
EVENTS_PER_BATCH = 250
PATIENCE = 40_000  # events without a jet after which the windows are held for impossible


def make_shard(name: str, shard: int, recipe: Recipe) -> JetColumns:
    """Generate events until ``recipe.shard_jets`` jets pass; every jet of the last event is kept.

    The seeds depend on the recipe's seed, the class and the shard number alone.

    Raises:
        ValueError: Pythia refuses the recipe, or no jet passes.
    """
    sequence = np.random.SeedSequence([recipe.seed, zlib.crc32(name.encode()), shard])
    rng = np.random.default_rng(sequence.spawn(1)[0])
    process = PROCESSES[name]
    pythia = _pythia(recipe, process, int(sequence.generate_state(1)[0]))
    batches, found, first_event = [], 0, 0
    while found < recipe.shard_jets:
        events = pythia.nextBatch(EVENTS_PER_BATCH).prt
        if len(events) == 0:
            raise ValueError(f"Pythia made no event of class {name} in the window {recipe.window}")
        jets = _jets_of(_record(events, pythia.particleData), process, recipe, rng)
        jets.event = jets.event + first_event
        first_event += len(events)
        batches.append(jets)
        found += len(jets.event)
        if not found and first_event >= PATIENCE:
            raise ValueError(
                f"{first_event} events gave no jet of class {name} with pT in {recipe.jet_pt} GeV "
                f"from pTHat in {recipe.window} GeV"
            )
    return _whole_events(_join(batches), recipe.shard_jets)


def _pythia(recipe: Recipe, process: Process, seed: int) -> Any:
    """Start Pythia."""
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    for setting in recipe.settings(process, seed):
        if not pythia.readString(setting):
            raise ValueError(f"Pythia does not know the setting {setting!r}")
    if not pythia.init():
        raise ValueError(f"Pythia could not start with the pTHat window {recipe.window}")
    return pythia


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


def _jets_of(
    record: Record, process: Process, recipe: Recipe, rng: np.random.Generator
) -> JetColumns:
    """Give the jets of a batch that pass the cuts and the matching."""
    visible = (record.status > 0) & ~np.isin(np.abs(record.identity), NEUTRINOS)
    objects = record.particles(visible)
    if recipe.level == "detector":
        energy = record.momentum[visible, 3]
        objects = detect(objects, energy, record.identity[visible], rng)
    jets = _cluster(objects, record.n_events, recipe.jet_pt[0])
    pt, eta = jets.jet[:, 0], jets.jet[:, 1]
    passed = (pt >= recipe.jet_pt[0]) & (pt <= recipe.jet_pt[1]) & (np.abs(eta) < JET_ETA)
    if process.parton or process.resonance:
        passed &= matched(jets, record, process)
    return _select(jets, passed)


def _cluster(objects: Particles, n_events: int, least_pt: float) -> JetColumns:
    """Cluster every event with anti-kT and give the jets of at least ``least_pt`` GeV."""
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
    found = fastjet.ClusterSequence(events, definition).constituent_index(min_pt=least_pt)

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
