"""examples/jets/train.py on tiny shards: what it writes, refuses, and how it goes on."""

import importlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--particles", "8", "--batch", "16", "--parameters", "1k", "--threads", "1"]
ATTENTIVE = ["--tagger", "pm-transformer", "--signature", "H* x E", "--option", "dropout=0.1"]
LONG = [*QUICK, "--tagger", "pfn", "--epochs", "60", "--checkpoint-every", "7", "--ema", "0.9"]


@pytest.fixture
def training(jets_example: Path) -> Any:
    return importlib.import_module("training")


@pytest.fixture
def shards(write_shard: Any, tmp_path: Path) -> Path:
    """A folder of 192 jets in two shards."""
    for number in range(2):
        write_shard(tmp_path / "jets" / f"{number}.npz", seed=number)
    return tmp_path / "jets"


def train(*arguments: object) -> dict[str, Any]:
    """Train in this process."""
    settings, run = (importlib.import_module(f"training.{name}") for name in ("settings", "run"))
    return run.run(settings.parse([str(argument) for argument in arguments]))


def weights(folder: Path, name: str = "last.pt") -> dict[str, torch.Tensor]:
    state = torch.load(folder / name, weights_only=True)
    average = {} if state["average"] is None else state["average"]
    return {f"{part} {k}": v for part, own in (("model", state["model"]), ("average", average))
            for k, v in own.items()}  # fmt: skip


def assert_same_weights(one: Path, other: Path) -> None:
    mine, theirs = weights(one), weights(other)
    assert mine.keys() == theirs.keys()
    assert [k for k in mine if not torch.equal(mine[k], theirs[k])] == []


# -- going on --------------------------------------------------------------------------------------


