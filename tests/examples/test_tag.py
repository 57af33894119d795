"""examples/jets/tag.py from end to end, on a few jets."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "jets" / "tag.py"
SAMPLE = SCRIPT.parent / "sample"
QUICK = ["--max-jets", "600", "--particles", "8", "--epochs", "1", "--seeds", "2", "--workers", "1",
         "--signature", "E", "H* x S*", "--parameters", "800"]  # fmt: skip


def tag(*args: str, cwd: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *args]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in (path, str(ROOT)) if p)}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env)


def test_short_run_and_its_repetition(tmp_path: Path) -> None:
    """The table, the numbers and the figures are there; a second run trains nothing again."""
    done = tag("--out", "out", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = done.stdout
    for word in ("accuracy", "AUC", "1/eB 50 %", "floor", "Euclidean MLP", "H* x S*", "+-"):
        assert word in table
    out = tmp_path / "out"
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert set(results["runs"]) == {"observables", "Euclidean MLP", "E", "H* x S*"}
    for runs in results["runs"].values():
        assert [run["seed"] for run in runs] == [0, 1]
        assert all(0 < run["auc"] <= 1 for run in runs)
        assert len(runs[0]["background_efficiency"]) == 100
    sizes = [
        runs[0]["parameters"] for name, runs in results["runs"].items() if name != "observables"
    ]
    assert max(sizes) - min(sizes) <= 0.04 * 800
    assert {p.name for p in out.glob("*.png")} == {"roc.png", "disk.png", "curvatures.png"}
    assert not [p for p in out.iterdir() if p.name.startswith(".")]

    stamps = {p.name: p.stat().st_mtime_ns for p in out.glob("*seed*.json")}
    (out / "E_seed1.json").write_text("{half", encoding="utf-8")
    again = tag("--out", "out", *QUICK, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "8 of 9 runs are in out already" in again.stdout
    changed = {n for n, stamp in stamps.items() if (out / n).stat().st_mtime_ns != stamp}
    assert changed == {"E_seed1.json"}
    rows = [line for line in table.splitlines() if line.startswith("H* x S*")]
    assert rows[0] in again.stdout


def test_without_matplotlib(tmp_path: Path) -> None:
    """Without matplotlib one sentence says what to install, and the table is there."""
    hook = "import importlib.util as u\nfind = u.find_spec\n"
    hook += "u.find_spec = lambda name, *a: None if name == 'matplotlib' else find(name, *a)\n"
    (tmp_path / "sitecustomize.py").write_text(hook, encoding="utf-8")
    quick = [*QUICK[:6], "--seeds", "1", "--signature", "E", "--parameters", "800"]
    done = tag("--out", "out", "--workers", "1", *quick, cwd=tmp_path, path=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "install noneuclid[viz]" in done.stderr
    assert "accuracy" in done.stdout
    assert not list((tmp_path / "out").glob("*.png"))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--signature", "Q"], "unknown manifold 'Q'"),
        (["--data", "nowhere.npz"], "cannot read jets"),
        (["--data", "broken.npz"], "cannot read jets"),
        (["--out", "file/out"], "cannot write to --out"),
        (["--out", "file"], "--out file is not a folder"),
        (["--epochs", "0"], "expected at least 1"),
        (["--lr=-1"], "expected a finite number above 0, got -1"),
        (["--lr", "nan"], "expected a finite number above 0, got nan"),
        (["--lr", "0"], "expected a finite number above 0, got 0"),
        (["--lr", "fast"], "expected a number, got 'fast'"),
        (["--max-jets", "1"], "both classes"),
    ],
)
def test_errors(
    args: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sentence, exit code 2, nothing written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 not really")
    (tmp_path / "file").write_text("", encoding="utf-8")
    given = args if "--out" in args else ["--out", "out", *args]
    limit = [] if "--max-jets" in args else ["--max-jets", "200"]
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT))["main"]([*given, *limit])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_results_of_other_jets_are_not_reused(tmp_path: Path) -> None:
    """A data set of the same name and counts is another one; a copy elsewhere is the same."""
    quick = ["--max-jets", "200", "--particles", "4", "--epochs", "1", "--seeds", "1",
             "--workers", "1", "--signature", "E", "--parameters", "800"]  # fmt: skip
    said = []
    for folder, swapped in (("a", False), ("b", True), ("c", True)):
        data = tmp_path / folder / "jets"
        data.mkdir(parents=True)
        for name, other in (("train", "test"), ("test", "train")):
            shutil.copy(SAMPLE / f"{other if swapped else name}.npz", data / f"{name}.npz")
        done = tag("--out", "out", "--data", str(data), *quick, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said.append("are in out already" in done.stdout)
    assert said == [False, False, True]


def test_sample_is_there() -> None:
    """The default data travels with the repository."""
    assert {path.stem for path in SAMPLE.glob("*.npz")} == {"train", "test"}
