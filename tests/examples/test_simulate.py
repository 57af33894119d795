"""The simulation script: the same jets whatever interrupts it."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from noneuclid.datasets import load_jets

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "jets"
SMALL = ["--jets", "20", "--shard-jets", "10", "--seed", "4"]

needs_pythia = pytest.mark.skipif(
    importlib.util.find_spec("pythia8mc") is None, reason="pythia8mc is not installed"
)


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(EXAMPLE / "simulate.py"), "--out", str(folder), *arguments]


def simulate(folder: Path, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess:
    done = subprocess.run(command(folder, *arguments), capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stderr
    assert "Traceback" not in done.stderr
    return done


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.iterdir())}


def columns(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def assert_same_columns(a: Path, b: Path) -> None:
    one, two = columns(a), columns(b)
    assert one.keys() == two.keys()
    for name in one.keys() - {"metadata"}:  # it holds the command
        assert one[name].dtype == two[name].dtype
        assert one[name].tobytes() == two[name].tobytes(), name


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jets") / "new" / "folder"
    simulate(folder, *SMALL, "--workers", "1")
    return folder


# -------------------------------------------------------------------------------------- resuming


@needs_pythia
def test_finished_run_is_left_alone(finished: Path) -> None:
    before = state(finished)
    assert list(before) == ["qcd-00000.npz", "qcd-00001.npz", "top-00000.npz", "top-00001.npz"]
    done = simulate(finished, *SMALL, "--workers", "2")
    assert "4 shards were there, 0 new" in done.stdout
    assert state(finished) == before


@needs_pythia
def test_two_workers_make_only_what_is_missing_and_the_same(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    missing = ("qcd-00001.npz", "top-00000.npz")
    for name in missing:
        half = (folder / name).read_bytes()[:999]
        (folder / name).unlink()
        (folder / f"{name}.99999.part").write_bytes(half)  # what a killed run leaves
    before = state(folder)
    simulate(folder, *SMALL, "--workers", "2")
    after = state(folder)
    assert list(after) == list(state(finished))  # no .part is left
    for name in after.keys() - set(missing):
        assert after[name] == before[name]
    for name in missing:
        assert_same_columns(folder / name, finished / name)


@needs_pythia
def test_a_subset_of_shards_is_the_same(finished: Path, tmp_path: Path) -> None:
    simulate(tmp_path, *SMALL, "--classes", "top", "--only", "1", "2", "--workers", "1")
    assert list(state(tmp_path)) == ["top-00001.npz"]
    assert_same_columns(tmp_path / "top-00001.npz", finished / "top-00001.npz")


@needs_pythia
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_killed_run_leaves_whole_shards_and_continues(end: signal.Signals, tmp_path: Path) -> None:
    arguments = ["--classes", "qcd", "--jets", "24", "--shard-jets", "8", "--workers", "2"]
    with subprocess.Popen(
        command(tmp_path, *arguments),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob("*.npz")) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(run.pid, end)
        _, errors = run.communicate(timeout=300)
    before = state(tmp_path)
    shards = [name for name in before if name.endswith(".npz")]
    assert shards
    if end == signal.SIGINT and run.returncode:  # 0: it was already done
        assert run.returncode == 130
        assert "simulate.py: interrupted; the same command continues" in errors
    for name in shards:
        assert len(columns(tmp_path / name)["label"]) >= 8
    simulate(tmp_path, *arguments)
    after = state(tmp_path)
    assert list(after) == ["qcd-00000.npz", "qcd-00001.npz", "qcd-00002.npz"]
    assert all(after[name] == before[name] for name in shards)


@needs_pythia
def test_other_recipe_or_damaged_shard_is_refused(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    before = state(folder)
    message = simulate(folder, *SMALL[:-1], "5", fails=True).stderr
    assert "qcd-00000.npz was made with seed 4 instead of 5" in message
    assert "choose another output folder" in message
    assert state(folder) == before
    message = simulate(folder, *SMALL, "--mpi", "--pt", "500", "650", fails=True).stderr
    for difference in ("window (500.0, 800.0) instead of (455.0, 800.0)", "mpi False instead"):
        assert difference in message
    (folder / "top-00001.npz").write_bytes(before["top-00001.npz"][1][:-500])
    message = simulate(folder, *SMALL, fails=True).stderr
    assert "top-00001.npz is not a shard that this script wrote" in message
    assert len(message.splitlines()) == 1


# -------------------------------------------------------------------------------------- content


@needs_pythia
def test_shards_hold_what_the_recipe_says(finished: Path) -> None:
    events = []
    for code, name in enumerate(("qcd", "top")):
        for shard in range(2):
            arrays = columns(finished / f"{name}-{shard:05d}.npz")
            n = len(arrays["label"])
            assert 10 <= n <= 11  # the last event may give two
            assert (arrays["label"] == code).all()
            pt, eta, _, mass = arrays["jet"].T
            assert (pt >= 550).all() and (pt <= 650).all() and (np.abs(eta) < 2).all()  # noqa: PT018
            assert (mass >= 0).all()
            assert (np.diff(arrays["offsets"]) == arrays["multiplicity"]).all()
            assert arrays["offsets"][-1] == len(arrays["pt"]) == len(arrays["pid"])
            assert ((arrays["charge"] == 0) == np.isin(arrays["pid"], (1, 2))).all()
            assert np.hypot(arrays["deta"], arrays["dphi"]).max() < 1.2
            rising = np.diff(arrays["pt"]) > 0
            assert not rising[~np.isin(np.arange(1, len(arrays["pt"])), arrays["offsets"])].any()
            events.append(arrays["event"])
            metadata = json.loads(str(arrays["metadata"]))
            assert metadata["recipe"] == {
                "seed": 4, "window": [500.0, 800.0], "level": "detector", "shard_jets": 10,
                "jet_pt": [550.0, 650.0], "mpi": False, "shower": "monash",
            }  # fmt: skip
            assert {"pythia8mc", "fastjet"} <= set(metadata["packages"])
            assert metadata["command"].startswith("python examples/jets/simulate.py --out")
    sets = [set(e.tolist()) for e in events]
    assert len(set.union(*sets)) == sum(len(s) for s in sets)  # no event in two shards


@needs_pythia
def test_reader_gives_back_the_jets(finished: Path) -> None:
    jets = load_jets(finished, max_particles=150)
    arrays = [columns(path) for path in sorted(finished.glob("*.npz"))]
    axis = np.concatenate([a["jet"] for a in arrays])
    total = jets.momenta.double().sum(1).numpy()
    np.testing.assert_allclose(np.hypot(total[:, 0], total[:, 1]), axis[:, 0], rtol=1e-5)
    np.testing.assert_allclose(np.arctan2(total[:, 1], total[:, 0]), axis[:, 2], atol=1e-5)
    np.testing.assert_allclose(jets.observables[:, 0].numpy(), axis[:, 3], rtol=1e-3, atol=0.1)
    assert 140 < jets.observables[jets.labels == 1, 0].median() < 200


@needs_pythia
def test_table_and_plot_of_the_physics(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot = tmp_path / "physics.png"
    arguments = [str(finished), "--plot", str(plot), "--jets", "8"]
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "physics_table.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    table = {
        cells[1].strip(): [cell.strip() for cell in cells[2:4]]
        for line in done.stdout.splitlines()
        if line.startswith("|") and (cells := line.split("|"))
    }
    assert table["quantity"] == ["top", "qcd"]
    assert 20 <= int(table["jets"][0]) <= 22
    tau32 = [float(value) for value in table["tau32 median"]]
    assert 0 < tau32[0] < tau32[1] < 1  # tops are three-pronged
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("script", ["pack_sample.py", "physics_table.py"])
def test_steps_after_the_simulation_name_a_bad_folder(script: str, tmp_path: Path) -> None:
    pytest.importorskip("fastjet")
    for content, message in ((None, "holds no shards"), (b"PK", "a.npz is not a shard")):
        if content is not None:
            (tmp_path / "a.npz").write_bytes(content)
        extra = [str(tmp_path / "out")] if script == "pack_sample.py" else []
        done = subprocess.run(
            [sys.executable, str(EXAMPLE / script), str(tmp_path), *extra],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"{script}: ")
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1


# -------------------------------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jets", "0"], "--jets must be at least 1, got 0"),
        (["--workers", "-2"], "--workers must be at least 1, got -2"),
        (["--window", "800", "500"], "--window must be two numbers with 20 <= low < high"),
        (["--window", "nan", "500"], "--window must be two numbers with 20 <= low < high"),
        (["--seed", "-1"], "--seed must not be negative"),
        (["--pt", "650", "550"], "--pt must be two numbers with 20 <= low < high"),
        (["--classes", "tau"], "no class or set of classes 'tau': choose from qcd, top, gluon"),
        (["--shower", "none"], "invalid choice: 'none'"),
        (["--only", "3", "3"], "--only must be two numbers with 0 <= FIRST < STOP, got 3 3"),
        (["--jets", "many"], "invalid int value: 'many'"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str, tmp_path: Path) -> None:
    assert message in simulate(tmp_path / "out", *arguments, fails=True).stderr
    assert not (tmp_path / "out").exists()


@needs_pythia
def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    message = simulate(tmp_path / "file" / "out", *SMALL, fails=True).stderr
    assert message.startswith("simulate.py: cannot write to the folder")
    assert len(message.splitlines()) == 1


def test_file_in_the_place_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SystemExit):
        importlib.import_module("simulate")._make_folder(tmp_path / "file")
    message = capsys.readouterr().err
    assert message == (
        f"simulate.py: --out {tmp_path / 'file'} is not a folder: give a folder or a new name\n"
    )


@pytest.mark.parametrize("package", ["pythia8mc", "fastjet", "awkward"])
def test_missing_package(package: str, tmp_path: Path) -> None:
    code = (
        "import importlib.util, runpy, sys\n"
        "find = importlib.util.find_spec\n"
        f"hide = lambda name, *rest: None if name == {package!r} else find(name, *rest)\n"
        "importlib.util.find_spec = hide\n"
        f"sys.path.insert(0, {str(EXAMPLE)!r})\n"  # as when the script itself is run
        f"sys.argv = {command(tmp_path)[1:]!r}\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert package in done.stderr
    assert done.stderr.endswith("not found: install noneuclid[jets]\n")
    assert len(done.stderr.splitlines()) == 1
