"""A loader of a stream of jets that can stop anywhere and continue there."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from noneuclid.datasets.jets import Jets
from noneuclid.datasets.streams import JetStream


class JetLoader:
    """Read a ``JetStream``, with processes if wanted, from a position that a checkpoint keeps.

    Iterating gives the rest of the current epoch and then moves on to the next. Its state after
    batch k makes another loader go on with batch k + 1, the same as without the interruption; that
    holds with any number of workers, as long as it stays the same.

    Args:
        stream: The stream.
        workers: Processes that read; 0: this one.
        pin_memory: Whether batches come in page-locked memory, from where GPUs copy faster.
        options: Further arguments of ``torch.utils.data.DataLoader``, such as ``prefetch_factor``
            or ``multiprocessing_context``.

    Attributes:
        epoch: Number of the current epoch.
        batches: Batches of it that were given.
    """

    def __init__(
        self, stream: JetStream, *, workers: int = 0, pin_memory: bool = False, **options: Any
    ) -> None:
        self.stream, self.workers = stream, workers
        self.options = {"num_workers": workers, "pin_memory": pin_memory, **options}
        self.epoch = self.batches = 0

    def __len__(self) -> int:
        """Count the batches of a whole epoch of this rank."""
        return self.stream.n_batches(max(self.workers, 1))

    def __iter__(self) -> Iterator[Jets]:
        """Give the rest of the epoch."""
        stream = self.stream.at(self.epoch, self.batches)
        for jets in DataLoader(stream, batch_size=None, **self.options):
            self.batches += 1
            yield jets
        self.set_epoch(self.epoch + 1)

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch."""
        self.epoch, self.batches = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """Give the position, and what it depends on; the same on all ranks."""
        stream = self.stream
        return {
            "epoch": self.epoch,
            "batches": self.batches,
            "workers": max(self.workers, 1),
            **{name: getattr(stream, name) for name in _POSITION},
            "part": list(stream.part),  # as JSON gives it back
            "classes": list(stream.class_names),
            "jets": stream.n_jets,
            "files": [path.name for path in stream.files],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a position.

        Raises:
            ValueError: It was taken in a stream of another order; the message says what differs.
        """
        mine = self.state_dict()
        for name, value in mine.items():
            if name not in ("epoch", "batches") and state.get(name) != value:
                raise ValueError(
                    f"the position was taken with {name}={state.get(name)!r}, here it is {value!r}"
                )
        self.epoch, self.batches = state["epoch"], state["batches"]


# fields of a stream on which the order of its jets depends
_POSITION = (
    "batch_size", "shuffle", "buffer", "piece", "seed", "split_seed", "drop_last", "even",
    "world_size",
)  # fmt: skip
