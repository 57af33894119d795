"""Streams of jets: every jet once, in bounded windows, from any position, for any consumer."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from noneuclid.datasets import FeatureNormalization, JetLoader, Jets, JetStream, load_jets
from noneuclid.datasets.jets import COLUMNS, join_jets

SMALL = {"batch_size": 4, "piece": 5, "buffer": 12}


def whole(stream: JetStream | JetLoader) -> Jets:
    return join_jets(list(stream))


def keys(jets: Jets) -> Counter:
    """Name each jet by its momenta."""
    return Counter(tuple(row) for row in jets.momenta.flatten(1).tolist())


@pytest.fixture
def folder(tmp_path: Path, write: SimpleNamespace) -> Path:
    """Three shards of 12, 9 and 14 jets."""
    for seed, (name, n) in enumerate((("a", 12), ("b", 9), ("c", 14))):
        (tmp_path / "shards").mkdir(exist_ok=True)
        write.shard(tmp_path / "shards" / f"{name}.npz", write.particles(seed, n))
    return tmp_path / "shards"


# -------------------------------------------------------------------------------------- content


def test_in_order_a_stream_gives_what_load_jets_gives(file: Path) -> None:
    streamed = list(JetStream(file, shuffle=False, **SMALL))
    assert [len(jets) for jets in streamed] == [4, 4, 4]
    jets, expected = join_jets(streamed), load_jets(file)
    for name in COLUMNS:
        assert torch.equal(getattr(jets, name), getattr(expected, name)), name
    assert jets.class_names == expected.class_names


def test_shuffled_every_jet_comes_once_and_each_epoch_has_its_order(folder: Path) -> None:
    stream = JetStream(folder, **SMALL)
    expected = keys(load_jets(folder))
    epochs = [whole(stream.at(epoch)) for epoch in range(3)]
    assert stream.n_jets == len(load_jets(folder)) == 35
    for jets in epochs:
        assert keys(jets) == expected
    assert len({tuple(jets.momenta[:, 0, 0].tolist()) for jets in epochs}) == 3
    again = whole(JetStream(folder, **SMALL).at(1))
    assert torch.equal(again.features, epochs[1].features)
    other = whole(JetStream(folder, seed=1, **SMALL))
    assert not torch.equal(other.features, epochs[0].features)


def test_a_window_is_shuffled_anew_each_epoch(tmp_path: Path, write: SimpleNamespace) -> None:
    write.shard(tmp_path / "a.npz", write.particles(1))
    orders = {
        tuple(whole(JetStream(tmp_path, seed=seed).at(epoch)).momenta[:, 0, 0].tolist())
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len(orders) == 4


def test_pieces_of_one_class_are_spread_over_the_epoch(
    tmp_path: Path, write: SimpleNamespace
) -> None:
    for seed, name in enumerate(("QCD", "Hbb", "Tbqq")):
        write.jetclass(tmp_path / f"{name}.root", write.particles(seed, 40), [name] * 40)
    # in a window of 60 jets each class has 20 +- 10; without the spreading it may well have none
    for jets in JetStream(tmp_path, batch_size=60, piece=10, buffer=60):
        assert all(10 <= (jets.classes == code).sum() <= 30 for code in (0, 1, 8))


def test_compressed_entries_are_read_once(
    tmp_path: Path, write: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clusters of two classes each, in windows of 12: each is decompressed once an epoch."""
    uproot = pytest.importorskip("uproot")
    monkeypatch.setattr("noneuclid.datasets._jetclass.LARGEST_CLUSTER", 20)
    for seed, name in enumerate(("QCD", "Tbqq")):
        write.jetclass(tmp_path / f"{name}.root", write.particles(seed, 40), [name] * 40)
    stream = JetStream(tmp_path, **SMALL)
    clusters = {(piece.group, piece.cluster) for piece in stream.pieces}
    assert clusters == {("QCD", 0), ("QCD", 20), ("Tbqq", 0), ("Tbqq", 20)}
    read = []
    original = uproot.TTree.arrays
    monkeypatch.setattr(
        uproot.TTree,
        "arrays",
        lambda self, *names, **rows: (
            read.append((self.file.file_path, rows["entry_start"], rows["entry_stop"]))
            or original(self, *names, **rows)
        ),
    )
    assert keys(whole(stream)) == keys(load_jets(tmp_path))
    epoch = read[: len(read) - 2]  # load_jets has read both files as well
    assert sorted(rows for _, *rows in epoch) == [[0, 20], [0, 20], [20, 40], [20, 40]]


