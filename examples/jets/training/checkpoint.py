"""Checkpoints: everything a run needs to go on bit for bit, and a tagger out of them."""

import os
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import torch
from taggers import Tagger, build_tagger

from noneuclid.datasets import FeatureNormalization
from training import distributed
from training.settings import SettingsError

FORMAT = "noneuclid-tagger"
VERSION = 1


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state under a temporary name, to the disk, and rename it: what is there is whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            torch.save({"format": FORMAT, "version": VERSION, **state}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path) -> dict[str, Any]:
    """Read a state; no code in the file is run.

    Raises:
        SettingsError: it is not a checkpoint of `train.py`.
    """
    damaged = SettingsError(f"{path} is damaged or no checkpoint: delete it to begin anew")
    if not zipfile.is_zipfile(path):
        raise damaged
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise damaged from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise SettingsError(f"{path} is not a checkpoint of train.py: choose another --out")
    if state["version"] != VERSION:
        raise SettingsError(
            f"{path} has version {state['version']} of the format, this is {VERSION}"
        )
    return state


def load_tagger(path: str | os.PathLike[str]) -> tuple[Tagger, FeatureNormalization]:
    """Return the tagger of a checkpoint, in evaluation mode, and what standardises its inputs.

    Where the run kept an average of the weights, it is the tagger's.

    Raises:
        SettingsError: as `load`. ImportError: the tagger's package is missing.
    """
    state = load(Path(path))
    tagger = build_tagger(**state["recipe"])
    tagger.load_state_dict(weights(state))
    return tagger.eval(), FeatureNormalization.from_dict(state["normalization"])


def weights(state: dict[str, Any]) -> dict[str, Any]:
    """Return the weights that a checkpoint is evaluated with."""
    average = state["average"]
    if average is None:
        return state["model"]
    prefix = "module."
    return {k.removeprefix(prefix): v for k, v in average.items() if k.startswith(prefix)}


def random_state() -> dict[str, Any]:
    """Return the states of all random number generators of this process."""
    version, words, gauss = random.getstate()
    state: dict[str, Any] = {
        "python": [version, list(words), gauss],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(states: list[dict[str, Any]]) -> None:
    """Put the generators of this process, one of several, where they were."""
    own = states[distributed.rank()]
    version, words, gauss = own["python"]
    random.setstate((version, tuple(words), gauss))
    torch.set_rng_state(own["torch"])
    if "cuda" in own and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(own["cuda"])
