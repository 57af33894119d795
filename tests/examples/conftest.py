"""Tiny shards of jets, and the examples' own modules."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "jets"
Write = Callable[..., Path]


@pytest.fixture
def jets_example(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the jet scripts, from which their modules can be imported."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    return EXAMPLE


@pytest.fixture
def write_shard() -> Write:
    """A function that writes a shard of jets whose classes differ in width."""

    def write(
        path: Path,
        jets: int = 96,
        classes: tuple[str, ...] = ("qcd", "top"),
        seed: int = 0,
        counts: np.ndarray | None = None,
        **damage: np.ndarray,
    ) -> Path:
        rng = np.random.default_rng(seed)
        label = np.arange(jets) % len(classes)
        counts = rng.integers(1, 12, jets) if counts is None else counts
        offsets = np.concatenate([[0], np.cumsum(counts)])
        width = np.repeat(0.05 + 0.15 * label, counts)
        pt = np.concatenate([np.sort(rng.exponential(60, n) + 1)[::-1] for n in counts] or [[]])
        axis = np.stack([
            rng.uniform(550, 650, jets), rng.uniform(-2, 2, jets),
            rng.uniform(-np.pi, np.pi, jets), rng.uniform(20, 180, jets),
        ], axis=1)  # fmt: skip
        columns = {
            "label": label, "event": np.arange(jets) // 2 + 1000 * seed, "multiplicity": counts,
            "offsets": offsets, "jet": axis, "pt": pt,
            "deta": width * rng.normal(size=len(pt)), "dphi": width * rng.normal(size=len(pt)),
        } | damage  # fmt: skip
        metadata = {"format": "noneuclid-jets", "version": 1, "classes": list(classes)}
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, metadata=np.array(json.dumps(metadata)), **columns)
        return path

    return write
