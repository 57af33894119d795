"""The convergence benchmark: a tiny run, its problems' answers, its counts and its verdicts."""

import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PARTS = ("figure", "methods", "page", "problems", "run", "tree")
SPHERE = "Frechet mean, S^8"


@pytest.fixture
def modules(monkeypatch):
    """Import the benchmark's modules, which lie beside each other and in no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("NONEUCLID_NATIVE", "0")  # nothing here is worth a C compiler
    names = ["optim", *(f"optim_{part}" for part in PARTS)]
    yield {name: importlib.import_module(name) for name in names}
    for name in [name for name in sys.modules if name.split("_")[0] in ("optim", "speed")]:
        del sys.modules[name]


def run_of(gap, norm=0.0, reached=None):
    return {
        "gap": gap, "norm": norm, "reached": {"1e-06": reached, "1e-12": reached}, "fault": "",
        "evaluations": 9, "steps": 8, "seconds": 0.5, "trace": [[1, 1.0]],
    }  # fmt: skip


def row_of(*runs, rate=None, lacks=""):
    return {"runs": list(runs), "rate": rate, "tried": {}, "lacks": lacks}


def test_tiny_run_has_every_row_and_the_page(modules, tmp_path, monkeypatch):
    methods = ["SGD", "SGD, induced, xi = 0", "L-BFGS", "trust region", "geoopt Adam"]
    words = ["--quick", "--problems", SPHERE, "--steps", "3", "--out", str(tmp_path)]
    command = [*words, "--methods", *methods]
    monkeypatch.setattr(modules["optim"], "RATES", (0.1, 1.0))
    modules["optim"].main(command)
    stored = json.loads((tmp_path / "Frechet-mean-S-8.json").read_text(encoding="utf-8"))
    rows = stored["rows"]
    assert set(rows) == set(methods)
    assert rows["SGD"]["rate"] == 1.0  # the curvature of the loss is 0.9: 0.1 is too slow
    assert rows["SGD"]["tried"]["1.0"] < 1e-2 < rows["SGD"]["tried"]["0.1"]
    ablation, plain = rows["SGD, induced, xi = 0"]["runs"][0], rows["SGD"]["runs"][0]
    assert ablation["trace"] == plain["trace"]
    (run,) = rows["L-BFGS"]["runs"]
    assert abs(run["gap"]) < 1e-12
    assert run["norm"] < 1e-7
    assert run["reached"]["1e-06"][0] < run["reached"]["1e-12"][0] <= run["evaluations"]
    page = (tmp_path / "optim.md").read_text(encoding="utf-8")
    for word in (*methods, SPHERE, "optim.py --quick", torch.__version__, "ends at a gap of"):
        assert word in page
    if importlib.util.find_spec("matplotlib"):
        assert (tmp_path / "optim.png").stat().st_size > 0
        assert "](optim.png)" in page

    measured = []
    monkeypatch.setattr(modules["optim"], "measure", lambda *a: measured.append(a))
    modules["optim"].main(command)
    modules["optim"].main([*words, "--stored"])
    assert not measured


@pytest.mark.parametrize(
    "number",
    [0, 1, 2, 3, 4, pytest.param(5, marks=pytest.mark.slow), 6],
    ids=["rayleigh", "lorentz", "ball", "sphere", "procrustes", "tree", "spd"],
)
def test_no_value_lies_below_the_known_least_and_descent_ends_there(modules, number):
    name = list(modules["optim_problems"].PROBLEMS)[number]
    problem = modules["optim_problems"].PROBLEMS[name](3)
    method = modules["optim_methods"].METHODS["L-BFGS"]
    result = modules["optim_run"].descend(problem, method, None, 0)
    assert not result["fault"]
    assert abs(result["gap"]) < 1e-12
    assert result["trace"][0][1] > 0.1


def test_the_length_of_a_path_is_its_number_of_edges(modules):
    length = modules["optim_tree"]._length
    assert [length(1, 2), length(4, 5), length(8, 15), length(7, 7), length(2, 9)] == [
        1, 2, 6, 0, 2,
    ]  # fmt: skip


def test_least_of_the_tree_is_found_by_torch_in_other_coordinates(modules):
    tree = modules["optim_tree"]
    assert tree.descend(tree.layout(tree.SEED)) == pytest.approx(tree.LEAST, rel=1e-10)


def test_products_with_the_hessian_count_and_the_first_gradient_does_not(modules):
    problem = modules["optim_problems"].PROBLEMS[SPHERE](0)
    recorder = modules["optim_run"].Recorder(problem)
    x = problem.start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(recorder.loss(x), x, create_graph=True)
    assert recorder.evaluations == 1
    for count in (2, 3):
        torch.autograd.grad(gradient, x, torch.ones_like(x), retain_graph=True)
        assert recorder.evaluations == count
    with torch.no_grad():
        recorder.loss(x)
    assert recorder.evaluations == 4
    assert len(recorder.trace) == 1  # the same value is no progress


def test_a_fault_is_a_result(modules):
    problem = modules["optim_problems"].PROBLEMS[SPHERE](0)

    def broken(parameters, lr):
        raise ValueError("no such thing")

    method = modules["optim_methods"].Method("noneuclid", broken, descends=True)
    result = modules["optim_run"].descend(problem, method, 0.1, 3)
    assert result["fault"] == "ValueError: no such thing"
    assert math.isnan(result["gap"])


def test_a_rate_that_ends_well_comes_before_a_lucky_one(modules):
    rank = modules["optim"]._rank
    slow, quick = run_of(1e-9, reached=(50, 50)), run_of(1e-7, reached=(20, 20))
    passing, bad, lost = run_of(1e-3, reached=(5, 5)), run_of(1e-2), run_of(math.nan)
    assert sorted([lost, bad, passing, slow, quick], key=rank) == [quick, slow, passing, bad, lost]


def test_what_is_missed_and_what_the_page_says_of_it(modules):
    page = modules["optim_page"]
    rows = {
        SPHERE: {
            "SGD": row_of(run_of(2e-6), run_of(1e-9), run_of(3e-6), rate=0.1),
            "Adam": row_of(run_of(1e-7, reached=(40, 40)), rate=0.1),
            "L-BFGS": row_of(run_of(1e-13, 2e-7, reached=(7, 5))),
            "geoopt Adam": row_of(run_of(1.0), rate=0.1),
            "pymanopt CG": row_of(lacks="it cannot"),
        }
    }
    assert list(page.misses(rows)) == [
        (SPHERE, "SGD", "ends at a gap of 2.0e-06 instead of 1e-06"),
        (SPHERE, "L-BFGS", "ends at a gradient of 2.0e-07 instead of 1e-07"),
    ]
    settings = {
        "machine": "m", "system": "s", "python": "3", "noneuclid": "0", "versions": {},
        "rates": [0.1], "seeds": 3,
    }  # fmt: skip
    text = page.text({"settings": settings, "rows": rows}, "command", None)
    assert "| SGD | 0.1 | - | - | **2.0e-06** | 0.0e+00 | 9 | 0.50 |" in text
    assert "| L-BFGS |  | 5 / 7 | 5 / 7 | 1.0e-13 | **2.0e-07** | 9 | 0.50 |" in text
    assert "- pymanopt CG: it cannot." in text
    assert "1 of 3 pairs" in text
