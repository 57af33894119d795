"""The jet benchmark: its grids, a tiny run that is stopped and goes on, its store and its page."""

import importlib
import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from noneuclid.metrics import accuracy, roc_auc

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "jets"
OWN = ("bars", "comparisons", "figures", "grid", "measure", "measured", "places", "report", "run",
       "store", "tables")  # fmt: skip
EXAMPLES = ("analysis", "taggers", "training")
GRID = """
[settings]
classes = ["qcd", "top"]
particles = 8
batch = 16
threads = 1
parameters = "1k"
[models]
pfn = { tagger = "pfn" }
flat = { tagger = "euclidean-mlp" }
three = { tagger = "routed-transformer" }
[[block]]
name = "5k"
models = ["pfn", "flat"]
seeds = 2
settings = { epochs = 1, cpu_seconds = 1000 }
scores = true
showers = true
[[block]]
name = "long"
models = ["pfn"]
seeds = 1
settings = { epochs = 2000 }
"""


@pytest.fixture
def modules(monkeypatch):
    """Import the benchmark's modules, which lie beside each other and in no package."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARK), *sys.path])
    importlib.import_module("places")
    yield {name: importlib.import_module(name) for name in OWN if name != "figures"}
    for name in [n for n in sys.modules if n.split(".")[0] in (*OWN, *EXAMPLES)]:
        del sys.modules[name]


@pytest.fixture
def data(tmp_path):
    """Jets to train on and to test, and those of another shower."""
    for seed, name in enumerate(("train", "test", "showers/other")):
        write_shard(tmp_path / "data" / name / "0.npz", seed)
    return tmp_path / "data"


def write_shard(path, seed, jets=96):
    """Write a shard of jets whose two classes differ in width."""
    rng = np.random.default_rng(seed)
    label, counts = np.arange(jets) % 2, rng.integers(4, 9, jets)
    width = np.repeat(0.05 + 0.15 * label, counts)
    pt = np.concatenate([np.sort(rng.exponential(60, n) + 1)[::-1] for n in counts])
    axis = np.tile([600.0, 0.5, 1.0, 90.0], (jets, 1))
    columns = {
        "label": label, "event": np.arange(jets) + 1000 * seed, "multiplicity": counts, "pt": pt,
        "offsets": np.concatenate([[0], np.cumsum(counts)]), "jet": axis,
        "deta": width * rng.normal(size=len(pt)), "dphi": width * rng.normal(size=len(pt)),
    }  # fmt: skip
    metadata = {"format": "noneuclid-jets", "version": 1, "classes": ["qcd", "top"]}
    path.parent.mkdir(parents=True)
    np.savez(path, metadata=np.array(json.dumps(metadata)), **columns)


@pytest.fixture
def words(data, tmp_path):
    """The command line of a tiny grid."""
    (tmp_path / "main.toml").write_text(GRID, encoding="utf-8")
    return ["--data", str(data), "--grids", str(tmp_path / "main.toml"),
            "--work", str(tmp_path / "work"), "--results", str(tmp_path / "results")]  # fmt: skip


# -- the grid --------------------------------------------------------------------------------------


def test_grids_name_known_settings_and_taggers(modules):
    """Every run of the benchmark is one that train.py takes; the most telling come first."""
    settings = importlib.import_module("training.settings")
    taggers = importlib.import_module("taggers")
    runs = modules["grid"].read_grids(list(modules["grid"].ORDER))
    assert len({run.name for run in runs}) == len(runs)
    for run in runs:
        chosen = settings.settings_of(run.settings)
        known = taggers.options_of(chosen.model.tagger)
        assert {*chosen.model.options} <= {*known}
        assert chosen.model.signature is None or "signature" in known
        assert chosen.training.seed == run.seed
    first = [run.name for run in runs[:13]]
    assert first[0] == "main/1k/pm-transformer/0"
    assert first[12] == "main/1k/pm-transformer/1"
    limits = {run.block: run.settings["cpu_seconds"] for run in runs if run.grid == "main"}
    assert [*limits] == ["1k", "5k", "45k"]
    ablations = [run for run in runs if run.grid == "ablations"]
    assert max(run.settings["cpu_seconds"] for run in ablations) <= 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[models]", "[model]"), "has 'model', known are block, models, settings"),
        (('models = ["pfn"]', 'models = ["part"]'), "has 'part', known are flat, pfn, three"),
        (('name = "long"', 'name = "5k"'), "two runs have the name main/5k/pfn/0"),
    ],
)
def test_grid_says_what_is_wrong(modules, tmp_path, change, message):
    path = tmp_path / "main.toml"
    path.write_text(GRID.replace(*change), encoding="utf-8")
    with pytest.raises(modules["grid"].GridError, match=message):
        modules["grid"].read_grid(path)
    with pytest.raises(modules["grid"].GridError, match="no grid 'other': give a path, or one of"):
        modules["grid"].read_grids(["other"])


def test_parts_share_the_runs(modules, words, capsys):
    def listed(*more):
        assert modules["run"].main([*words, "--list", *more]) == 0
        return {line.split()[2] for line in capsys.readouterr().out.splitlines()[:-1]}

    one, other = listed("--part", "0", "2"), listed("--part", "1", "2")
    assert not one & other
    assert len(one | other) == 5
    assert listed("--only", "*/pfn/0") == {"main/5k/pfn/0:", "main/long/pfn/0:"}
    assert modules["run"].main([*words, "--list", "--only", "*/pfn/7"]) == 2


# -- the runs --------------------------------------------------------------------------------------


def test_run_stops_goes_on_and_skips(modules, words, tmp_path, monkeypatch):
    """The budget ends a training between two steps; the same command goes on from there."""
    run, results = modules["run"], tmp_path / "results"
    loop = importlib.import_module("training.loop")
    step = loop.Trainer._step

    def counted(self, batches):
        if self.settings.epochs == 2000 and self.step == 5:
            signal.raise_signal(signal.SIGALRM)  # as the budget's clock does
        return step(self, batches)

    monkeypatch.setattr(loop.Trainer, "_step", counted)
    assert run.main([*words, "--only", "main/5k/*/0", "main/long/*"]) == 0
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    assert {p.relative_to(results).as_posix() for p in results.rglob("*.json")} == {
        "main/5k/pfn/0.json", "main/5k/flat/0.json"
    }  # fmt: skip
    checkpoint = importlib.import_module("training.checkpoint")
    last = checkpoint.load(tmp_path / "work" / "main" / "long" / "pfn" / "0" / "last.pt")
    assert last["progress"][0]["step"] == 6
    before = (results / "main/5k/pfn/0.json").stat().st_mtime_ns
    monkeypatch.setattr(loop.Trainer, "finished", property(lambda self: len(self.history) >= 2))
    assert run.main([*words, "--only", "*/0"]) == 0
    assert (results / "main/5k/pfn/0.json").stat().st_mtime_ns == before
    stored = json.loads((results / "main/long/pfn/0.json").read_text(encoding="utf-8"))
    assert stored["steps"] > 6
    (results / "main/long/pfn/0.json").unlink()
    monkeypatch.setattr(loop.Trainer, "_step", None)  # nothing is trained again
    assert run.main([*words, "--only", "main/long/*"]) == 0
    again = json.loads((results / "main/long/pfn/0.json").read_text(encoding="utf-8"))
    assert again["test"] == stored["test"]
    assert not list(results.rglob(".*"))


def test_budget_of_nothing_starts_nothing(modules, words, tmp_path):
    assert modules["run"].main([*words, "--budget", "0"]) == 0
    assert not list((tmp_path / "results").rglob("*/*.json"))


def test_diverged_run_is_a_result(modules, words, tmp_path, monkeypatch, capsys):
    loop = importlib.import_module("training.loop")

    def diverged(self, batches):
        raise loop.DivergenceError("the loss is nan at step 1")

    monkeypatch.setattr(loop.Trainer, "_step", diverged)
    assert modules["run"].main([*words, "--only", "main/5k/pfn/0"]) == 1
    assert "main/5k/pfn/0: the loss is nan" in capsys.readouterr().err
    runs = modules["grid"].read_grids([words[3]])
    measured = modules["measured"].Measured(tmp_path / "results", runs)
    assert measured.failures == {"main/5k/pfn/0": "the loss is nan at step 1"}
    assert not measured.found


# -- what is kept ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_stored_scores_have_the_metrics(modules, scale):
    """Whatever the width of the scores: the same accuracy, the AUC to 2e-5; small on the disk."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 30_000)
    scores = scale * (rng.normal(size=30_000) + 2 * labels - 1)
    store = modules["store"]
    again = store.unpacked(store.packed(scores))
    assert accuracy(labels, again, threshold=0) == accuracy(labels, scores, threshold=0)
    assert abs(roc_auc(labels, again) - roc_auc(labels, scores)) < 2e-5