def test_stopped_run_goes_on_bit_for_bit(
    training: Any, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM in the middle of an epoch, of a step of two batches, with dropout and average."""
    loop, run = (importlib.import_module(f"training.{name}") for name in ("loop", "run"))
    common = [*QUICK, *ATTENTIVE, "--data", shards, "--epochs", "2", "--accumulate", "2",
              "--ema", "0.9", "--patience", "5", "--clip", "0.5"]  # fmt: skip
    train(*common, "--out", tmp_path / "whole")
    step = loop.Trainer._step

    def interrupted(self: Any, batches: Any) -> float:
        if self.step == 6:
            signal.raise_signal(signal.SIGTERM)
        return step(self, batches)

    monkeypatch.setattr(loop.Trainer, "_step", interrupted)
    with pytest.raises(run.StoppedError, match="SIGTERM") as error:
        train(*common, "--out", tmp_path / "stopped")
    assert error.value.status == 143
    state = torch.load(tmp_path / "stopped" / "last.pt", weights_only=True)
    assert state["loader"]["batches"] == 4  # of 10: five steps, then one and this one
    monkeypatch.setattr(loop.Trainer, "_step", step)
    results = train(*common, "--out", tmp_path / "stopped")
    assert_same_weights(tmp_path / "whole", tmp_path / "stopped")
    whole = json.loads((tmp_path / "whole" / "results.json").read_text(encoding="utf-8"))
    assert results["test"] == whole["test"]
    assert [r["train_loss"] for r in results["history"]] == [
        r["train_loss"] for r in whole["history"]
    ]


def test_killed_run_goes_on_bit_for_bit(training: Any, shards: Path, tmp_path: Path) -> None:
    """SIGKILL at any moment leaves a whole checkpoint."""
    command = [sys.executable, str(ROOT / "examples" / "jets" / "train.py"), *LONG]
    command += ["--data", str(shards), "--out", str(tmp_path / "killed")]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env
    ) as run:
        deadline = time.monotonic() + 300
        while not (tmp_path / "killed" / "last.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        run.kill()
    checkpoint = importlib.import_module("training.checkpoint")
    done = checkpoint.load(tmp_path / "killed" / "last.pt")["progress"][0]["step"]
    assert 0 < done < 60 * 10
    train(*LONG, "--data", shards, "--out", tmp_path / "killed")
    train(*LONG, "--data", shards, "--out", tmp_path / "whole")
    assert_same_weights(tmp_path / "whole", tmp_path / "killed")
    assert not list((tmp_path / "killed").glob(".*"))


def test_other_settings_do_not_go_on(training: Any, shards: Path, tmp_path: Path) -> None:
    settings = importlib.import_module("training.settings")
    common = [*QUICK, "--tagger", "pfn", "--epochs", "1", "--data", shards, "--out", tmp_path / "o"]
    first = train(*common)
    with pytest.raises(settings.SettingsError, match=r"seed=0, now it is 3: .* --overwrite"):
        train(*common, "--seed", "3")
    assert train(*common)["test"] == first["test"]  # finished: nothing is trained
    assert train(*common, "--seed", "3", "--overwrite")["test"] != first["test"]
    (tmp_path / "o" / "last.pt").write_bytes(b"half")
    with pytest.raises(settings.SettingsError, match="damaged or no checkpoint: delete it"):
        train(*common)


@pytest.mark.slow
def test_several_processes_share_the_jets(training: Any, shards: Path, tmp_path: Path) -> None:
    """Each takes its share; a second run of as many goes on, one of a single process does not."""
    settings = importlib.import_module("training.settings")
    common = [
        *QUICK,
        "--tagger",
        "pm-mlp",
        "--signature",
        "H* x E",
        "--epochs",
        "2",
        "--accumulate",
        "2",
        "--data",
        str(shards),
        "--out",
        str(tmp_path / "out"),
    ]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
               "2", str(ROOT / "examples" / "jets" / "train.py"), *common]  # fmt: skip
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    jets = results["jets"]
    assert results["processes"] == 2
    batches = math.ceil(jets["train"] // 2 / 16)
    assert results["history"][-1]["step"] == 2 * math.ceil(batches / 2)
    with np.load(tmp_path / "out" / "predictions.npz") as found:
        assert len(found["labels"]) == jets["test"]
    with pytest.raises(settings.SettingsError, match="a run of 2 processes: go on with as many"):
        train(*common)


# -- what is written -------------------------------------------------------------------------------


def test_files_of_a_run(training: Any, shards: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    results = train(*QUICK, *ATTENTIVE, "--data", shards, "--out", out, "--epochs", "2")
    rows = (out / "history.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 3
    assert rows[0].startswith("epoch,step,learning_rate,train_loss,validation_loss")
    assert "K particle 1 Lorentz,K jet 1 Lorentz" in rows[0]
    assert len(json.loads((out / "history.json").read_text(encoding="utf-8"))) == 2
    assert abs(results["parameters"] - 1_000) <= 20
    with np.load(out / "predictions.npz") as found:
        assert found["logits"].shape == (results["jets"]["test"], 2)
        assert found["pt"].min() > 540
        assert found["pt"].max() < 660
    page = (out / "report.html").read_text(encoding="utf-8")
    titles = ("ROC", "Rejection against pT", "Calibration", "Training", "Curvatures",
              "Weights of the factors", "In the disk")  # fmt: skip
    assert [title for title in titles if f"<h2>{title}</h2>" not in page] == []
    assert page.count("data:image/png;base64,") >= len(titles)
    assert 'src="http' not in page
    checkpoint = importlib.import_module("training.checkpoint")
    tagger, normalization = checkpoint.load_tagger(out / "best.pt")
    from noneuclid.datasets import load_jets

    jets = load_jets(shards, max_particles=8, normalization=normalization)
    assert tagger(jets.features, mask=jets.mask, momenta=jets.momenta).shape == (192, 2)


def test_no_collision_in_two_sets(training: Any, shards: Path) -> None:
    data, settings = (importlib.import_module(f"training.{n}") for n in ("data", "settings"))
    opened = data.open_data(
        settings.DataSettings(data=str(shards), train_jets=60), settings.TrainingSettings()
    )
    events = [set(part.jets.events.tolist())
              for part in (opened.train, opened.validation, opened.test)]  # fmt: skip
    assert all(events)
    assert sum(map(len, events)) == len(set.union(*events))
    assert len(opened.train.jets) < 96


@pytest.mark.parametrize("memory", ["0", "1"])
def test_streamed_and_kept_jets(training: Any, shards: Path, tmp_path: Path, memory: str) -> None:
    """Jets larger than memory are streamed; a streamed run goes on as well."""
    out = tmp_path / "out"
    results = train(*QUICK, "--tagger", "pfn", "--epochs", "2", "--memory", memory, "--data",
                    shards, "--out", out)  # fmt: skip
    assert results["history"][-1]["step"] == 2 * -(-results["jets"]["train"] // 16)


def test_early_stopping_looks_at_validation(
    training: Any, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = importlib.import_module("training.loop")
    losses = iter([0.9, 0.5, 0.6, 0.7, 0.1])

    def metrics(*_: Any) -> dict[str, float]:
        return {"loss": next(losses), "accuracy": 0.5, "auc": 0.5}

    monkeypatch.setattr(loop, "metrics", metrics)
    results = train(*QUICK, "--tagger", "pfn", "--epochs", "9", "--patience", "2", "--data",
                    shards, "--out", tmp_path / "out")  # fmt: skip
    assert (results["epochs"], results["best_epoch"]) == (4, 2)


def test_many_classes(training: Any, write_shard: Any, tmp_path: Path) -> None:
    names = ("gluon", "quark", "top", "w")
    write_shard(tmp_path / "jets" / "a.npz", jets=240, classes=names)
    results = train(*QUICK, "--tagger", "mlp", "--epochs", "1", "--data", tmp_path / "jets",
                    "--out", tmp_path / "out")  # fmt: skip
    assert set(results["one_against_rest"]) == set(names)
    assert results["is_signal"] == [False, False, True, False]


# -- equal time ------------------------------------------------------------------------------------


def tick(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let every step take so many CPU-seconds."""
    loop = importlib.import_module("training.loop")
    readings = (seconds * (count // 2 + count % 2) for count in range(10**6))
    monkeypatch.setattr(loop.time, "process_time", lambda: next(readings))


def test_cpu_seconds_end_the_run_and_its_schedule(
    training: Any, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 10 steps an epoch, at half a second each: 12.5 s are two epochs and a half."""
    tick(monkeypatch, 0.5)
    results = train(*QUICK, "--tagger", "pfn", "--epochs", "50", "--cpu-seconds", "12.5",
                    "--no-report", "--data", shards, "--out", tmp_path / "out")  # fmt: skip
    history = results["history"]
    assert [row["step"] for row in history] == [10, 20, 25]
    assert results["cpu_seconds"] == pytest.approx(12.5)
    rates = [row["learning_rate"] for row in history]
    peak = importlib.import_module("taggers.sizes").learning_rate(1_000)
    assert rates[0] > rates[1] > rates[2]
    assert rates[2] < 0.05 * peak  # as at the end of a run that is not cut off
    assert not (tmp_path / "out" / "report.html").exists()


def test_stopped_run_has_spent_its_time(
    training: Any, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was spent before a stop counts; a stop at the last step still validates."""
    loop, run = (importlib.import_module(f"training.{name}") for name in ("loop", "run"))
    common = [*QUICK, "--tagger", "pfn", "--epochs", "50", "--cpu-seconds", "3.5", "--no-report",
              "--data", shards, "--out", tmp_path / "out"]  # fmt: skip
    step = loop.Trainer._step

    def interrupted(self: Any, batches: Any) -> float:
        if self.step in (2, 6):
            signal.raise_signal(signal.SIGTERM)
        return step(self, batches)

    tick(monkeypatch, 0.5)
    monkeypatch.setattr(loop.Trainer, "_step", interrupted)
    for spent in (1.5, 3.5):
        with pytest.raises(run.StoppedError):
            train(*common)
        state = torch.load(tmp_path / "out" / "last.pt", weights_only=True)
        assert state["progress"][0]["spent"] == pytest.approx(spent)
    results = train(*common)
    assert [row["step"] for row in results["history"]] == [7]
    assert results["cpu_seconds"] == pytest.approx(3.5)


def test_validation_jets_can_be_few(training: Any, shards: Path) -> None:
    data, settings = (importlib.import_module(f"training.{n}") for n in ("data", "settings"))
    chosen = settings.settings_of({"data": str(shards), "validation_jets": 8, "seed": 1})
    opened = data.open_data(chosen.data, chosen.training)
    everything = data.open_data(settings.DataSettings(data=str(shards)), chosen.training)
    assert 0 < len(opened.validation.jets) < len(everything.validation.jets)
    assert len(opened.test.jets) == len(everything.test.jets)
    with pytest.raises(settings.SettingsError, match="no setting 'validation'"):
        settings.settings_of({"validation": 8})
