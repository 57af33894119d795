"""What is stored of the grid, by grid, block and model."""

from pathlib import Path
from typing import Any

import numpy as np
from grid import Run
from store import JETS, read_arrays, read_runs, unpacked

LABELS = {
    "observables": "four observables, MLP",
    "mlp": "MLP of 16 particles",
    "pfn": "PFN",
    "euclidean-mlp": "deep set, flat",
    "pm-mlp": "PM-MLP, H* x E",
    "pm-mlp-h": "PM-MLP, H*",
    "pm-mlp-s": "PM-MLP, S*",
    "euclidean-transformer": "transformer, flat",
    "part": "ParT",
    "pm-transformer": "PM-Transformer, H* x E",
    "pm-transformer-s": "PM-Transformer, S*",
    "pm-transformer-s-e": "PM-Transformer, S* x E",
    "HxE": "PM-Transformer, H* x E",
    "three": "K from -1, 0, 1",
    "two": "K from -1, 0",
}


class Measured:
    """The results of a folder.

    Args:
        folder: as `run.py` writes it.
        runs: of the grid, to tell what is missing.
    """

    def __init__(self, folder: Path, runs: list[Run]) -> None:
        self.folder, self.runs = folder, runs
        found = read_runs(folder)
        known = {run.name for run in runs}
        self.failures = {n: r["failure"] for n, r in found.items() if n in known and "failure" in r}
        self.found = {n: r for n, r in found.items() if n in known and "failure" not in r}
        path = folder / JETS
        self.jets = read_arrays(path) if path.exists() else None

    def blocks(self, grid: str) -> list[str]:
        """Return the blocks of a grid that have results, in the order of the grid."""
        names = dict.fromkeys(run.block for run in self.runs if run.grid == grid)
        return [name for name in names if self.models(grid, name)]

    def models(self, grid: str, block: str) -> list[str]:
        """Return the models of a block that have results, in the order of the grid."""
        names = dict.fromkeys(
            run.model for run in self.runs if (run.grid, run.block) == (grid, block)
        )
        return [name for name in names if self.of(grid, block, name)]

    def of(self, grid: str, block: str, model: str) -> list[dict[str, Any]]:
        """Return the results of all seeds, in their order."""
        return [
            self.found[run.name]
            for run in self.runs
            if (run.grid, run.block, run.model) == (grid, block, model) and run.name in self.found
        ]

    def values(self, grid: str, block: str, model: str, metric: str) -> np.ndarray:
        """Return a metric of the test jets, or a number of the run: (seeds,)."""
        rows = self.of(grid, block, model)
        values = [row["test"][metric] if metric in row["test"] else row[metric] for row in rows]
        return np.array([v[0] if isinstance(v, list) else v for v in values], dtype=np.float64)

    def scores(self, grid: str, block: str, model: str) -> np.ndarray | None:
        """Return the stored scores (seeds, N), of the jets of `self.jets`; None without any."""
        if self.jets is None:
            return None
        rows = [
            unpacked(self.arrays(row["name"]))
            for row in self.of(grid, block, model)
            if row["test_jets"] == int(self.jets["identity"])
            and "scores" in self.arrays(row["name"])
        ]
        return np.stack(rows) if rows else None

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of a run."""
        path = self.folder / f"{name}.npz"
        return read_arrays(path) if path.exists() else {}


def label(model: str) -> str:
    """Return what a model is called on the page."""
    return LABELS.get(model, model)


def mean_and_spread(values: np.ndarray) -> tuple[float, float]:
    """Return the mean over the seeds and their standard deviation, NaN for one seed."""
    spread = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return float(values.mean()), spread


def sigmas(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the difference of two means over seeds and its standard error (Welch)."""
    (mean, spread), (mean_other, spread_other) = map(mean_and_spread, (one, other))
    error = (spread**2 / len(one) + spread_other**2 / len(other)) ** 0.5
    return mean - mean_other, error
