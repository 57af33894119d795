"""The files of a simulated sample: one .npz a shard, written whole or not at all."""

import importlib.metadata
import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .processes import PROCESSES
from .recipe import Recipe
from .record import JetColumns, wrap

FORMAT = "noneuclid-jets"
FORMAT_VERSION = 1


class ShardError(Exception):
    """A file in the output folder that cannot be continued; the message says what to do."""


def shard_path(folder: Path, name: str, shard: int) -> Path:
    """Name the file of a shard."""
    return folder / f"{name}-{shard:05d}.npz"


def is_finished(path: Path, recipe: Recipe) -> bool:
    """Tell whether a shard is there; raise ShardError where it is not this recipe's."""
    if not path.exists():
        return False
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            made_with = Recipe.of(json.loads(str(arrays["metadata"]))["recipe"])
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise ShardError(
            f"{path} is not a shard that this script wrote: move it out of the folder"
        ) from error
    if differences := made_with.differences(recipe):
        raise ShardError(f"{path} was made with {differences}: choose another output folder")
    return True


def write_shard(
    path: Path, jets: JetColumns, name: str, shard: int, recipe: Recipe, command: str
) -> int:
    """Write a shard under a temporary name, rename it, and give its number of jets."""
    code = list(PROCESSES).index(name)
    arrays = _columns(jets, code, shard)
    arrays["metadata"] = np.array(json.dumps(_metadata(name, shard, recipe, command)))
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    for leftover in path.parent.glob(f"{path.name}.*.part"):  # of a run that was killed
        leftover.unlink(missing_ok=True)
    return len(jets.event)


def _columns(jets: JetColumns, code: int, shard: int) -> dict[str, np.ndarray]:
    """Lay the jets out as columns, see the README beside simulate.py."""
    particles = jets.constituents
    row = particles.event
    count = np.bincount(row, minlength=len(jets.event))
    return {
        "pt": particles.pt.astype(np.float32),
        "deta": (particles.eta - jets.jet[row, 1]).astype(np.float32),
        "dphi": wrap(particles.phi - jets.jet[row, 2]).astype(np.float32),
        "pid": particles.kind.astype(np.int8),
        "charge": particles.charge.astype(np.int8),
        "offsets": np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        "jet": jets.jet.astype(np.float32),
        "multiplicity": count.astype(np.int32),
        # unique over the classes and shards of a sample, so that it can be split by event
        "event": (np.int64(code) << 48) + (np.int64(shard) << 24) + jets.event.astype(np.int64),
        "label": np.full(len(jets.event), code, dtype=np.int8),
    }


def _metadata(name: str, shard: int, recipe: Recipe, command: str) -> dict[str, Any]:
    """Describe how a shard came to be."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "class": name,
        "classes": list(PROCESSES),
        "shard": shard,
        "recipe": asdict(recipe),
        "generator": recipe.describe(),
        "settings": list(PROCESSES[name].settings),
        "packages": {p: importlib.metadata.version(p) for p in ("pythia8mc", "fastjet", "numpy")},
        "command": command,
    }
