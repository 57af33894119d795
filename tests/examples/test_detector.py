"""The detector of the simulation: its resolutions, and what becomes of each kind of particle."""

import importlib
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "jets"


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    return importlib.import_module("simulation.detector")


def shoot(detector: object, number: int, identity: int, charge: int, energy: float) -> tuple:
    """Send one particle into each of many empty events, |eta| < 1.4."""
    rng = np.random.default_rng(identity)
    eta, phi = rng.uniform(-1.4, 1.4, number), rng.uniform(-np.pi, np.pi, number)
    identities = np.full(number, identity)
    charges = np.full(number, charge, dtype=np.int8)
    kind = detector.kind_of(identities, charges)
    truth = detector.Particles(
        np.arange(number), energy / np.cosh(eta), eta, phi, kind, charges
    )  # fmt: skip
    return truth, detector.detect(truth, truth.energy, identities, rng)


@pytest.mark.parametrize(
    ("identity", "energy", "sigma", "tower"),
    [
        (22, 100.0, np.hypot(0.17, 1.01), np.pi / 180),
        (2112, 100.0, np.sqrt(3.02**2 + 5.205**2 + 1.59**2), np.pi / 18),
        (2112, 400.0, np.sqrt(12.08**2 + 10.41**2 + 1.59**2), np.pi / 18),
    ],
)
def test_neutral_response(
    detector: object, identity: int, energy: float, sigma: float, tower: float
) -> None:
    truth, seen = shoot(detector, 4000, identity, 0, energy)
    assert (seen.event == truth.event).all()  # one object an event
    assert seen.energy.mean() == pytest.approx(energy, abs=4 * sigma / np.sqrt(4000))
    assert seen.energy.std() == pytest.approx(sigma, rel=0.05)
    dphi = np.abs((seen.phi - truth.phi + np.pi) % (2 * np.pi) - np.pi)
    assert 0.9 * tower < dphi.max() <= tower
    assert (seen.kind == (detector.PHOTON if identity == 22 else detector.NEUTRAL_HADRON)).all()


def test_soft_neutrals_are_lost(detector: object) -> None:
    assert len(shoot(detector, 500, 22, 0, 0.05)[1].pt) == 0
    assert len(shoot(detector, 500, 2112, 0, 0.3)[1].pt) < 50


def test_tracks_take_the_place_of_their_towers(detector: object) -> None:
    truth, seen = shoot(detector, 8000, 211, 1, 10.0)
    tracks = seen[seen.kind == detector.CHARGED_HADRON]
    assert len(tracks.pt) == pytest.approx(0.95 * 8000, abs=4 * np.sqrt(8000 * 0.05))
    assert (tracks.charge == 1).all()
    central = np.abs(truth.eta[tracks.event]) < 0.5
    ratio = (tracks.pt / truth.pt[tracks.event])[central]
    assert ratio.std() == pytest.approx(np.hypot(0.06, 0.0130), rel=0.15)
    # a tower beside its own track is an object only where it fluctuates far above it
    lost = np.setdiff1d(truth.event, tracks.event)
    neutral = seen[seen.kind == detector.NEUTRAL_HADRON]
    assert np.isin(lost, neutral.event).mean() > 0.9
    assert np.isin(tracks.event, neutral.event).mean() < 0.25


def test_muons_leave_a_track_only(detector: object) -> None:
    truth, seen = shoot(detector, 2000, 13, -1, 50.0)
    assert (seen.kind == detector.MUON).all()
    assert len(seen.pt) == pytest.approx(0.99 * len(truth.pt), abs=20)


def test_events_do_not_mix_and_may_be_empty(detector: object) -> None:
    truth, _ = shoot(detector, 50, 22, 0, 100.0)
    none = detector.detect(truth[:0], truth.energy[:0], np.zeros(0, int), np.random.default_rng(0))
    assert len(none.pt) == 0
    same_place = detector.Particles(
        truth.event, truth.pt, truth.eta * 0 + 0.1, truth.phi * 0 + 0.1, truth.kind, truth.charge
    )  # fmt: skip
    seen = detector.detect(same_place, same_place.energy, np.full(50, 22), np.random.default_rng(0))
    assert (seen.event == truth.event).all()
