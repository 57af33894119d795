"""The grid of the graph benchmarks: what its TOML files ask for, and what has been run of it.

A file of the folder `grid` is a table of the report. It names a task, lists graphs (`[[data]]`) and
models (`[models.NAME]`), and may have options for all (`[fixed]`) and options to choose from
(`[tune]`, at most ten combinations). Options of a run are merged from `fixed`, graph, model and
combination, the later ones winning.

Combinations are run with seed 0; the one with the best validation score is run with all `seeds`.
"""

import itertools
import json
import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import tomllib

GRID = Path(__file__).parent / "grid"
MOST_CHOICES = 10
Options = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run: a model on a graph, with one combination of options and one seed."""

    table: str
    data: str
    model: str
    choice: int
    seed: int
    task: str
    options: Options

    @property
    def name(self) -> str:
        """Where its result is stored, below the folder of results."""
        words = f"{self.model} {self.choice} {self.seed}"
        return f"{self.table}/{self.data}/" + "-".join(_words(words))

    def record(self) -> dict[str, Any]:
        """Return what its result has to hold to be taken for its own."""
        return {"task": self.task, "seed": self.seed, "options": self.options}


@dataclass(frozen=True)
class Entry:
    """A row of a table: a model on a graph, its combinations of options and its seeds."""

    table: str
    data: str
    model: str
    task: str
    choices: tuple[Options, ...]
    seeds: int

    def run(self, choice: int, seed: int) -> Run:
        return Run(self.table, self.data, self.model, choice, seed, self.task, self.choices[choice])


def tables(folder: Path = GRID) -> dict[str, Options]:
    """Read the grid, in the order of the files' own numbers."""
    read = {
        path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.toml")
    }
    return dict(sorted(read.items(), key=lambda item: item[1]["order"]))


def entries(table: str, grid: Options) -> Iterator[Entry]:
    """Yield the rows of a table, graph by graph.

    Raises:
        ValueError: More combinations than a fair comparison allows.
    """
    for data in grid["data"]:
        for model, own in grid["models"].items():
            if not any(fnmatch(model, pattern) for pattern in data.get("only", ["*"])):
                continue
            parts = (grid.get("fixed", {}), data.get("options", {}), own.get("options", {}))
            choices = tuple(
                merged(*parts, combination)
                for combination in combinations(own.get("tune", grid.get("tune", {})))
            )
            if len(choices) > MOST_CHOICES:
                raise ValueError(f"{table}, {model}: {len(choices)} combinations")
            task = own.get("task", grid["task"])
            seeds = own.get("seeds", data.get("seeds", grid.get("seeds", 1)))
            yield Entry(table, data["name"], model, task, choices, seeds)


def combinations(tune: dict[str, list[Any]]) -> Iterator[Options]:
    """Yield every combination of values of dotted names."""
    for values in itertools.product(*tune.values()):
        yield merged(*(_nested(name, value) for name, value in zip(tune, values, strict=True)))


def merged(*parts: Options) -> Options:
    """Merge tables within tables; later ones win."""
    whole: Options = {}
    for part in parts:
        for name, value in part.items():
            inner = isinstance(value, dict) and isinstance(whole.get(name), dict)
            whole[name] = merged(whole[name], value) if inner else deepcopy(value)
    return whole


def pending(folder: Path, patterns: list[str], grids: Path = GRID) -> list[Run]:
    """Return the runs that can be run now: combinations first, then the seeds of the best one."""
    waiting = []
    for table, grid in tables(grids).items():
        for entry in entries(table, grid):
            waiting += [run for run in missing(folder, entry) if wanted(run, patterns)]
    return waiting


def missing(folder: Path, entry: Entry) -> list[Run]:
    """Return the runs of a row that are to be run next."""
    tuning = [entry.run(choice, 0) for choice in range(len(entry.choices))]
    left = [run for run in tuning if stored(folder, run) is None]
    if left:
        return left
    best = chosen(folder, entry)
    seeds = [entry.run(best, seed) for seed in range(entry.seeds)]
    return [run for run in seeds if stored(folder, run) is None]


def chosen(folder: Path, entry: Entry) -> int:
    """Return the combination with the best validation score of seed 0 among those stored."""
    scores = {}
    for choice in range(len(entry.choices)):
        if (found := stored(folder, entry.run(choice, 0))) is not None:
            score = found["result"].get("validation")
            scores[choice] = -1.0 if score is None else score
    return max(scores, key=lambda choice: scores[choice], default=0)


def results(folder: Path, entry: Entry) -> list[dict[str, Any]]:
    """Return what is stored of the best combination, seed by seed."""
    best = chosen(folder, entry)
    found = [stored(folder, entry.run(best, seed)) for seed in range(entry.seeds)]
    return [record for record in found if record is not None]


def wanted(run: Run, patterns: list[str]) -> bool:
    """Tell whether one of the patterns is the name of a run or begins it."""
    return not patterns or any(
        fnmatch(run.name, pattern) or fnmatch(run.name, f"{pattern}*") for pattern in patterns
    )


def stored(folder: Path, run: Run) -> dict[str, Any] | None:
    """Return the result of a run, unless there is none or it had other options."""
    path = folder / f"{run.name}.json"
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    same = {name: record.get(name) for name in run.record()} == run.record()
    return record if same else None


def store(folder: Path, run: Run, result: dict[str, Any]) -> None:
    """Write the result of a run; the file appears whole or not at all."""
    path = folder / f"{run.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        text = json.dumps({**run.record(), **result}, indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _nested(name: str, value: Any) -> Options:
    first, _, rest = name.partition(".")
    return {first: _nested(rest, value) if rest else value}


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text).split()
