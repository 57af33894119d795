"""Jets read from files larger than memory, batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from noneuclid.datasets import _pieces
from noneuclid.datasets._folders import jet_files_in
from noneuclid.datasets._pieces import Piece, Selection
from noneuclid.datasets._readers import PieceReader
from noneuclid.datasets.jets import COLUMNS, SIGNAL, Jets, normalization_of, with_columns
from noneuclid.datasets.normalization import FeatureNormalization


@dataclass(eq=False)
class JetStream(IterableDataset[Jets]):
    """Batches of jets from files of any size, in bounded memory.

    Files are cut into pieces of ``piece`` jets. In each epoch the pieces are put in a random order
    and make a line of jets; each consumer (a worker of a ``DataLoader``, of a rank) reads an
    interval of that line, window by window of ``buffer`` jets, which are shuffled. Hence no jet is
    read twice in an epoch, consumers get equal shares, and a position in the stream is a number of
    batches: nothing before the window of a position is read to get there. A consumer holds one
    window: ``buffer`` times ``max_particles`` times 4 (F + 4) + 1 bytes, and a piece.

    At most twelve files are open. An open ``.npz`` file is in memory as a whole (keep shards
    small), of a JetClass file the baskets last read are, 70 MB at most. Use ``JetLoader`` to read
    with several processes or to continue after an interruption.

    Args:
        path: Jet file, folder of jet files, or a list of jet files.
        split: In a folder: name of the file or subfolder, as in ``load_jets``.
        part: Share of the collisions to read, an interval [low, high) of [0, 1]: streams with
            disjoint parts have no collision in common. Rows of Top Tagging and JetClass files,
            which tell no collisions, are taken from low n to high n of each file.
        batch_size: Jets of a batch; the last one of a consumer may be smaller.
        max_particles: Particles kept of each jet, those of highest pT.
        feature_set: ``"kin"``, ``"kinpid"`` or ``"full"``.
        normalization: What standardises the features; None: the constants of Particle Transformer.
        classes: Names of the classes to read, in the order of their codes; None: all, as the file
            numbers them. JetClass files then have their labels read once, at the start.
        signal: Names of the classes with label 1.
        shuffle: Whether to shuffle; otherwise one consumer gets the order of the files.
        buffer: Jets of a window, rounded up to whole batches.
        piece: Jets read at a time. Small pieces mix better, large ones are faster to read.
        seed: Seed of the order; each epoch has its own.
        split_seed: Seed that decides which collisions are in ``part``.
        drop_last: Whether to leave out a batch that is not full.
        even: Whether all ranks read equally many jets, so that they take equally many steps; fewer
            jets than there are consumers are then left out.
        rank: This process among ``world_size``; None: as torch.distributed says, or 0 of 1.
        world_size: Number of processes that share the jets.

    Attributes:
        class_names: Name of each class.
        n_jets: Jets in an epoch, over all consumers.
        epoch: Number of the epoch that iterating gives.
        batches: Batches of this rank at which iterating begins.

    Raises:
        ValueError: As ``load_jets``; a number is out of range; no jet is selected.
    """

    path: str | PathLike[str] | Sequence[Path]
    split: str | None = None
    part: tuple[float, float] = (0.0, 1.0)
    batch_size: int = 256
    max_particles: int = 48
    feature_set: str = "kin"
    normalization: FeatureNormalization | None = None
    classes: Sequence[str] | None = None
    signal: Sequence[str] = SIGNAL
    shuffle: bool = True
    buffer: int = 16_384
    piece: int = 1024
    seed: int = 0
    split_seed: int = 0
    drop_last: bool = False
    even: bool = True
    rank: int | None = None
    world_size: int | None = None

    def __post_init__(self) -> None:
        self._check()
        self.normalization = normalization_of(self.feature_set, self.normalization)
        if isinstance(self.path, str | PathLike):
            self.files = jet_files_in(Path(self.path), self.split)
        else:
            self.files = [Path(file) for file in self.path]
        classes = None if self.classes is None else tuple(self.classes)
        self.selection = Selection(self.part, self.split_seed, classes)
        self.pieces, self.class_names = _pieces.cut(self.files, self.selection, self.piece)
        self.n_jets = sum(piece.count for piece in self.pieces)
        self.epoch = self.batches = 0

    def _check(self) -> None:
        """Look at the numbers."""
        for name in ("batch_size", "max_particles", "buffer", "piece"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.part[0] < self.part[1] <= 1:
            raise ValueError(f"part must be 0 <= low < high <= 1, got {self.part}")
        if (self.rank is None) != (self.world_size is None):
            raise ValueError("rank and world_size are given together or not at all")
        if self.rank is None or self.world_size is None:
            distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
            self.rank = torch.distributed.get_rank() if distributed else 0
            self.world_size = torch.distributed.get_world_size() if distributed else 1
        if not 0 <= self.rank < self.world_size:
            raise ValueError(f"rank must be in 0..{self.world_size - 1}, got {self.rank}")

    def at(self, epoch: int, batches: int = 0) -> "JetStream":
        """Give the same stream at another position; the files are not looked at again."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, epoch=epoch, batches=batches)
        return other

    def n_batches(self, workers: int = 1) -> int:
        """Count the batches of an epoch of this rank when so many workers read it."""
        return sum(self._batches_of(worker, workers) for worker in range(workers))

    def __iter__(self) -> Iterator[Jets]:
        """Give the batches of one epoch that are this worker's, from the position on."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        # Batch k of a rank is its consumer's k % workers. Turning the consumers by the position
        # makes the first worker, with which a loader begins, give the batch that is next.
        consumer = (worker + self.batches) % workers
        done = self.batches // workers + (consumer < self.batches % workers)
        begin, end = self._interval(consumer, workers)
        size = self.batch_size
        if self.drop_last:
            end = begin + (end - begin) // size * size
        window = -(-self.buffer // size) * size
        first = done * size // window * window  # within the interval, as `done`
        with PieceReader(self) as reader:
            line = self._line()
            store: dict[str, Tensor] = {}
            for low in range(begin + first, end, window):
                high = min(low + window, end)
                filled = self._fill(store, reader, line, low, high)
                order = self._order(low, high - low)
                skipped = max(0, begin + done * size - low)
                for start in range(skipped, high - low, size):
                    rows = order[start : start + size]
                    yield with_columns(filled, {name: store[name][rows] for name in COLUMNS})

    def _interval(self, consumer: int, workers: int) -> tuple[int, int]:
        """Give the part of the line that a consumer of this rank reads."""
        assert self.rank is not None
        assert self.world_size is not None
        number = consumer * self.world_size + self.rank
        even = self.even and self.world_size > 1
        return _pieces.interval(self.n_jets, number, workers * self.world_size, even)

    def _batches_of(self, consumer: int, workers: int) -> int:
        begin, end = self._interval(consumer, workers)
        whole, rest = divmod(end - begin, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def _line(self) -> tuple[list[Piece], np.ndarray]:
        """Give the pieces of the epoch in their order, and where each begins on the line."""
        pieces = list(self.pieces)
        if self.shuffle:
            pieces = _pieces.ordered(pieces, np.random.default_rng([self.seed, self.epoch]))
        return pieces, np.cumsum([0] + [piece.count for piece in pieces])

    def _order(self, low: int, size: int) -> Tensor:
        """Give the order of the jets of a window, which begins at ``low`` on the line."""
        if not self.shuffle:
            return torch.arange(size)
        rng = np.random.default_rng([self.seed, self.epoch, low])
        return torch.from_numpy(rng.permutation(size))

    def _fill(
        self, store: dict[str, Tensor], reader: PieceReader, line: tuple[list[Piece], np.ndarray],
        low: int, high: int,
    ) -> Jets:  # fmt: skip
        """Read the jets from ``low`` to ``high`` on the line into the store; give some of them."""
        pieces, starts = line
        jets: Jets | None = None
        for index in range(int(np.searchsorted(starts, low, side="right")) - 1, len(pieces)):
            if starts[index] >= high:
                break
            inside = slice(
                max(low - starts[index], 0), min(high, starts[index + 1]) - starts[index]
            )
            jets = reader.read(pieces[index]).subset(inside)
            at = max(int(starts[index]) - low, 0)
            for name in COLUMNS:
                column = getattr(jets, name)
                if name not in store:
                    store[name] = column.new_empty(high - low, *column.shape[1:])
                store[name][at : at + len(jets)] = column
        assert jets is not None
        return jets
