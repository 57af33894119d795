"""What is kept of a run: metrics as JSON, the scores of its test jets as small integers."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 64  # of a stored score in a standard deviation: an AUC moves by less than 2e-5
JETS = "jets.npz"  # the test jets themselves


def write_run(
    folder: Path, name: str, results: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    """Write the files of a run under temporary names and rename them, the JSON last."""
    path = folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if arrays:
        write_arrays(path.with_suffix(".npz"), arrays)
    temporary = _temporary(path)
    text = json.dumps(_finite(results), indent=1, allow_nan=False)
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays, whole or not at all."""
    temporary = _temporary(path)
    with temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    temporary.replace(path)


def read_runs(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the results of all runs there are, by name."""
    return {
        path.relative_to(folder).with_suffix("").as_posix(): json.loads(
            path.read_text(encoding="utf-8")
        )
        for path in sorted(folder.rglob("*.json"))
    }


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file."""
    with np.load(path) as stored:
        return dict(stored)


def packed(scores: np.ndarray) -> dict[str, np.ndarray]:
    """Return scores as 16-bit numbers of steps, with the step; their signs are kept."""
    step = float(scores.std()) / STEPS or 1.0
    limit = np.iinfo(np.int16).max
    return {
        "scores": np.clip(np.floor(scores / step), -limit, limit).astype(np.int16),
        "step": np.array(step),
    }


def unpacked(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Return the middles of the steps of stored scores."""
    return (arrays["scores"].astype(np.float64) + 0.5) * arrays["step"]


def _finite(value: Any) -> Any:
    """Return a value for JSON, which knows no infinite numbers: null in their place."""
    if isinstance(value, dict):
        return {name: _finite(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(own) for own in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")
