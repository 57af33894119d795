"""The runs of a grid, as its TOML file lists them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomllib
from places import GRIDS

ORDER = ("main", "epochs", "routed", "ablations")  # the most telling first


class GridError(ValueError):
    """A grid that cannot be run; the message says why."""


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        name: grid/block/model/seed, the path of its files without their suffixes.
        settings: of examples/jets/train.py, by name.
        keeps_scores: whether the scores of the test jets are stored beside the metrics.
        meets_showers: whether it is tested on the jets of other showers too.
    """

    name: str
    settings: dict[str, Any] = field(hash=False)
    keeps_scores: bool = False
    meets_showers: bool = False

    @property
    def grid(self) -> str:
        return self.name.split("/")[0]

    @property
    def block(self) -> str:
        return self.name.split("/")[1]

    @property
    def model(self) -> str:
        return self.name.split("/")[2]

    @property
    def seed(self) -> int:
        return int(self.name.split("/")[3])


def read_grid(path: Path) -> list[Run]:
    """Return the runs of a file in their order: block by block, in a block seed by seed.

    [settings] are those of all runs, [models] adds those of each model, and each [[block]] has a
    name, models, a number of seeds, and settings, which win.

    Raises:
        GridError: an unknown key or model, or a name that is given twice.
    """
    written = tomllib.loads(path.read_text(encoding="utf-8"))
    _known(written, {"settings", "models", "block"}, path)
    models, runs = written["models"], []
    for block in written["block"]:
        _known(block, {"name", "models", "seeds", "settings", "scores", "showers"}, path)
        chosen = block.get("models", list(models))
        _known(dict.fromkeys(chosen), set(models), path)
        runs += [
            Run(
                name=f"{path.stem}/{block['name']}/{model}/{seed}",
                settings={
                    **written.get("settings", {}),
                    **models[model],
                    **block.get("settings", {}),
                    "seed": seed,
                },
                keeps_scores=block.get("scores", False),
                meets_showers=block.get("showers", False),
            )
            for seed in range(block["seeds"])
            for model in chosen
        ]
    names = [run.name for run in runs]
    if len(names) > len(set(names)):
        raise GridError(f"{path}: two runs have the name {max(names, key=names.count)}")
    return runs


def read_grids(names: list[str]) -> list[Run]:
    """Return the runs of several grids, one after the other.

    Args:
        names: of files in `grids`, or paths of other TOML files.

    Raises:
        GridError: there is no such grid, or something is wrong with it.
    """
    paths = [Path(n) if n.endswith(".toml") else GRIDS / f"{n}.toml" for n in names]
    for name, path in zip(names, paths, strict=True):
        if not path.exists():
            known = ", ".join(sorted(path.stem for path in GRIDS.glob("*.toml")))
            raise GridError(f"no grid {name!r}: give a path, or one of {known}")
    return [run for path in paths for run in read_grid(path)]


def _known(given: dict[str, Any], known: set[str], path: Path) -> None:
    if unknown := [key for key in given if key not in known]:
        raise GridError(f"{path} has {unknown[0]!r}, known are {', '.join(sorted(known))}")
