"""One run of the grid: train with examples/jets, look at the test jets, keep what matters."""

import platform
import time
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from analysis.delta import describe
from grid import Run
from store import JETS, packed, write_arrays, write_run
from training import run as training_run
from training.checkpoint import load_tagger
from training.evaluation import Predictions, jet_pt, metrics, predict
from training.settings import DataSettings, Settings, settings_of

import noneuclid
from noneuclid.datasets import FeatureNormalization, Jets, JetStream, open_jets
from noneuclid.datasets.jets import join_jets

SHOWERS = "showers"  # folder of the data: one subfolder for each other shower
_CURVES = ("step", "train_loss", "validation_loss", "validation_auc")
_PLACES = 5  # decimals of what is stored of each epoch


def train(run: Run, data: Path, work: Path, results: Path) -> None:
    """Train one tagger, or go on with it, and write its results."""
    own = work / run.name
    settings = settings_of(
        {**run.settings, "data": str(data), "out": str(own), "report": False, "device": "cpu"}
    )
    begin, cpu = time.perf_counter(), time.process_time()
    found = training_run.run(settings)
    with np.load(own / training_run.PREDICTIONS) as predictions:
        said = Predictions(**predictions)
    signal = tuple(found["is_signal"])
    arrays = packed(said.scores(signal)) if run.keeps_scores else {}
    arrays |= _gates(own / training_run.BEST, settings)
    summary = {
        "name": run.name,
        **_summary(found),
        "showers": _showers(run, settings, signal),
        "test_jets": identity(said.events, said.labels),
        "seconds_in_all": round(time.perf_counter() - begin, 1),
        "cpu_seconds_in_all": round(time.process_time() - cpu, 1),
        "made_with": made_with(),
    }
    write_run(results, run.name, summary, arrays)
    (own / training_run.PREDICTIONS).unlink()  # a megabyte; the checkpoint makes it again


def _summary(found: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of the results of train.py."""
    history = found["history"]
    spent = np.cumsum([row["cpu_seconds"] for row in history])
    kept = ("parameters", "jets", "epochs", "best_epoch", "cpu_seconds", "seconds", "test")
    settings = {k: v for part in found["settings"].values() for k, v in part.items()}
    return {
        "settings": {k: v for k, v in settings.items() if k not in ("data", "out")},
        **{name: found[name] for name in kept},
        "steps": int(history[-1]["step"]),
        "passes": history[-1]["step"] / -(-found["jets"]["train"] // settings["batch"]),
        "jets_per_cpu_second": history[-1]["step"] * settings["batch"] / found["cpu_seconds"],
        "first_curvatures": found["first_curvatures"],
        "curvatures": found["curvatures"],
        "history": {
            "cpu_seconds": [round(float(value), 1) for value in spent],
            **{name: [round(row[name], _PLACES) for row in history] for name in _CURVES},
        },
    }


def _showers(run: Run, settings: Settings, signal: tuple[bool, ...]) -> dict[str, Any]:
    """Return the metrics on the jets of other showers: name of the folder -> metrics."""
    folders = sorted((Path(settings.data.data) / SHOWERS).glob("*")) if run.meets_showers else []
    found = {}
    for folder in (folder for folder in folders if folder.is_dir()):
        tagger, normalization = load_tagger(Path(settings.output.out) / training_run.BEST)
        jets = JetStream(
            folder,
            batch_size=1024,
            normalization=normalization,
            shuffle=False,
            **_read_as(settings.data),
        )
        found[folder.name] = metrics(
            predict(tagger, jets, normalization, torch.device("cpu")), signal
        )
    return found


def _gates(checkpoint: Path, settings: Settings) -> dict[str, np.ndarray]:
    """Return what the test jets of a routed tagger chose; nothing for the other taggers."""
    if settings.model.tagger != "routed-transformer":
        return {}
    tagger, _ = load_tagger(checkpoint)
    jets = test_jets(settings.data)
    parts = [
        tagger.gates(jets.features[own], jets.mask[own], jets.momenta[own])
        for own in torch.arange(len(jets)).split(1024)
    ]
    weights = torch.cat([part.weights for part in parts])
    curvature = torch.cat([part.mean_curvature() for part in parts])
    return {
        "gates": (255 * weights).round().to(torch.uint8).numpy(),
        "mean_curvature": curvature.half().numpy(),
    }


def test_jets(data: DataSettings) -> Jets:
    """Return the test jets in the order in which they are predicted."""
    return join_jets(list(open_jets(data.data, **_read_as(data)).test))


def _read_as(data: DataSettings) -> dict[str, Any]:
    """Return what decides which jets are read, and what of them."""
    return {
        "max_particles": data.particles,
        "feature_set": data.feature_set,
        "classes": data.classes,
        "signal": tuple(data.signal),
    }


def write_jets(run: Run, data: Path, results: Path) -> None:
    """Write what the analysis needs of the test jets themselves: pT, multiplicity, delta."""
    own = settings_of({**run.settings, "data": str(data)}).data
    jets = test_jets(own)
    pt = jet_pt(jets, FeatureNormalization(own.feature_set))
    columns = {"pt": pt.numpy(), **describe(jets)}
    narrow = {name: values.astype(np.float16) for name, values in columns.items()}
    results.mkdir(parents=True, exist_ok=True)
    labels = jets.labels.numpy()
    write_arrays(
        results / JETS,
        {
            **narrow,
            "labels": labels.astype(np.uint8),
            "identity": np.array(identity(jets.events.numpy(), labels)),
        },
    )


def identity(events: np.ndarray, labels: np.ndarray) -> int:
    """Return a number that tells one ordered set of jets from another."""
    columns = np.stack([events.astype(np.int64), labels.astype(np.int64)])
    return zlib.crc32(columns.tobytes())


def _processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "unknown")


def made_with() -> dict[str, str]:
    """Return machine and versions."""
    return {
        "machine": _processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "noneuclid": noneuclid.__version__,
    }