def test_scores_take_little_space(modules, tmp_path):
    scores = 4 * np.random.default_rng(0).normal(size=30_000)
    modules["store"].write_arrays(tmp_path / "a.npz", modules["store"].packed(scores))
    assert (tmp_path / "a.npz").stat().st_size < 45_000


@pytest.mark.slow
def test_choices_of_jets_are_kept(modules, words, tmp_path):
    """The gates of a routed tagger, in the order of its scores."""
    grid = tmp_path / "main.toml"
    text = (
        GRID
        + """
[[block]]
name = "chosen"
models = ["three"]
seeds = 1
settings = { epochs = 1 }
scores = true
"""
    )
    grid.write_text(text, encoding="utf-8")
    assert modules["run"].main([*words, "--only", "main/chosen/*"]) == 0
    stored = modules["store"].read_arrays(tmp_path / "results" / "main/chosen/three/0.npz")
    assert stored["gates"].shape == (96, 3)
    assert np.abs(stored["gates"].sum(1, dtype=int) - 255).max() <= 2
    row = json.loads((tmp_path / "results" / "main/chosen/three/0.json").read_text("utf-8"))
    K = np.array([value for name, value in row["curvatures"].items() if "expert" in name])
    expected = stored["gates"] / 255 @ K
    assert np.abs(stored["mean_curvature"] - expected).max() < 0.02