def test_large_clusters_are_cut(
    tmp_path: Path, write: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("uproot")
    write.jetclass(tmp_path / "a.root", write.particles(1, 25), ["QCD"] * 25)
    expected = load_jets(tmp_path)
    monkeypatch.setattr("noneuclid.datasets._jetclass.LARGEST_CLUSTER", 10)
    stream = JetStream(tmp_path, shuffle=False, part=(0.2, 1.0), **SMALL)
    bounds = [(piece.first, piece.stop, piece.cluster) for piece in stream.pieces]
    assert bounds == [(5, 10, 0), (10, 15, 10), (15, 20, 10), (20, 25, 20)]
    assert torch.equal(whole(stream).features, expected.features[5:])


def test_chosen_classes_are_numbered_as_asked(tmp_path: Path, write: SimpleNamespace) -> None:
    names = ["QCD", "Tbqq", "Wqq", "Zqq"] * 5
    write.jetclass(tmp_path / "a.root", write.particles(1, 20), names)
    stream = JetStream(tmp_path, classes=("Tbqq", "Zqq"), shuffle=False, **SMALL)
    jets = whole(stream)
    assert (stream.n_jets, stream.class_names) == (10, ("Tbqq", "Zqq"))
    assert jets.classes.tolist() == [0, 1] * 5
    assert jets.labels.tolist() == [1, 0] * 5
    full = load_jets(tmp_path)
    assert torch.equal(jets.features, full.subset([i for i in range(20) if i % 2]).features)
    with pytest.raises(ValueError, match=r"has no class 'charm': it has \['H4q'"):
        JetStream(tmp_path, classes=("QCD", "charm"))


def test_files_of_other_classes_join_when_classes_are_named(
    tmp_path: Path, write: SimpleNamespace
) -> None:
    write.shard(tmp_path / "a.npz", write.particles(1))
    write.shard(tmp_path / "b.npz", write.particles(2), classes=["gluon", "qcd"])
    with pytest.raises(ValueError, match=r"b\.npz has the classes .*choose some"):
        JetStream(tmp_path)
    jets = whole(JetStream(tmp_path, classes=("gluon", "qcd"), shuffle=False, **SMALL))
    assert jets.classes.tolist() == [1] * 6 + [0, 1] * 6


def test_parts_are_disjoint_whole_and_keep_events_together(folder: Path, file: Path) -> None:
    for path in (folder, file):
        low, high = (JetStream(path, part=part) for part in ((0.0, 0.6), (0.6, 1.0)))
        one, two = whole(low), whole(high)
        assert (len(one), len(two)) == (low.n_jets, high.n_jets)
        assert keys(one) + keys(two) == keys(load_jets(path))
        assert not set(one.events.tolist()) & set(two.events.tolist())
    other = whole(JetStream(folder, part=(0.0, 0.6), split_seed=1))
    assert set(other.events.tolist()) != set(
        whole(JetStream(folder, part=(0, 0.6))).events.tolist()
    )


# -------------------------------------------------------------------------------------- consumers


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_the_jets_evenly(folder: Path, world_size: int) -> None:
    streams = [
        JetStream(folder, rank=rank, world_size=world_size, **SMALL) for rank in range(world_size)
    ]
    parts = [whole(stream) for stream in streams]
    assert {len(part) for part in parts} == {35 // world_size}
    assert len({stream.n_batches(2) for stream in streams}) == 1
    together = sum((keys(part) for part in parts), Counter())
    assert max(together.values()) == 1
    assert not together - keys(load_jets(folder))
    uneven = [
        whole(JetStream(folder, rank=rank, world_size=world_size, even=False, **SMALL))
        for rank in range(world_size)
    ]
    assert sum((keys(part) for part in uneven), Counter()) == keys(load_jets(folder))


def test_workers_share_the_jets_and_a_stop_between_them_loses_none(folder: Path) -> None:
    stream = JetStream(folder, **SMALL)
    loader = JetLoader(stream, workers=2)
    batches = list(loader)
    assert len(batches) == len(loader) == 10  # 18 and 17 jets in fours
    assert keys(join_jets(batches)) == keys(load_jets(folder))
    assert (loader.epoch, loader.batches) == (1, 0)
    stopped = JetLoader(stream, workers=2)
    for _, _jets in zip(range(3), stopped, strict=False):
        state = stopped.state_dict()
    resumed = JetLoader(JetStream(folder, **SMALL), workers=2)
    resumed.load_state_dict(state)
    rest = list(resumed)
    assert len(rest) == 7
    for jets, expected in zip(rest, batches[3:], strict=True):
        assert torch.equal(jets.features, expected.features)


# -------------------------------------------------------------------------------------- position


@pytest.mark.parametrize("drop_last", [False, True])
def test_every_position_continues_as_without_interruption(folder: Path, drop_last: bool) -> None:
    stream = JetStream(folder, drop_last=drop_last, **SMALL)
    batches = list(stream.at(2))
    assert len(batches) == stream.n_batches() == (8 if drop_last else 9)
    for done in range(len(batches) + 1):
        rest = list(stream.at(2, done))
        assert len(rest) == len(batches) - done
        for jets, expected in zip(rest, batches[done:], strict=True):
            assert torch.equal(jets.features, expected.features)
            assert torch.equal(jets.events, expected.events)


def test_a_position_reads_nothing_before_its_window(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = JetStream(folder, shuffle=False, **SMALL)
    read = []
    original = type(stream)._fill
    monkeypatch.setattr(type(stream), "_fill", lambda *a: read.append(a[-2:]) or original(*a))
    next(iter(stream.at(0, 7)))
    assert read == [(24, 35)]


def test_position_of_another_stream_is_refused(folder: Path) -> None:
    state = JetLoader(JetStream(folder, **SMALL)).state_dict()
    JetLoader(JetStream(folder, **SMALL)).load_state_dict(state)
    for change in ({"seed": 3}, {"batch_size": 5}, {"part": (0.0, 0.9)}):
        with pytest.raises(ValueError, match=f"with {next(iter(change))}=.* here it is"):
            JetLoader(JetStream(folder, **SMALL | change)).load_state_dict(state)
    with pytest.raises(ValueError, match="with workers=1, here it is 2"):
        JetLoader(JetStream(folder, **SMALL), workers=2).load_state_dict(state)


# -------------------------------------------------------------------------------------- bad input


def test_jets_with_few_particles(tmp_path: Path, write: SimpleNamespace) -> None:
    jets = write.particles(1, 4)
    jets[1], jets[2] = jets[1][:1], jets[2][:0]
    write.top_tagging(tmp_path / "a.h5", jets)
    (read,) = JetStream(tmp_path, shuffle=False)
    assert read.mask.sum(1).tolist() == [min(len(jet), 48) for jet in jets]
    assert torch.isfinite(read.features).all()
    assert torch.isfinite(read.observables).all()
    assert read.observables[2].tolist() == [0, 0, 0, 0]


def test_bad_files_are_named(folder: Path, write: SimpleNamespace) -> None:
    jets = write.particles(1)
    jets[7][2, 1] = float("nan")
    write.shard(folder / "d.npz", jets)
    with pytest.raises(ValueError, match=r"d\.npz holds NaN or infinite"):
        whole(JetStream(folder, **SMALL))
    data = (folder / "b.npz").read_bytes()
    (folder / "b.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"b\.npz is a truncated or damaged \.npz file"):
        JetStream(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"buffer": 0}, "buffer must be at least 1"),
        ({"part": (0.5, 0.5)}, "part must be 0 <= low < high <= 1"),
        ({"rank": 1}, "given together"),
        ({"rank": 2, "world_size": 2}, r"rank must be in 0\.\.1, got 2"),
        ({"feature_set": "pid"}, "feature_set must be one of"),
        ({"normalization": FeatureNormalization("full")}, "is of the feature set 'full'"),
    ],
)
def test_bad_arguments(folder: Path, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JetStream(folder, **change)
