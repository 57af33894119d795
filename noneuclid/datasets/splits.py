"""Any folder of jets as streams of training, validation and test jets."""

import math
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from noneuclid.datasets._folders import jet_files_in, named_splits
from noneuclid.datasets.streams import JetStream


class JetSplits(NamedTuple):
    """The three streams of a data set; no collision is in two of them.

    Attributes:
        train: Shuffled.
        validation: In the order of the files.
        test: In the order of the files.
    """

    train: JetStream
    validation: JetStream
    test: JetStream


def open_jets(
    path: str | PathLike[str],
    *,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    **options: Any,
) -> JetSplits:
    """Open a folder or file of jets as streams for training, validation and test.

    Splits that the folder names are taken: a file or subfolder whose name begins with "train",
    "val", "valid" or "validation", or "test", such as ``train.h5`` or ``val_5M``. What is not
    named is cut from the training jets by collision, in the proportion of ``fractions``; a folder
    without names, such as that of ``examples/jets/simulate.py``, is cut in three.

    Args:
        path: Folder of shards, packed samples, Top Tagging or JetClass files, or one such file.
        fractions: Shares of training, validation and test jets, where the folder does not say.
        options: Further arguments of ``JetStream``. Validation and test jets are neither shuffled
            nor left out.

    Raises:
        ValueError: As ``JetStream``; the fractions are not positive or do not sum to 1; the folder
            names a split but no training jets.
        FileNotFoundError: There is nothing at ``path``.
        ImportError: The format needs a package that is not installed (``noneuclid[jets]``).
    """
    if min(fractions) <= 0 or not math.isclose(sum(fractions), 1):
        raise ValueError(f"fractions must be positive and sum to 1, got {fractions}")
    named = named_splits(Path(path))
    if named and "train" not in named:
        raise ValueError(f"{path} has {', '.join(named)} but no 'train': name its training jets")
    common = named.get("train") or jet_files_in(Path(path))
    parts = _parts(fractions, [name for name in JetSplits._fields if name not in named])
    quiet = {"shuffle": False, "drop_last": False, "even": False}
    streams = {
        name: JetStream(
            named.get(name) or common,
            part=parts.get(name, (0.0, 1.0)),
            **{**options, **({} if name == "train" else quiet)},
        )
        for name in JetSplits._fields
    }
    return JetSplits(**streams)


def _parts(fractions: tuple[float, ...], cut: list[str]) -> dict[str, tuple[float, float]]:
    """Divide [0, 1) among the training jets and the splits that are cut from them."""
    share = dict(zip(JetSplits._fields, fractions, strict=True))
    names = ["train", *(name for name in cut if name != "train")]
    total = sum(share[name] for name in names)
    parts, low = {}, 0.0
    for name in names:
        high = 1.0 if name == names[-1] else low + share[name] / total
        parts[name] = (low, high)
        low = high
    return parts