# -- the page --------------------------------------------------------------------------------------

JETS = 1200


def invented(seed, auc, **more):
    """Return what a run would have stored."""
    return {
        "settings": {"seed": seed, "batch": 256, "signature": None, "options": {}},
        "parameters": 1000, "jets": {"train": 60_000}, "cpu_seconds": 90.0, "passes": 2.0,
        "jets_per_cpu_second": 1000.0, "cpu_seconds_in_all": 100.0, "showers": {},
        "test": {"auc": auc, "accuracy": 0.9, "rejection_50": [40.0, 9]}, "curvatures": {},
        "history": {"cpu_seconds": [45.0, 90.0], "validation_auc": [0.93, 0.94]}, "test_jets": 7,
        "made_with": {"machine": "a machine", "torch": "2"}, **more,
    }  # fmt: skip


@pytest.fixture
def measured(modules, tmp_path):
    """Invented results: a PM-Transformer right of all jets of high delta, else two thirds."""
    store, rng = modules["store"], np.random.default_rng(0)
    labels, delta = np.arange(JETS) % 2, rng.permutation(JETS) / JETS
    truth = 2.0 * labels - 1
    columns = {"multiplicity": rng.integers(20, 90, JETS), "pt": rng.uniform(550, 650, JETS)}
    tmp_path.mkdir(exist_ok=True)
    store.write_arrays(tmp_path / store.JETS, {
        "labels": labels.astype(np.uint8), "delta": delta.astype(np.float16),
        "identity": np.array(7), **{k: v.astype(np.float16) for k, v in columns.items()},
    })  # fmt: skip
    worse = truth * np.where(np.arange(JETS) // 2 % 3, 1, -1) + 0.1 * rng.normal(size=JETS)
    better = np.where(delta > 0.5, truth + 0.1 * rng.normal(size=JETS), worse)
    models = {
        "pm-transformer": (better, 0.93), "euclidean-transformer": (worse, 0.9),
        "part": (worse, 0.91), "pm-transformer-s": (worse, 0.8),
    }  # fmt: skip
    for model, (scores, auc) in models.items():
        for seed in range(3):
            row = invented(seed, auc + 0.001 * seed)
            noise = 0.05 * rng.normal(size=JETS)
            store.write_run(tmp_path, f"main/1k/{model}/{seed}",
                            {"name": f"main/1k/{model}/{seed}", **row},
                            store.packed(scores + noise))  # fmt: skip
    K = {"K expert 1": -1.5, "K expert 2": 0.5}
    weights = np.stack([1 - delta, delta], axis=1)
    store.write_run(
        tmp_path, "routed/5k/two/0",
        {"name": "routed/5k/two/0", **invented(0, 0.9, curvatures=K)},
        {"gates": (255 * weights).astype(np.uint8),
         "mean_curvature": (weights @ [-1.5, 0.5]).astype(np.float16)},
    )  # fmt: skip
    runs = modules["grid"].read_grids(["main", "routed"])
    return modules["measured"].Measured(tmp_path, runs)


def test_comparisons_find_who_is_better(modules, measured):
    found = modules["comparisons"].compare(measured, "main", "1k", resamples=60)
    named = {(each.one, each.other): each for each in found}
    verdict = modules["tables"].verdict
    curved = named["pm-transformer", "euclidean-transformer"]
    assert verdict(curved) == "better"
    assert curved.paired.value > 0.1
    assert curved.welch[0] == pytest.approx(0.03)
    assert curved.welch[1] == pytest.approx(0.001 * (2 / 3) ** 0.5)
    flat = named["pm-transformer-s", "euclidean-transformer"]
    assert flat.welch[0] == pytest.approx(-0.1)
    assert verdict(flat) == "not told apart"  # the scores are alike, whatever the means say


def test_bins_and_choices_are_those_of_the_jets(modules, measured):
    bins = modules["comparisons"].in_bins(measured, "1k", "delta", True, 40)
    values = [each.difference.value for each in bins]
    assert values == pytest.approx([0, 0, 1 / 6, 1 / 3, 1 / 3], abs=0.1)
    (chosen,) = modules["comparisons"].choices(measured, "5k", resamples=20)
    assert chosen.plain.value == pytest.approx(1, abs=1e-3)
    assert chosen.curvatures == [-1.5, 0.5]
    assert chosen.load == pytest.approx([0.5, 0.5], abs=0.01)


def test_bars_say_what_was_asked(modules, measured):
    found = {"main 1k": modules["comparisons"].compare(measured, "main", "1k", resamples=60)}
    found["main 45k"] = found["main 1k"]
    rows = {asked: verdict for asked, _, verdict in
            modules["bars"].bars(measured, ("1k", "5k", "45k"), found)}  # fmt: skip
    assert rows["45k: AUC of PM-Transformer not below ParT's, equal seconds"] == "met: above"
    assert rows["45k: AUC of PM-Transformer not below ParT's, equal epochs"] == "not measured yet"
    assert rows["1k: with spheres within 1% of the flat twin, no collapse"] == "missed"
    assert rows["1k: PM-Transformer trains at 0.6 of ParT's pace or faster"] == "met"
    better = "1k: PM-Transformer, H* x E over transformer, flat by two standard errors, equal "
    assert (rows[better + "seconds"], rows[better + "epochs"]) == ("met", "not measured yet")


def test_page_shows_what_there_is(modules, words, tmp_path):
    pytest.importorskip("matplotlib")
    assert modules["run"].main([*words, "--only", "main/5k/*"]) == 0
    runs = modules["grid"].read_grids([words[3]])
    measured = modules["measured"].Measured(tmp_path / "results", runs)
    row = measured.of("main", "5k", "pfn")[1]
    assert measured.scores("main", "5k", "flat").shape == (2, 96)
    assert row["passes"] == 1
    assert abs(row["parameters"] - 1000) <= 20
    page = tmp_path / "page" / "jets.md"
    modules["report"].main(["--results", words[7], "--grids", words[3], "--page", str(page),
                            "--resamples", "20"])  # fmt: skip
    text = page.read_text(encoding="utf-8")
    own = measured.values("main", "5k", "pfn", "auc")
    assert f"{own.mean():.4f} ± {own.std(ddof=1):.4f}" in text
    assert "| AUC | other | change / 1e-4 |" in text
    assert "| main | 5 | 4 | 0 |" in text
    assert text.count("Not measured yet.") >= 5
    assert "{{" not in text
    assert (page.parent / "figures" / "jets_courses.png").stat().st_size > 1000


def test_jets_of_another_order_are_not_compared(modules, words, tmp_path):
    assert modules["run"].main([*words, "--only", "main/5k/pfn/0"]) == 0
    runs = modules["grid"].read_grids([words[3]])
    path = tmp_path / "results" / "main/5k/pfn/0.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    measured = modules["measured"].Measured(tmp_path / "results", runs)
    assert measured.scores("main", "5k", "pfn").shape == (1, 96)
    path.write_text(json.dumps(stored | {"test_jets": 1}), encoding="utf-8")
    measured = modules["measured"].Measured(tmp_path / "results", runs)
    assert measured.scores("main", "5k", "pfn") is None
