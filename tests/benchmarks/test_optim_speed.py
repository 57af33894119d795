"""The benchmark of optimizer steps: its rows and page from a tiny run, and its parts; no times."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ONE, MANY = "one tensor 100000 x 10", "200 tensors 32 x 16"


@pytest.fixture
def modules(monkeypatch):
    """Import the benchmark's modules, which lie beside each other and in no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    names = ["optim_speed", "optim_speed_measure", "optim_speed_page"]
    yield {name: importlib.import_module(name) for name in names}
    for name in [name for name in sys.modules if name.split("_")[0] in ("optim", "speed")]:
        del sys.modules[name]


def row_of(size, model, **ratios):
    spreads = {path: [ratio] * 3 for path, ratio in ratios.items()}
    return {
        "size": size, "model": model, "method": "Adam", "ratios": spreads, "faults": {},
        "twin_ratios": {"eager": [ratios.get("eager", 1.0)] * 3}, "seconds": 1e-3, "rounds": 5,
    }  # fmt: skip


def test_tiny_run_has_every_row_and_the_page(modules, tmp_path, monkeypatch):
    speed = modules["optim_speed"]
    processes = []

    def process(words, env, check):
        processes.append(env["NONEUCLID_NATIVE"])
        speed.main(words[2:])

    monkeypatch.setattr(speed.subprocess, "run", process)
    chosen = ["--models", "Sphere", "H x S x E", "--methods", "SGD", "Adam"]
    command = ["--quick", "--out", str(tmp_path), *chosen]
    speed.main(command)
    assert processes == ["0"]
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"]
    tables = [row for row in rows.values() if "sparse" not in row]
    assert len(tables) == 2 * 3 * 2
    for row in tables:
        assert not row["faults"]
        assert row["ratios"]["torch Adam"] == [1.0, 1.0, 1.0]
        assert {"twin", "eager"} <= set(row["ratios"])
        assert ("geoopt" in row["ratios"]) == (row["model"] != "plain")
    (table,) = [row["sparse"] for row in rows.values() if "sparse" in row]
    assert {cost["state"] for cost in table.values()} == {8 * 10 * 10_000 + 4, 8 * 10 * 10_000}
    page = (tmp_path / "optim_speed.md").read_text(encoding="utf-8")
    for word in ("# Speed of the optimizers", "H x S x E", "no C compiler", torch.__version__):
        assert word in page

    measured = []
    monkeypatch.setattr(speed, "measure", lambda *a: measured.append(a))
    speed.main(command)
    assert len(processes) == 2  # it looks for itself what is stored
    speed.main([*command[:3], "--stored"])
    assert len(processes) == 2
    assert not measured


def test_the_compiled_step_is_measured_last_and_on_manifolds_only(modules):
    speed = modules["optim_speed"]
    words = ["--models", "Sphere", "--methods", "SGD", "Adam", "--compiled", "Adam"]
    found = speed.jobs(speed.arguments(words), ["a"])
    assert found == [
        ("a", "Sphere", "SGD"),
        ("a", "Sphere", "Adam"),
        ("a", "plain", "SGD"),
        ("a", "plain", "Adam"),
        ("a", "Sphere", "Adam", "compiled"),
    ]


def test_a_compiled_step_takes_the_same_points(modules, monkeypatch):
    measure = modules["optim_speed_measure"]
    monkeypatch.setattr(torch, "compile", lambda step: ("compiled", step))
    kind, step = measure._step("compiled", "Sphere", measure.METHODS["Adam"], (2, 3, 4))
    (parameters,) = [group["params"] for group in step.__self__.param_groups]
    assert kind == "compiled"
    assert [tuple(p.shape) for p in parameters] == [(3, 4), (3, 4)]


def test_widths_are_those_of_the_tensors(modules):
    measure = modules["optim_speed_measure"]
    for name, (ours, _) in measure.MODELS.items():
        for width in (10, 16):
            assert ours(width).point_shape == (width,), name


def test_a_fault_is_a_result(modules, monkeypatch):
    measure = modules["optim_speed_measure"]
    monkeypatch.setattr(torch, "compile", lambda step: 1 / 0)
    effort = modules["optim_speed"].QUICK_EFFORT
    row = measure.measure("Sphere", "Adam", (1, 4, 4), ["compiled"], effort, measure.wall_seconds)
    assert row["faults"] == {"compiled": "ZeroDivisionError: division by zero"}
    assert set(row["ratios"]) == {"torch Adam", "twin"}


def test_misses_and_the_merged_rows(modules):
    page = modules["optim_speed_page"]
    key = f"{ONE} | Sphere | Adam"
    stored = {
        key: row_of(ONE, "Sphere", eager=2.6, geoopt=9.0),
        f"{key} | compiled": row_of(ONE, "Sphere", compiled=1.3),
        f"{MANY} | Sphere | Adam": row_of(MANY, "Sphere", eager=0.9),
        f"{MANY} | plain | Adam": row_of(MANY, "plain", eager=1.06),
        "tiny | plain | Adam": row_of("tiny", "plain", eager=2.0),
        "sparse 5": {"sparse": {}, "table": 5},
    }
    rows = page.merged(stored)
    assert len(rows) == 4
    assert set(rows[0]["ratios"]) == {"eager", "geoopt", "compiled"}
    found = [(row["model"], path, ratio, bar) for row, path, ratio, bar in page.misses(rows)]
    assert found == [
        ("Sphere", "eager", 2.6, 2.5),
        ("Sphere", "compiled", 1.3, 1.2),
        ("plain", "eager", 1.06, 1.05),
    ]


def test_memory_of_a_call_is_seen_and_given_back(modules):
    peak = modules["optim_speed_measure"].peak_bytes
    size = 2**26
    found = peak(lambda: torch.ones(size, dtype=torch.uint8))
    if found is None:
        pytest.skip("the system does not tell")
    assert 0.8 * size < found < 1.6 * size
    assert peak(lambda: None) < 0.2 * size
