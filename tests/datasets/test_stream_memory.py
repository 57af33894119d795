"""A stream needs memory for its windows, not for its files."""

import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from noneuclid.datasets import JetStream

MEGABYTE = 1e6
WINDOW = {"batch_size": 64, "piece": 64, "buffer": 256, "max_particles": 32}


def peak_of(path: Path) -> tuple[float, int]:
    """Give the peak memory of one epoch in MB, and its number of jets."""
    stream = JetStream(path, **WINDOW)
    tracemalloc.start()
    try:
        jets = sum(len(batch) for batch in stream)
        return tracemalloc.get_traced_memory()[1] / MEGABYTE, jets
    finally:
        tracemalloc.stop()


def test_peak_memory_does_not_grow_with_the_file(tmp_path: Path, write: SimpleNamespace) -> None:
    """numpy's memory is traced; torch's is that of the window, which this adds up below."""
    h5py = pytest.importorskip("h5py")
    write.top_tagging(tmp_path / "few.h5", write.particles(1, 300))
    with h5py.File(tmp_path / "few.h5") as few, h5py.File(tmp_path / "many.h5", "w") as many:
        rows = few["table/table"][:]
        many.create_dataset("table/table", data=np.tile(rows, 20), chunks=(64,))
    file_size = (tmp_path / "many.h5").stat().st_size / MEGABYTE
    (small, few_jets), (large, many_jets) = (
        peak_of(tmp_path / name) for name in ("few.h5", "many.h5")
    )
    assert (few_jets, many_jets) == (300, 6000)
    assert file_size > 19
    assert large < 1.3 * small < file_size / 2


def test_window_is_the_only_storage(
    tmp_path: Path, write: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write.top_tagging(tmp_path / "a.h5", write.particles(1, 300))
    stream = JetStream(tmp_path, **WINDOW)
    stores: dict[int, dict] = {}
    original = JetStream._fill

    def fill(self: JetStream, store: dict, *rest: object) -> object:
        filled = original(self, store, *rest)
        stores[id(store)] = store
        return filled

    monkeypatch.setattr(JetStream, "_fill", fill)
    assert sum(len(jets) for jets in stream) == 300
    (store,) = stores.values()
    used = sum(column.numel() * column.element_size() for column in store.values())
    per_particle = 4 * (7 + 4) + 1
    per_jet = 3 * 8 + 4 * 4  # label, class and event; observables
    assert used == WINDOW["buffer"] * (WINDOW["max_particles"] * per_particle + per_jet)
