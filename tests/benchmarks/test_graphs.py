"""The grid of the graph benchmarks: what is run next, what is kept, and the page; no scores."""

import importlib
import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch_geometric")
pytest.importorskip("sklearn")
FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "graphs"
NAMES = [path.stem for path in FOLDER.glob("*.py")]
GRID = """
order = 1
title = "Links"
task = "floors of links"
seeds = 2
[[data]]
name = "airports"
options = { graph = { shipped = "us_airports" } }
[tune]
"recipe.lr" = [0.1, 0.2]
[models.degree]
options = { floors = ["preferential*"] }
"""


@pytest.fixture
def load(monkeypatch):
    """Return a function that imports a script of the folder, whose names are common ones."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module
    for name in NAMES:
        sys.modules.pop(name, None)


def test_every_combination_then_every_seed_of_the_best(load, tmp_path):
    runs = load("runs")
    (tmp_path / "links.toml").write_text(GRID)
    (entry,) = runs.entries("links", runs.tables(tmp_path)["links"])
    assert [choice["recipe"]["lr"] for choice in entry.choices] == [0.1, 0.2]
    left = runs.missing(tmp_path, entry)
    assert [(run.choice, run.seed) for run in left] == [(0, 0), (1, 0)]
    for run, score in zip(left, (0.3, 0.6), strict=True):
        runs.store(tmp_path, run, {"result": {"validation": score}})
    assert [(run.choice, run.seed) for run in runs.missing(tmp_path, entry)] == [(1, 1)]
    assert not list(tmp_path.rglob("*.part"))


def test_results_of_other_options_are_not_taken(load, tmp_path):
    runs = load("runs")
    (tmp_path / "links.toml").write_text(GRID)
    (entry,) = runs.entries("links", runs.tables(tmp_path)["links"])
    runs.store(tmp_path, entry.run(0, 0), {"result": {}})
    (tmp_path / "links.toml").write_text(GRID.replace("0.1", "0.5"))
    (changed,) = runs.entries("links", runs.tables(tmp_path)["links"])
    assert runs.stored(tmp_path, entry.run(0, 0)) is not None
    assert runs.stored(tmp_path, changed.run(0, 0)) is None


def test_more_than_ten_combinations_are_refused(load, tmp_path):
    runs = load("runs")
    (tmp_path / "links.toml").write_text(GRID.replace("[0.1, 0.2]", str(list(range(11)))))
    with pytest.raises(ValueError, match="11 combinations"):
        list(runs.entries("links", runs.tables(tmp_path)["links"]))


def test_the_grid_of_the_project_can_be_read(load):
    runs, tasks = load("runs"), load("tasks")
    found = [e for table, grid in runs.tables().items() for e in runs.entries(table, grid)]
    assert {entry.table for entry in found} >= {"distortion", "links", "nodes", "wordnet"}
    assert all(entry.task in tasks.TASKS for entry in found)


def test_a_run_is_stored_once_and_shown_on_the_page(load, tmp_path, monkeypatch):
    run, report = load("run"), load("report")
    monkeypatch.setattr(report, "draw", lambda found, path: False)
    (tmp_path / "links.toml").write_text(GRID)
    words = ["--grid", str(tmp_path), "--out", str(tmp_path / "runs")]
    run.main(words)
    files = sorted((tmp_path / "runs").rglob("*.json"))
    assert [path.name for path in files] == [
        "degree-0-0.json", "degree-0-1.json", "degree-1-0.json",
    ]  # fmt: skip
    times = [path.stat().st_mtime_ns for path in files]
    run.main(words)
    assert [path.stat().st_mtime_ns for path in files] == times
    page, kept = tmp_path / "page.md", tmp_path / "graphs.json"
    where = ["--page", str(page), "--json", str(kept)]
    report.main(["--grid", str(tmp_path), "--runs", str(tmp_path / "runs"), *where])
    text = page.read_text()
    assert "| floor: preferential attachment | **9" in text
    assert json.loads(kept.read_text())["links"]["graphs"]["airports"]["degree"]["choices"] == 2
    page.unlink()
    report.main(["--from", str(kept), "--page", str(page)])
    assert page.read_text() == text


def test_an_embedding_goes_on_from_its_state(load, tmp_path):
    place, embeddings = load("place"), load("embeddings")
    options = {
        "graph": {"shipped": "us_airports"},
        "signature": "H2* x E1",
        "epochs": 3,
        "embedding": {"rows": 352},
    }
    there = place.Place(None, None, tmp_path / "whole.state")
    whole = embeddings.distances(options, 0, there)
    over = place.Place(None, None, tmp_path / "cut.state", end=0.0)
    for _ in range(2):
        with pytest.raises(place.OutOfTime):
            embeddings.distances(options, 0, over)
    assert embeddings.distances(options, 0, over)["losses"] == whole["losses"]
