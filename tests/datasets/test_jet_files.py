"""Files that are not what they should be: each is named, with what is wrong."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from noneuclid.datasets import load_jets
from noneuclid.datasets.jet_files import JetFileError

N = 12


def test_truncated_files_say_so(file: Path) -> None:
    whole = file.read_bytes()
    for share in (0.999, 0.7, 0.3, 0.02):
        file.write_bytes(whole[: max(12, int(share * len(whole)))])
        with pytest.raises(ValueError, match=f"{file.name} is (a truncated|an? .* file with)"):
            load_jets(file)


@pytest.mark.parametrize("content", [b"", b"PAR1 some parquet", b"E,PX,PY,PZ\n1,2,3,4\n"])
def test_foreign_file_is_named_with_what_is_recognised(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "jets.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"jets\.npz is not a jet file: expected a shard .*ROOT"):
        load_jets(tmp_path / "jets.npz")


def test_files_of_the_right_kind_with_other_content(
    tmp_path: Path, particles: list[np.ndarray], write: SimpleNamespace
) -> None:
    h5py, uproot = pytest.importorskip("h5py"), pytest.importorskip("uproot")
    np.savez(tmp_path / "a.npz", weights=np.ones(3))
    write.shard(tmp_path / "b.npz", particles, version=99)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["images"] = np.ones(3)
    with uproot.recreate(tmp_path / "d.root") as file:
        file.mktree("tree", {"part_px": "float32"})
        file["tree"].extend({"part_px": np.ones(3, dtype=np.float32)})
    particles[2][1, 0] = np.nan
    write.top_tagging(tmp_path / "e.h5", particles)
    for name, message in (
        ("a.npz", "without jets"),
        ("b.npz", "version 99: expected one of"),
        ("c.h5", "without the Top Tagging table"),
        ("d.root", r"'tree' lacks \['jet_energy'"),
        ("e.h5", "NaN or infinite"),
    ):
        with pytest.raises(ValueError, match=f"{name} .*{message}"):
            load_jets(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("label", lambda c: c + 7 * (np.arange(N) == 3), r"label must be in 0\.\.1, got 8"),
        ("label", lambda c: c - (np.arange(N) == 0), r"label must be in 0\.\.1, got -1"),
        ("event", lambda c: c[:-1], r"event must have the shape \(12,\) for 12 jets, got \(11,\)"),
        ("multiplicity", lambda c: c[:5], r"multiplicity must have the shape \(12,\)"),
        ("jet", lambda c: c[:, :3], r"jet must have the shape \(12, 4\)"),
        ("pt", lambda c: c[:-1], "pt must have the shape"),
        ("dphi", lambda c: np.append(c, 0), "dphi must have the shape"),
        ("offsets", lambda c: c[:-1], "12 labels need 12 counts or 13 offsets"),
        ("offsets", lambda c: c + 1, "offsets must rise from 0"),
        ("offsets", lambda c: c[[0, 2, 1, *range(3, N + 1)]], "offsets must rise from 0"),
    ],
)
def test_damaged_columns_are_named(
    name: str,
    change: Callable[[np.ndarray], np.ndarray],
    message: str,
    tmp_path: Path,
    particles: list[np.ndarray],
    write: SimpleNamespace,
) -> None:
    write.shard(tmp_path / "a.npz", particles)
    with np.load(tmp_path / "a.npz") as arrays:
        columns = {key: arrays[key] for key in arrays.files}
    columns[name] = change(columns[name])
    np.savez(tmp_path / "a.npz", **columns)
    with pytest.raises(JetFileError, match=rf"a\.npz is a damaged \.npz file: {message}"):
        load_jets(tmp_path / "a.npz", max_jets=2)


def test_empty_folder_and_missing_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path} holds no jet files"):
        load_jets(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_jets(tmp_path / "nowhere")
    for wrong in ({"max_jets": 0}, {"max_particles": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least 1"):
            load_jets(tmp_path, **wrong)


@pytest.mark.parametrize(("name", "package"), [("a.h5", "h5py"), ("a.root", "uproot")])
def test_missing_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    start = {"a.h5": b"\x89HDF\r\n\x1a\n", "a.root": b"root"}[name]
    (tmp_path / name).write_bytes(start + bytes(100))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"{package} .*install noneuclid\[jets\]"):
        load_jets(tmp_path / name)


def test_import_brings_no_file_library() -> None:
    code = (
        "import sys, noneuclid.datasets as d\n"
        "print(*{'h5py', 'uproot', 'awkward', 'scipy', 'pandas'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
