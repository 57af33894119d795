"""The benchmark of layers: what it times, its rows and page from a tiny run; no times."""

import importlib
import inspect
import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import noneuclid.layers
from noneuclid.models.particles import PRESETS

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
INSIDE = {"Chain", "Residual"}  # layers made of others
INTERFACES = {"Layer", "TangentLayer", "Classifier"}


@pytest.fixture
def layers(monkeypatch):
    """Import the benchmark, whose modules lie beside each other and in no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("layers")
    for name in [n for n in sys.modules if n.split("_")[0] in ("layers", "optim", "speed")]:
        del sys.modules[name]


def test_every_layer_and_preset_is_timed(layers):
    timed = {name.split()[0] for name in layers.pairs()}
    variants = {f"{name.split()[1]}linear" for name in layers.pairs() if name.startswith("Linear")}
    for name, thing in vars(noneuclid.layers).items():
        is_layer = inspect.isclass(thing) and issubclass(thing, nn.Module)
        if is_layer and name not in INSIDE | INTERFACES:
            assert name in timed or name.lower() in variants, name
    for preset in PRESETS:
        assert f"PMTransformer {preset} | H x E" in layers.pairs()


def test_tiny_run_is_stored_row_by_row_and_not_measured_again(layers, tmp_path, monkeypatch):
    command = ["--quick", "--out", str(tmp_path), "--only", "ClassToken | E", "Attention of"]
    monkeypatch.setattr(layers, "model_pairs", lambda: {})
    layers.main(command)
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"]
    assert set(rows) == {"ClassToken | E"}
    (row,) = rows.values()
    assert set(row) == {"bar", "memory_bar", "eager"}
    assert row["eager"]["kept"] == pytest.approx(1.0, abs=0.01)
    page = (tmp_path / "layers_speed.md").read_text(encoding="utf-8")
    for word in ("# Speed of the layers", "| ClassToken | E |", torch.__version__):
        assert word in page
    measured = []
    monkeypatch.setattr(layers, "measure", lambda *a: measured.append(a) or row["eager"])
    layers.main(command)
    assert not measured
    layers.main([*command, "--again"])
    assert len(measured) == 1
    layers.main(["--out", str(tmp_path), "--page", str(tmp_path / "page.md"), "--stored"])
    assert len(measured) == 1


def test_a_miss_has_a_sentence(layers):
    def row(time, kept):
        return {"time": [time] * 3, "kept": kept, "sources": "0"}

    name = "PMTransformer 250k | H x E"
    found = {"bar": 1.8, "memory_bar": 1.3, "eager": row(2.0, 1.2), "compiled": row(1.9, 1.25)}
    settings = {"machine": "", "system": "", "python": "", "versions": {"torch": ""}}
    text = layers.page.text(settings, {name: found})
    assert "- PMTransformer 250k, H x E, time, compiled: 1.90 instead of 1.8; " in text
    assert "kept, eager | 1.3 | 1.20 |" in text
    assert text.count("instead of") == 1
    for name, pair in layers.pairs().items():
        if pair.bar is not None:
            layers.page.text(settings, {name: {**found, "bar": 0.1}})
