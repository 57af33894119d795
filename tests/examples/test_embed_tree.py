"""examples/graphs/embed_tree.py from end to end, on a small tree."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "graphs" / "embed_tree.py"


def run(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env)


def test_short_run(tmp_path: Path) -> None:
    """The table, the figure and the numbers are there, and the disk beats chance."""
    options = ["--branching", "2", "--depth", "3", "--epochs", "25", "--out", "out"]
    done = run(*options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for word in ("mAP", "mean rank", "floor", "Euclidean plane", "Sarkar"):
        assert word in done.stdout
    assert (tmp_path / "out" / "tree.png").stat().st_size > 20_000
    report = json.loads((tmp_path / "out" / "tree.json").read_text("utf-8"))
    assert report["arguments"]["depth"] == 3
    rows = report["results"]
    assert rows["Sarkar's construction"]["mAP"] == 1
    assert rows["Poincare disk, distances"]["mAP"] > 0.8 > rows["floor: random points"]["mAP"]


def test_arguments_are_checked(tmp_path: Path) -> None:
    done = run("--branching", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert "branching" in done.stderr
