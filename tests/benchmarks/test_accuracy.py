"""The accuracy benchmark: its page from few draws, its cells, and geoopt called on our numbers."""

import sys
from pathlib import Path

import pytest
import torch

import noneuclid as ne
from noneuclid.testing.cases import Cases
from noneuclid.testing.measured import Error

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def modules(monkeypatch):
    """Import the benchmark's modules, which lie beside each other and in no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import accuracy
    import accuracy_draws
    import accuracy_exact
    import accuracy_peers
    import accuracy_table

    yield accuracy, accuracy_draws, accuracy_exact, accuracy_peers, accuracy_table
    for name in [name for name in sys.modules if name.split("_")[0] == "accuracy"]:
        del sys.modules[name]


def row(draws, error, allowed=2.0, conditioned=False, peer=7.0, argument="", moved=0.0):
    return draws.Measured(
        "ball",
        "dist",
        torch.float32,
        "R to 2",
        Error(argument, error, allowed, conditioned, moved),
        peer,
        -1.0,
        4,
        1.0,
    )


def test_the_page_has_every_section_and_the_worst_errors(modules, monkeypatch):
    accuracy, draws, *_ = modules
    monkeypatch.setattr(accuracy, "checks", lambda: {"always": [], "never": ["here"]})
    monkeypatch.setattr(accuracy, "shells", lambda: [("ball", torch.float32, 1.0, 16.6, True)])
    measured = [
        row(draws, 0.25),
        row(draws, 1.5),
        row(draws, 9.0, argument="x", allowed=8.0, moved=3.0),
    ]
    zero = [row(draws, 0.5), row(draws, 0.5, argument="K")]
    lines = list(accuracy.page(measured, zero, draws=1, seed=0))
    assert "| `dist` | float32 | 2 | 1.5 / 7.0 |  |  |  |" in lines
    assert "| `dist` | float32 | 8 | **9.0** / 7.0 |  |  |  |" in lines
    broken = "| ball | `dist` | float32 | d/dx | 9.0 | 3.0 | 8.0 |"
    assert any(line.startswith(broken) for line in lines)
    assert "- always: yes" in lines
    assert "- never: **no**, here" in lines
    assert "| ball | float32 | 1 | 16.6 | yes |" in lines
    assert "| -1 | 0.5 | 6e-08 |" in "\n".join(lines)


def test_a_cell_tells_plain_conditioned_and_broken_draws_apart(modules):
    *_, draws, _, _, tables = modules
    plain, conditioned = row(draws, 1.0), row(draws, 30.0, 40.0, True, peer=1e9)
    assert tables.cell([plain]) == "1.0 / 7.0"
    assert tables.cell([plain, conditioned]) == "1.0\\* / 7.0"
    assert tables.cell([plain, row(draws, 0.5, peer=9.0), plain]) == "1.0 / 9.0"
    assert tables.cell([plain, row(draws, 3.0)]) == "**3.0** / 7.0"
    assert tables.cell([plain, row(draws, float("nan"))]) == "**inf** / 7.0"
    assert tables.cell([]) == ""


@pytest.mark.parametrize(
    ("manifold", "operation"),
    [
        (ne.PoincareBall(3, -2.0), "expmap"),
        (ne.PoincareBall(3, -2.0), "midpoint"),
        (ne.Lorentz(3, -2.0), "transp"),
        (ne.SphereProjection(3, 2.0), "mobius_add"),
        (ne.Sphere(3), "logmap"),
    ],
)
def test_the_peer_gets_our_numbers(modules, manifold, operation, generator):
    """At radius 1 in float64 geoopt is right to 2e-7, gradients too; a wrong call is not.

    (Its midpoint keeps denominators off 0 by constants.)
    """
    draws = modules[1]
    case = next(Cases(manifold, torch.float64, generator).of(operation, 1.0))
    errors = list(draws._errors("", operation, case, ""))
    assert len(errors) == 2 + len(case.call.arguments)
    for error in errors:
        is_sphere_in_k = isinstance(manifold, ne.Sphere) and error.ours.argument == "K"
        assert error.peer is None if is_sphere_in_k else error.peer < 1e9


def test_what_peers_lack_is_left_out(modules):
    peers = modules[3]
    assert peers.geoopt_operation(ne.Lorentz(2), "midpoint", torch.float32) is None
    assert peers.geoopt_operation(ne.Sphere(2, 4.0), "dist", torch.float32) is None
    assert peers.geoopt_operation(ne.Sphere(2), "expmap0", torch.float32) is None


def test_exact_statements_notice_a_failure(modules, monkeypatch):
    exact = modules[2]
    monkeypatch.setattr(exact, "MODELS", [(ne.Lorentz, -1.0)])
    monkeypatch.setattr(exact, "radii", lambda *_: [1.0])
    own = ne.Lorentz._dist2
    monkeypatch.setattr(ne.Lorentz, "_dist2", lambda self, x, y: own(self, x, y) + 1)
    failures = exact.checks()
    assert failures["`dist(x, x)` is 0 with a finite gradient"]
    assert not failures["`expmap(x, 0)` is `projx(x)`, bit for bit"]


def test_shells_are_where_the_table_of_the_library_says(modules):
    exact = modules[2]
    rows = exact.shells()
    assert all(never_nan for *_, never_nan in rows)
    reached = {(family, dtype): distance for family, dtype, _, distance, _ in rows}
    assert reached["ball", torch.float32] == pytest.approx(16.6, abs=0.7)
    assert reached["hyperboloid", torch.bfloat16] == pytest.approx(42.2, abs=0.2)
