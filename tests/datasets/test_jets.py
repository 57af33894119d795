"""The jet reader: every format gives the tensors that a slow loop over the particles gives."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from noneuclid.datasets import Jets, load_jets
from noneuclid.datasets.jet_files import BLOCK, JETCLASS_NAMES

N = 12


def polar(e: float, px: float, py: float, pz: float) -> tuple[float, float, float]:
    pt = math.hypot(px, py)
    return pt, math.asinh(pz / pt), math.atan2(py, px)


def expected_of(jet: np.ndarray) -> tuple[list[list[float]], list[float]]:
    """Compute features and observables of a jet, one particle at a time."""
    total = [float(jet[:, i].astype(float).sum()) for i in range(4)]
    jet_pt, jet_eta, jet_phi = polar(*total)
    sign = -1 if jet_eta < 0 else 1
    rows, pts, girth = [], [], 0.0
    for particle in jet.astype(float):
        pt, eta, phi = polar(*particle)
        deta, dphi = sign * (eta - jet_eta), math.remainder(phi - jet_phi, 2 * math.pi)
        values = [
            (math.log(pt) - 1.7) * 0.7,
            (math.log(particle[0]) - 2.0) * 0.7,
            (math.log(pt / jet_pt) + 4.7) * 0.7,
            (math.log(particle[0] / total[0]) + 4.7) * 0.7,
            (math.hypot(deta, dphi) - 0.2) * 4,
        ]
        rows.append([min(max(v, -5.0), 5.0) for v in values] + [deta, dphi])
        pts.append(pt)
        girth += pt * math.hypot(deta, dphi)
    mass = math.sqrt(total[0] ** 2 - sum(p**2 for p in total[1:]))
    dispersion = math.sqrt(sum(p**2 for p in pts)) / sum(pts)
    return rows, [mass, len(jet), dispersion, girth / sum(pts)]


def test_every_format_gives_the_same_tensors(
    file: Path, particles: list[np.ndarray], write: SimpleNamespace
) -> None:
    jets = load_jets(file, max_particles=50)
    assert jets.features.shape == (N, 50, 7)
    assert jets.features.dtype == jets.momenta.dtype == jets.observables.dtype == torch.float32
    assert jets.labels.tolist() == write.labels
    assert jets.labels.dtype == jets.classes.dtype == jets.events.dtype == torch.int64
    assert [jets.class_names[c].lower() in ("top", "tbqq") for c in jets.classes] == write.labels
    for i, jet in enumerate(particles):
        n = min(len(jet), 50)
        rows, observables = expected_of(jet)
        assert jets.mask[i].tolist() == [True] * n + [False] * (50 - n)
        torch.testing.assert_close(jets.features[i, :n], torch.tensor(rows[:n]), rtol=0, atol=2e-5)
        momenta = torch.from_numpy(np.roll(jet, -1, axis=1)[:n])
        torch.testing.assert_close(jets.momenta[i, :n], momenta, rtol=2e-6, atol=1e-4)
        assert not jets.features[i, n:].any()
        assert not jets.momenta[i, n:].any()
        assert jets.observables[i].tolist() == pytest.approx(observables, rel=1e-4)


def test_width_beyond_the_longest_jet_is_padding(file: Path) -> None:
    jets = load_jets(file, max_particles=300)
    assert jets.mask.shape == (N, 300)
    assert jets.mask.sum(1).tolist() == jets.observables[:, 1].tolist()


def test_max_jets_takes_the_first(file: Path) -> None:
    whole, few = load_jets(file), load_jets(file, max_jets=5)
    assert len(few) == 5
    assert torch.equal(few.features, whole.features[:5])


def test_blocks_join_seamlessly(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_jets(file)
    monkeypatch.setattr("noneuclid.datasets.jet_files.BLOCK", 5)
    for limit in (None, 7):
        parts = load_jets(file, max_jets=limit)
        assert torch.equal(parts.features, whole.features[:limit])
        assert torch.equal(parts.events, whole.events[:limit])
    assert BLOCK >= 1000


def test_max_jets_does_not_read_the_rest(
    tmp_path: Path,
    particles: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    write: SimpleNamespace,
) -> None:
    h5py = pytest.importorskip("h5py")
    write.top_tagging(tmp_path / "train.h5", particles)
    read = []
    original = h5py.Dataset.__getitem__

    def counting(self: object, rows: slice) -> object:
        read.append(rows.stop - rows.start)
        return original(self, rows)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counting)
    load_jets(tmp_path / "train.h5", max_jets=3)
    assert sum(read) == 3


def test_jetclass_classes_and_chosen_signal(
    tmp_path: Path, particles: list[np.ndarray], write: SimpleNamespace
) -> None:
    names = [JETCLASS_NAMES[i % 10] for i in range(N)]
    write.jetclass(tmp_path / "all.root", particles, names)
    jets = load_jets(tmp_path / "all.root")
    assert [jets.class_names[c] for c in jets.classes] == names
    assert jets.labels.tolist() == [int(name in ("Tbqq", "Tbl")) for name in names]
    jets = load_jets(tmp_path / "all.root", signal=["Hbb"])
    assert jets.labels.tolist() == [int(name == "Hbb") for name in names]
    with pytest.raises(ValueError, match=r"all\.root .*none is among signal=\('charm',\)"):
        load_jets(tmp_path / "all.root", signal=["charm"])


def test_split_by_event_keeps_events_whole(
    tmp_path: Path, particles: list[np.ndarray], write: SimpleNamespace
) -> None:
    write.shard(tmp_path / "jets.npz", particles)
    jets = load_jets(tmp_path / "jets.npz")
    first, second = jets.split_by_event(0.5, seed=3)
    assert (len(first), len(second)) == (6, 6)
    assert not set(first.events.tolist()) & set(second.events.tolist())
    again, _ = jets.subset(torch.arange(N - 1, -1, -1)).split_by_event(0.5, seed=3)
    assert set(again.events.tolist()) == set(first.events.tolist())
    chosen = {
        tuple(jets.split_by_event(0.5, seed)[0].events.unique().tolist()) for seed in range(9)
    }
    assert len(chosen) > 1
    assert [len(part) for part in jets.split_by_event(1.0)] == [N, 0]
    with pytest.raises(ValueError, match="fraction must be between 0 and 1, got 60"):
        jets.split_by_event(60)


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        ([3, 1], [3, 1]),
        (slice(2, 5), [2, 3, 4]),
        (torch.arange(N) < 2, [0, 1]),
        (np.array([4]), [4]),
    ],
)
def test_subset_takes_every_column(
    index: object,
    rows: list[int],
    tmp_path: Path,
    particles: list[np.ndarray],
    write: SimpleNamespace,
) -> None:
    write.shard(tmp_path / "jets.npz", particles)
    jets = load_jets(tmp_path / "jets.npz")
    part = jets.subset(index)
    assert isinstance(part, Jets)
    assert len(part) == len(rows)
    for name in ("features", "momenta", "mask", "labels", "classes", "events", "observables"):
        assert torch.equal(getattr(part, name), getattr(jets, name)[rows])
