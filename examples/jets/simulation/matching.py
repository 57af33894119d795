"""Truth matching: which jets hold what their class is named after.

Pythia's status codes: 22 a resonance of the hard process, 23 what leaves the hard process or the
decay of a resonance; negative once it has radiated or decayed.
"""

import numpy as np

from .processes import Process
from .record import JetColumns, Record, wrap

RADIUS = 0.8  # of the jets


def matched(jets: JetColumns, record: Record, process: Process) -> np.ndarray:
    """Tell which jets hold the truth of their class within the jet radius.

    That is the parton of the hard process, or the resonance and all the quarks of its decay.
    """
    if process.parton:
        hard = np.abs(record.status) == 23
        return _all_inside(jets, record, hard & np.isin(np.abs(record.identity), process.parton))
    found = np.zeros(len(jets.event), dtype=bool)
    for sign in (1, -1) if process.antiparticle else (1,):
        # Pythia copies a particle when it recoils; the last copy is the one that decays.
        copies = np.flatnonzero(record.identity == sign * process.resonance)
        last = copies[np.diff(record.event[copies], append=-1) != 0]
        mothers = [sign * number for number in process.decaying]
        outgoing = (np.abs(record.status) == 23) & (np.abs(record.identity) <= 5)
        quarks = outgoing & np.isin(record.mother, mothers)
        found |= _all_inside(jets, record, last) & _all_inside(jets, record, quarks)
    return found


def _all_inside(jets: JetColumns, record: Record, rows: np.ndarray) -> np.ndarray:
    """Tell which jets hold all of some partons of their event, of which there is at least one."""
    # a pair is a jet and a parton of its event; one parton outside spoils the jet
    partons = record.particles(rows)
    jet, parton = np.nonzero(jets.event[:, None] == partons.event[None, :])
    deta = jets.jet[jet, 1] - partons.eta[parton]
    dphi = wrap(jets.jet[jet, 2] - partons.phi[parton])
    outside = np.bincount(jet, np.hypot(deta, dphi) > RADIUS, len(jets.event))
    return (np.bincount(jet, minlength=len(jets.event)) > 0) & (outside == 0)
