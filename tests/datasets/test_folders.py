"""Folders of jet files: which are read, how they are joined, what their splits are."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from noneuclid.datasets import JetSplits, load_jets, open_jets

N = 12


def test_folder_joins_files_in_sorted_order(
    tmp_path: Path, particles: list[np.ndarray], write: SimpleNamespace
) -> None:
    for name, jets in (("b", particles), ("a", particles[::-1])):
        write.top_tagging(tmp_path / f"{name}.h5", jets)
    (tmp_path / "README.md").write_text("not a jet file")
    (tmp_path / "c.npz.123.part").write_bytes(b"PK half a shard")
    both = load_jets(tmp_path)
    a, b = load_jets(tmp_path / "a.h5"), load_jets(tmp_path / "b.h5")
    assert torch.equal(both.features, torch.cat([a.features, b.features]))
    assert len(set(both.events.tolist())) == 2 * N  # rows of different files are different events


def test_max_jets_of_a_folder_is_spread_over_its_files(
    tmp_path: Path, particles: list[np.ndarray], write: SimpleNamespace
) -> None:
    for name in "abc":
        write.shard(tmp_path / f"{name}.npz", particles)
    for wanted, shares in ((7, (3, 2, 2)), (1, (1, 0, 0)), (36, (12, 12, 12)), (99, (12, 12, 12))):
        jets = load_jets(tmp_path, max_jets=wanted)
        expected = [label for share in shares for label in write.labels[:share]]
        assert jets.labels.tolist() == expected


def test_split_names_a_file_or_a_subfolder(
    tmp_path: Path, particles: list[np.ndarray], write: SimpleNamespace
) -> None:
    write.shard(tmp_path / "train.npz", particles)
    (tmp_path / "val").mkdir()
    write.shard(tmp_path / "val" / "part-0.npz", particles[::-1])
    train, val = load_jets(tmp_path, split="train"), load_jets(tmp_path, split="val")
    assert torch.equal(train.features, val.features.flip(0))
    assert torch.equal(load_jets(tmp_path / "train.npz", split="train").features, train.features)
    with pytest.raises(ValueError, match=f"{tmp_path} has no split 'test': it holds train"):
        load_jets(tmp_path, split="test")
    with pytest.raises(ValueError, match=r"train\.npz is one file and has no split 'test'"):
        load_jets(tmp_path / "train.npz", split="test")


# -------------------------------------------------------------------------------------- splits


def events_of(splits: JetSplits) -> list[set[int]]:
    return [{e for jets in stream for e in jets.events.tolist()} for stream in splits]


def test_folder_without_names_is_cut_by_event(tmp_path: Path, write: SimpleNamespace) -> None:
    for seed in range(3):
        write.shard(tmp_path / f"{seed}.npz", write.particles(seed, 60))
    splits = open_jets(tmp_path, fractions=(0.5, 0.25, 0.25), max_particles=8)
    train, validation, test = events_of(splits)
    assert train | validation | test == set(range(7, 27))
    assert not train & validation
    assert not (train | validation) & test
    assert sum(stream.n_jets for stream in splits) == 180
    assert (splits.train.shuffle, splits.validation.shuffle, splits.test.shuffle) == (1, 0, 0)
    assert {stream.max_particles for stream in splits} == {8}


def test_files_without_events_are_cut_by_row(tmp_path: Path, write: SimpleNamespace) -> None:
    write.top_tagging(tmp_path / "jets.h5", write.particles(1, 40))
    for path in (tmp_path, tmp_path / "jets.h5"):
        splits = open_jets(path)
        assert [stream.n_jets for stream in splits] == [32, 4, 4]
        train, validation, test = events_of(splits)
        assert (max(train), validation, test) == (31, {32, 33, 34, 35}, {36, 37, 38, 39})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("train.h5", "val.h5", "test.h5"), (40, 40, 40)),
        (("train_100M/a.h5", "val_5M/a.h5", "test_20M/a.h5"), (40, 40, 40)),
        (("training/a.h5", "Validation/a.h5"), (36, 40, 4)),
        (("train.h5", "test.h5"), (36, 4, 40)),
        (("train.h5",), (32, 4, 4)),
    ],
)
def test_named_splits_are_taken(
    names: tuple[str, ...], expected: tuple[int, ...], tmp_path: Path, write: SimpleNamespace
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write.top_tagging(tmp_path / name, write.particles(1, 40))
    splits = open_jets(tmp_path)
    assert tuple(stream.n_jets for stream in splits) == expected


def test_bad_splits_are_refused(tmp_path: Path, write: SimpleNamespace) -> None:
    write.top_tagging(tmp_path / "test.h5", write.particles(1, 40))
    with pytest.raises(ValueError, match="has test but no 'train'"):
        open_jets(tmp_path)
    with pytest.raises(ValueError, match="must be positive and sum to 1"):
        open_jets(tmp_path, fractions=(0.8, 0.2, 0.0))
    with pytest.raises(FileNotFoundError):
        open_jets(tmp_path / "nowhere")
