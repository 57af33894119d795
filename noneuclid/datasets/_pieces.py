"""Jet files cut into pieces: what a stream of jets shuffles and deals out.

The pieces of an epoch, in their order, make a line of jets; a consumer (a worker of a rank) reads
an interval of the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from noneuclid.datasets.jet_files import JetFile, JetFileError, open_jet_file


@dataclass(frozen=True)
class Selection:
    """Which jets of the files belong to a stream.

    Attributes:
        part: Interval [low, high) of [0, 1): the share of the collisions. A collision has a place
            in [0, 1) by a hash of its number; of a file without such numbers, the rows from
            low n to high n are taken.
        seed: Seed of the hash.
        classes: Names of the classes, None for all.
    """

    part: tuple[float, float] = (0.0, 1.0)
    seed: int = 0
    classes: tuple[str, ...] | None = None

    def class_codes(self, class_names: Sequence[str]) -> np.ndarray:
        """Give the class that each class of a file becomes, -1 for none."""
        if self.classes is None:
            return np.arange(len(class_names))
        return np.array([self.classes.index(n) if n in self.classes else -1 for n in class_names])

    def bounds(self, file: JetFile) -> tuple[int, int]:
        """Give the rows of a file between which its jets lie."""
        if not file.row_is_event:
            return 0, len(file)
        low, high = (round(share * len(file)) for share in self.part)
        return low, high

    def chosen(self, file: JetFile, classes: np.ndarray, events: np.ndarray) -> np.ndarray:
        """Tell which rows within the bounds are taken, from their classes and events."""
        taken = self.class_codes(file.class_names)[classes] >= 0
        if not file.row_is_event and self.part != (0.0, 1.0):
            place = uniform_of(events, self.seed)
            taken &= (place >= self.part[0]) & (place < self.part[1])
        return taken

    def takes_all(self, file: JetFile) -> bool:
        """Whether every row within the bounds is taken."""
        whole = file.row_is_event or self.part == (0.0, 1.0)
        return whole and bool((self.class_codes(file.class_names) >= 0).all())


@dataclass(frozen=True)
class Piece:
    """Some consecutive rows of a file.

    Attributes:
        file: Index of the file.
        first: First row.
        stop: Row after the last.
        count: Number of jets in it that the selection takes.
        group: Pieces of a group are spread evenly over an epoch: the class where a file holds one.
        cluster: Row at which its cluster begins, see ``JetFile.clusters``.
    """

    file: int
    first: int
    stop: int
    count: int
    group: str
    cluster: int


def uniform_of(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Give each integer a place in [0, 1): splitmix64 of the number, from ``seed`` on."""
    mixed = numbers.astype(np.uint64) + np.uint64((seed * 0xD1342543DE82EF95 + 1) % 2**64)
    mixed = mixed * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53


def cut(
    files: Sequence[Path], selection: Selection, size: int
) -> tuple[list[Piece], tuple[str, ...]]:
    """Cut files into pieces of at most ``size`` rows, and give the names of the classes.

    Only what the selection needs is read: nothing where it takes whole files.

    Raises:
        JetFileError: A file cannot be read, the files have different classes, or none has a class
            that is wanted.
    """
    pieces: list[Piece] = []
    names: dict[tuple[str, ...], Path] = {}
    for number, path in enumerate(files):
        with open_jet_file(path, number) as file:
            names.setdefault(file.class_names, path)
            pieces += [piece for piece in _pieces(file, number, selection, size) if piece.count]
    _check_classes(selection, names)
    if not pieces:
        raise JetFileError(f"{files[0].parent} holds no jets of this selection: {selection}")
    return pieces, selection.classes or next(iter(names))


def _pieces(file: JetFile, number: int, selection: Selection, size: int) -> list[Piece]:
    """Cut one file."""
    low, high = selection.bounds(file)
    all_taken = selection.takes_all(file)
    group = _group(file, low, high)
    pieces = []
    for begin, end in pairwise(file.clusters()):
        for first in range(max(begin, low), min(end, high), size):
            stop = min(first + size, end, high)
            count = stop - first
            if not all_taken:
                classes, events = file.classes(first, stop), file.events(first, stop)
                count = int(selection.chosen(file, classes, events).sum())
            pieces.append(Piece(number, first, stop, count, group, begin))
    return pieces


def _group(file: JetFile, low: int, high: int) -> str:
    """Give the class if the rows at both ends agree, else the name of the file."""
    if low >= high:
        return file.path.name
    first, last = (int(file.classes(row, row + 1)[0]) for row in (low, high - 1))
    return file.class_names[first] if first == last else file.path.name


def _check_classes(selection: Selection, names: dict[tuple[str, ...], Path]) -> None:
    """See that the classes of the files agree, or that each class wanted is in some file."""
    (first, path), *others = names.items()
    if selection.classes is None:
        for other, elsewhere in others:
            raise JetFileError(
                f"{elsewhere} has the classes {other}, {path} has {first}: choose some of them, "
                f"classes=(...)"
            )
        return
    known = {name for listed in names for name in listed}
    missing = [name for name in selection.classes if name not in known]
    if missing:
        raise JetFileError(f"{path.parent} has no class {missing[0]!r}: it has {sorted(known)}")


def ordered(pieces: Sequence[Piece], rng: np.random.Generator) -> list[Piece]:
    """Put pieces in a random order in which the pieces of each group are spread evenly.

    Within a group those of one cluster follow each other, which are cheap to read so.
    """
    groups: dict[str, dict[tuple[int, int], list[int]]] = {}
    for index, piece in enumerate(pieces):
        clusters = groups.setdefault(piece.group, {})
        clusters.setdefault((piece.file, piece.cluster), []).append(index)
    place = np.empty(len(pieces))
    for clusters in groups.values():
        shuffled = [rng.permutation(members) for members in clusters.values()]
        members = np.concatenate([shuffled[i] for i in rng.permutation(len(shuffled))])
        place[members] = (np.arange(len(members)) + rng.random(len(members))) / len(members)
    return [pieces[index] for index in np.argsort(place, kind="stable")]


def interval(total: int, consumer: int, consumers: int, even: bool) -> tuple[int, int]:
    """Give the part of a line of ``total`` jets that a consumer reads.

    The parts are disjoint and, unless ``even``, make up the whole; their sizes fall with the
    number of the consumer and differ by one jet at most, with ``even`` not at all.
    """
    base, rest = divmod(total, consumers)
    if even:
        rest = 0
    begin = consumer * base + min(consumer, rest)
    return begin, begin + base + (consumer < rest)
