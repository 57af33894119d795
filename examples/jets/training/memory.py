"""A loader of jets that fit into memory, with the positions of `JetLoader`."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from noneuclid.datasets import Jets, JetStream
from noneuclid.datasets.jets import join_jets

_READ = 4096  # jets at a time


class MemoryLoader:
    """Read the jets of a stream once and give them in batches, epoch after epoch.

    As `JetLoader`: iterating gives the rest of the current epoch and moves on to the next, and the
    state after batch k makes another loader go on with batch k + 1. Each epoch is a permutation of
    all jets; the ranks of a distributed run take every n-th, equally many each if `stream.even`.
    """

    def __init__(self, stream: JetStream) -> None:
        self.stream = stream
        whole = dataclasses.replace(
            stream, shuffle=False, batch_size=_READ, rank=0, world_size=1, drop_last=False
        )
        self.jets: Jets = join_jets(list(whole))
        self.epoch = self.batches = 0

    def __len__(self) -> int:
        """Count the batches of an epoch of this rank."""
        return -(-len(self._order(0)) // self.stream.batch_size)

    def __iter__(self) -> Iterator[Jets]:
        """Give the rest of the epoch."""
        size = self.stream.batch_size
        order = self._order(self.epoch)
        for low in range(self.batches * size, len(order), size):
            self.batches += 1
            yield self.jets.subset(order[low : low + size])
        self.set_epoch(self.epoch + 1)

    def _order(self, epoch: int) -> torch.Tensor:
        """Return the jets of an epoch of this rank."""
        stream, count = self.stream, len(self.jets)
        assert stream.rank is not None
        assert stream.world_size is not None
        order = np.arange(count)
        if stream.shuffle:
            order = np.random.default_rng([stream.seed, epoch]).permutation(count)
        if stream.even:
            order = order[: count // stream.world_size * stream.world_size]
        return torch.from_numpy(order[stream.rank :: stream.world_size])

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch."""
        self.epoch, self.batches = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """Give the position, and what it depends on; the same on all ranks."""
        stream = self.stream
        return {
            "epoch": self.epoch,
            "batches": self.batches,
            "jets": len(self.jets),
            "batch_size": stream.batch_size,
            "seed": stream.seed,
            "world_size": stream.world_size,
            "classes": list(stream.class_names),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a position.

        Raises:
            ValueError: it was taken in another order; the message says what differs.
        """
        for name, value in self.state_dict().items():
            if name not in ("epoch", "batches") and state.get(name) != value:
                raise ValueError(
                    f"the position was taken with {name}={state.get(name)!r}, here it is {value!r}"
                )
        self.epoch, self.batches = state["epoch"], state["batches"]
