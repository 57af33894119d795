"""The packed sample: what packing loses, and what the shipped sample holds."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from noneuclid.datasets import load_jets

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "jets"


def test_packed_sample_loses_only_its_rounding(
    tmp_path: Path,
    particles: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    write: SimpleNamespace,
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    pack_sample = __import__("pack_sample")
    (tmp_path / "shards").mkdir()
    write.shard(tmp_path / "shards" / "all-00000.npz", particles)
    arguments = ["--train", "3", "--test", "2", "--constituents", "56"]
    assert pack_sample.main([str(tmp_path / "shards"), str(tmp_path / "out"), *arguments]) == 0
    exact = load_jets(tmp_path / "shards", max_particles=56)
    train = load_jets(tmp_path / "out", split="train", max_particles=56)
    test = load_jets(tmp_path / "out", split="test", max_particles=56)
    assert (train.labels.tolist().count(1), train.labels.tolist().count(0)) == (3, 3)
    assert (test.labels.tolist().count(1), test.labels.tolist().count(0)) == (2, 2)
    for jets in (train, test):
        for i in range(len(jets)):
            # a jet is known by its event, its label and its true multiplicity
            key = (jets.events[i], jets.labels[i], jets.observables[i, 1])
            same = (exact.events == key[0]) & (exact.labels == key[1])
            (row,) = torch.nonzero(same & (exact.observables[:, 1] == key[2])).ravel().tolist()
            assert torch.equal(jets.mask[i], exact.mask[row])
            pt, exact_pt = (m[:, :2].norm(dim=1) for m in (jets.momenta[i], exact.momenta[row]))
            torch.testing.assert_close(pt, exact_pt, rtol=math.expm1(0.0251), atol=0)
            angle, exact_angle = jets.features[i, :, 5:], exact.features[row, :, 5:]
            torch.testing.assert_close(angle, exact_angle, rtol=0, atol=0.0087 / 2 + 1e-6)


def test_packing_never_splits_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    choose = __import__("pack_sample").choose
    rng = np.random.default_rng(0)
    columns = {"label": rng.integers(0, 2, 600), "event": rng.integers(0, 300, 600)}
    columns["event"] = columns["event"] * 2 + columns["label"]  # an event has one class
    train, test = choose(columns, (150, 60), seed=1)
    assert [len(np.unique(part)) for part in (train, test)] == [300, 120]
    assert not set(columns["event"][train]) & set(columns["event"][test])
    with pytest.raises(ValueError, match="9000 are wanted"):
        choose(columns, (6000, 3000), seed=1)


def test_shipped_sample_is_what_its_page_says() -> None:
    train, test = (load_jets(EXAMPLE / "sample", split=split) for split in ("train", "test"))
    for jets, at_least in ((train, 12_000), (test, 4_000)):
        assert int((jets.labels == 1).sum()) == int((jets.labels == 0).sum()) >= at_least
    assert not set(train.events.tolist()) & set(test.events.tolist())
    assert sum(path.stat().st_size for path in (EXAMPLE / "sample").iterdir()) < 6_000_000
    mass, multiplicity = train.observables[:, 0], train.observables[:, 1]
    top = train.labels == 1
    assert 165 < mass[top].median() < 180
    assert 55 < mass[~top].median() < 80
    assert 60 < multiplicity[top].mean() < 65
    assert 46 < multiplicity[~top].mean() < 51
    in_window = (mass > 150) & (mass < 200)
    assert in_window[top].float().mean() > 0.78
    assert in_window[~top].float().mean() < 0.12
    # labels are mixed: any run of jets serves as a batch
    assert 0.3 < train.labels[:200].float().mean() < 0.7
