"""The speed benchmark: every row and the page from a tiny run, and its parts; never a time."""

import contextlib
import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

from noneuclid import PoincareBall

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PARTS = ("bars", "clock", "libraries", "measure", "memory", "operations", "page")
TINY = ["--quick", "--sizes", "64x4", "--rounds", "1"]


@pytest.fixture
def modules(monkeypatch):
    """Import the benchmark's modules, which lie beside each other and in no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    names = ["speed", *(f"speed_{part}" for part in PARTS)]
    yield {name: importlib.import_module(name) for name in names}
    for name in [name for name in sys.modules if name.split("_")[0] == "speed"]:
        del sys.modules[name]


def results_of(folder):
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("models", "operations"),
    [
        (["Sphere"], ["dist", "exp", "egrad2rgrad", "mlr", "cdist"]),
        pytest.param(None, None, marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_tiny_run_has_every_row_and_the_page(
    modules, tmp_path, monkeypatch, capsys, models, operations
):
    chosen = ["--models", *models, "--operations", *operations] if models else []
    command = [*TINY, "--out", str(tmp_path), *chosen]
    modules["speed"].main(command)
    rows = results_of(tmp_path)["rows"]
    for model in models or modules["speed_libraries"].MODELS:
        have = {row["operation"] for row in rows.values() if row["model"] == model}
        wanted = set(operations or modules["speed_operations"].OPERATIONS)
        gyro = model in ("PoincareBall", "Stereographic")
        assert have == (wanted if gyro else wanted - {"mobius_add"})
    for key, row in rows.items():
        for phase in ("forward", "both"):
            assert {"Euclid", "native", "plain"} <= set(row[phase]), (key, row["faults"])
            assert row[phase]["Euclid"] == [1.0, 1.0, 1.0]
            assert all(low <= middle <= high for middle, low, high in row[phase].values())
    assert "geoopt" in rows["Sphere | dist | 64 x 4"]["both"]
    page = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert page.startswith("# Speed\n")
    said = {word for row in rows.values() for word in (row["model"], row["operation"])}
    for word in (*said, "speed.py --quick", torch.__version__, "geoopt"):
        assert word in page
    if importlib.util.find_spec("matplotlib"):
        assert (tmp_path / "speed.png").stat().st_size > 0

    capsys.readouterr()
    measured = []
    monkeypatch.setattr(modules["speed"], "measure", lambda *a: measured.append(a))
    modules["speed"].main(command)
    assert f"{len(rows)} of {len(rows)} rows" in capsys.readouterr().out
    assert not measured


def test_other_settings_are_measured_again(modules, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"settings": {"rounds": 1}, "rows": {"a": {}}}), encoding="utf-8")
    assert modules["speed"].stored(path, {"rounds": 1}) == {"a": {}}
    assert modules["speed"].stored(path, {"rounds": 2}) == {}
    path.write_text("{half", encoding="utf-8")
    assert modules["speed"].stored(path, {"rounds": 1}) == {}


@pytest.mark.parametrize("text", ["64", "64x", "8x4", "64x1"])
def test_a_bad_size_is_refused(modules, text, capsys):
    with pytest.raises(SystemExit):
        modules["speed"].arguments(["--sizes", text])
    assert "expected" in capsys.readouterr().err


def test_turns_rotate_and_contexts_surround_only_their_own(modules):
    clock, seen, inside = modules["speed_clock"], [], []

    @contextlib.contextmanager
    def around():
        inside.append(1)
        yield
        inside.pop()

    calls = {name: lambda name=name: seen.append((name, bool(inside))) for name in "abc"}
    effort = clock.Effort(rounds=3, least=3, turn=0.0)
    taken = clock.take_turns(calls, effort, lambda call, n: call() or 2.0 * n, {"b": around})
    order = "".join(name for name, _ in seen[-9:])
    assert order == "abcbcacab"
    assert {name for name, within in seen if within} == {"b"}
    assert all(within for name, within in seen if name == "b")
    assert taken == {name: [2.0] * 3 for name in "abc"}


def test_a_ratio_is_formed_in_each_round(modules):
    clock = modules["speed_clock"]
    found = clock.ratios({"one": [1.0, 10.0, 1.0], "two": [3.0, 30.0, 4.0]}, "one")
    assert found["two"] == (3.0, 3.0, 3.5)


def test_the_plain_path_runs_no_kernel(modules, monkeypatch):
    from noneuclid.numerics.native import call

    monkeypatch.delenv("NONEUCLID_NATIVE", raising=False)
    monkeypatch.setattr("noneuclid.numerics.formula.SMALLEST", 0)
    if call.compiler() is None:
        pytest.skip("no C compiler")
    runs, run = [], call._Kernel.__call__
    monkeypatch.setattr(call._Kernel, "__call__", lambda *a: runs.append(1) or run(*a))
    x = PoincareBall(4).random(64)
    runs.clear()
    with modules["speed_measure"].without_compiler():
        PoincareBall(4).dist(x, x)
    assert not runs
    PoincareBall(4).dist(x, x)
    assert runs


def test_kept_bytes_counts_each_storage_once_and_nothing_given(modules):
    x = torch.randn(10, 4, requires_grad=True)
    scale = torch.full((10, 1), 2.0)
    kept = modules["speed_memory"].kept_bytes
    assert kept(lambda: x * x, [x]) == 0
    assert kept(lambda: x.exp(), [x]) == 0  # its own result
    assert kept(lambda: x.exp().exp(), [x]) == 160  # the inner result
    assert kept(lambda: (x * scale).square() * scale, [x]) == 160 + 40
    assert kept(lambda: (x * scale).square() * scale, [x, scale]) == 160


def test_misses_and_what_the_page_says_of_them(modules, monkeypatch):
    bars = modules["speed_bars"]

    def row(operation, value, rows=65536, dim=32, model="Lorentz"):
        both = {"Euclid": [1.0] * 3, "native": [value] * 3}
        return {
            "model": model, "operation": operation, "rows": rows, "dim": dim, "both": both,
            "forward": both, "seconds": {"both": 1.0, "forward": 1.0}, "faults": {},
            "rounds": {"both": 3}, "kept": {"native": 4 * 8 * rows + 2000},
        }  # fmt: skip

    rows = [row("dist", 2.6), row("exp", 28.0), row("log", 9.9), row("inner", 99.0)]
    rows += [row("exp", 99.0, rows=1024, dim=16)]
    found = bars.misses(rows)
    assert [(m.operation, m.bar) for m in found] == [("exp", 14.0), ("dist", 2.5)]
    monkeypatch.setitem(bars.REASONS, ("native", "exp"), "because it is")
    settings = {"machine": "m", "system": "s", "python": "3", "noneuclid": "0", "versions": {}}
    stored = {"settings": settings, "rows": {str(i): row for i, row in enumerate(rows)}}
    page = modules["speed_page"].text(stored, "command")
    assert "exp on Lorentz: 28.0 instead of 14, 2.0 times the bar; because it is." in page
    assert "dist on Lorentz: 2.6 instead of 2.5" in page
    assert "| exp | 14 | **28.0** |" in page
    assert "| log | 10 | 9.9 |" in page
    assert "| dist | **4.0** |" in page  # kept: 2000 bytes more than four row scalars


@pytest.mark.parametrize("operation", ["dist", "exp", "log", "mobius_add", "transp", "midpoint"])
def test_the_peers_compute_the_same(modules, operation):
    libraries, operations = modules["speed_libraries"], modules["speed_operations"]
    model, chosen = libraries.MODELS["PoincareBall"], operations.OPERATIONS[operation]
    ours, generator = model.make(4), torch.Generator().manual_seed(0)
    given = operations.arguments(chosen, ours, 64, generator)
    peers = [libraries.geoopt_call(model, operation, chosen.method)]
    peers += [libraries.hypll_call(model, operation)]
    for call, _ in filter(None, peers):
        assert torch.allclose(call(*given), chosen.call(ours)(*given), rtol=1e-2, atol=1e-3)


def test_the_peers_logits_are_ours_up_to_a_factor(modules):
    libraries, operations = modules["speed_libraries"], modules["speed_operations"]
    model, chosen = libraries.MODELS["PoincareBall"], operations.OPERATIONS["mlr"]
    ours = model.make(4)
    x, normals, offsets = operations.arguments(chosen, ours, 32, torch.Generator().manual_seed(0))
    given = x, normals, torch.zeros_like(offsets)  # where the libraries place hyperplanes alike
    expected = chosen.call(ours)(*given)
    peers = [libraries.geoopt_call(model, "mlr", ""), libraries.hypll_call(model, "mlr")]
    for call, _ in filter(None, peers):
        ratio = call(*given) / expected
        assert torch.allclose(ratio, ratio.median(0).values.expand_as(ratio), rtol=1e-2)


def test_the_peers_pairs_are_ours(modules):
    libraries, operations = modules["speed_libraries"], modules["speed_operations"]
    model, chosen = libraries.MODELS["PoincareBall"], operations.OPERATIONS["cdist"]
    ours = model.make(4)
    given = operations.arguments(chosen, ours, 32, torch.Generator().manual_seed(0))
    expected = chosen.call(ours)(*given)
    peers = [libraries.geoopt_call(model, "cdist", "cdist"), libraries.hypll_call(model, "cdist")]
    for call, _ in filter(None, peers):
        assert torch.allclose(call(*given), expected, rtol=1e-2, atol=1e-2)


def test_the_page_names_the_command_that_makes_it(modules):
    speed = modules["speed"]
    assert speed.command(speed.arguments([])) == "python benchmarks/speed.py"
    given = ["--quick", "--sizes", "64x4", "128x8", "--models", "Sphere", "H16 x S4 x E32"]
    expected = (
        "python benchmarks/speed.py --quick --models Sphere 'H16 x S4 x E32' --sizes 64x4 128x8"
    )
    assert speed.command(speed.arguments(given)) == expected
