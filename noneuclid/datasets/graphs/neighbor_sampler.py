"""Mini-batches of a large graph: seed nodes and a sample of what is around them.

The fields of a batch are those of torch-geometric's ``NeighborLoader``, which needs a compiled
library beside it; this one needs numpy. It holds the graph once, in 24 bytes for each directed
edge, and a batch, whatever the number of nodes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class NeighborBatch:
    """Seed nodes, the nodes sampled around them, and the edges that led to those.

    Attributes:
        n_id: (N,) the nodes in the graph; the seeds are the first ``batch_size`` of them.
        input_id: (batch_size,) places of the seeds among the sampler's input nodes.
        batch_size: Number of seeds.
        edge_index: (2, E) from neighbour to node, in places of ``n_id``.
        e_id: (E,) columns of the graph's ``edge_index``.
        num_sampled_nodes: New nodes, the seeds first, then of each hop.
        num_sampled_edges: Edges of each hop, in the order of ``edge_index``.
        x: (N, F) features, where the sampler has them.
        y: (N,) classes, where the sampler has them.
    """

    n_id: Tensor
    input_id: Tensor
    batch_size: int
    edge_index: Tensor
    e_id: Tensor
    num_sampled_nodes: tuple[int, ...]
    num_sampled_edges: tuple[int, ...]
    x: Tensor | None = None
    y: Tensor | None = None

    @property
    def num_nodes(self) -> int:
        """The number of nodes of the batch."""
        return len(self.n_id)

    def to(self, device: torch.device | str) -> "NeighborBatch":
        """Move every tensor to a device."""
        moved: dict[str, Any] = {}
        for field in fields(self):
            if isinstance(column := getattr(self, field.name), Tensor):
                moved[field.name] = column.to(device)
        return replace(self, **moved)


class NeighborSampler:
    """Iterate over mini-batches, in each hop a uniform sample of the neighbours without repeats.

    Each batch is drawn from its own seed (seed, epoch, number): it does not depend on what was
    drawn before it. Iterating again is the next epoch. Source: [hamilton2017inductive].

    Args:
        graph: A ``Graph`` or torch-geometric's ``Data``: its ``num_nodes``, ``edge_index`` and,
            where they are, ``x`` and ``y`` are taken.
        num_neighbors: Neighbours of each node in each hop, -1 for all.
        batch_size: Seeds in a batch.
        edge_index: (2, E) directed edges to follow instead of the graph's, such as those of a
            diffusion: a node's neighbours are the sources of the edges that end in it.
        input_nodes: (M,) seeds or an (n,) mask; all nodes where it is left out.
        shuffle: Whether the seeds come in a new order in each epoch.
        drop_last: Whether to leave out a last batch that is not full.
        seed: Seed of everything drawn.

    Raises:
        ValueError: An argument has the wrong shape or range.
    """

    def __init__(
        self, graph: Any, num_neighbors: Sequence[int] = (15, 10), *, batch_size: int = 1024,
        edge_index: Tensor | None = None, input_nodes: Tensor | None = None, shuffle: bool = False,
        drop_last: bool = False, seed: int = 0,
    ) -> None:  # fmt: skip
        n = int(graph.num_nodes)
        source, target = _checked(graph.edge_index if edge_index is None else edge_index, n)
        if not num_neighbors or any(k < 1 and k != -1 for k in num_neighbors) or batch_size < 1:
            raise ValueError(
                "num_neighbors must be positive or -1, batch_size positive, "
                f"got {list(num_neighbors)} and {batch_size}"
            )
        seeds = torch.arange(n) if input_nodes is None else input_nodes.cpu()
        seeds = seeds.nonzero()[:, 0] if seeds.dtype == torch.bool else seeds
        self._seeds = seeds.numpy()
        if len(np.unique(self._seeds)) != len(self._seeds):
            raise ValueError("input_nodes must not repeat")
        self.num_neighbors = tuple(num_neighbors)
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.seed, self.epoch = seed, 0
        self._x, self._y = graph.x, graph.y
        self._edge = np.argsort(target, kind="stable")
        self._source = source[self._edge]
        self._start = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.bincount(target, minlength=n), out=self._start[1:])
        self._place = np.full(n, -1)  # of a node in the batch being drawn

    def __len__(self) -> int:
        """Give the number of batches of an epoch."""
        whole, rest = divmod(len(self._seeds), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[NeighborBatch]:
        """Draw the batches of the next epoch."""
        epoch, self.epoch = self.epoch, self.epoch + 1
        order = np.arange(len(self._seeds))
        if self.shuffle:
            order = np.random.default_rng((self.seed, epoch)).permutation(order)
        for number in range(len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield self._batch(chosen, np.random.default_rng((self.seed, epoch, number)))

    def _batch(self, chosen: np.ndarray, rng: np.random.Generator) -> NeighborBatch:
        seeds = self._seeds[chosen]
        nodes, edges, sources, targets = [seeds], [], [], []
        self._place[seeds] = np.arange(len(seeds))
        total = len(seeds)
        for count in self.num_neighbors:
            frontier = nodes[-1]
            slots, owner = self._sample(frontier, count, rng)
            found = self._source[slots]
            unseen = found[self._place[found] < 0]
            first = np.sort(np.unique(unseen, return_index=True)[1])
            fresh = unseen[first]  # in the order of discovery
            self._place[fresh] = total + np.arange(len(fresh))
            targets.append(self._place[frontier][owner])
            sources.append(self._place[found])
            edges.append(self._edge[slots])
            nodes.append(fresh)
            total += len(fresh)
        n_id = np.concatenate(nodes)
        self._place[n_id] = -1
        tensor = torch.from_numpy(n_id)
        local = np.stack([np.concatenate(sources), np.concatenate(targets)])
        return NeighborBatch(
            tensor, torch.from_numpy(chosen), len(chosen), torch.from_numpy(local),
            torch.from_numpy(np.concatenate(edges)), tuple(len(part) for part in nodes),
            tuple(len(part) for part in edges), *(
                None if column is None else column[tensor.to(column.device)]
                for column in (self._x, self._y)
            ),
        )  # fmt: skip

    def _sample(
        self, nodes: np.ndarray, count: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose slots of the sorted edges, and the place of the node that each belongs to."""
        first, degree = self._start[nodes], self._start[nodes + 1] - self._start[nodes]
        few = np.flatnonzero((degree <= count) | (count < 0))
        many = np.flatnonzero((degree > count) & (count >= 0))
        owner = np.repeat(few, degree[few])
        within = np.arange(len(owner)) - np.repeat(
            np.cumsum(degree[few]) - degree[few], degree[few]
        )
        drawn = _without_repeats(degree[many], count, rng)
        owner = np.concatenate([owner, np.repeat(many, max(count, 0))])
        slots = first[owner] + np.concatenate([within, drawn.reshape(-1)])
        order = np.argsort(owner, kind="stable")
        return slots[order], owner[order]


def _without_repeats(sizes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw for each size ``count`` different numbers below it, by Floyd's algorithm.

    At step i a number up to top = size - count + i is drawn; where it is chosen already, top is
    chosen, which cannot be: each set of numbers comes with the same probability, and the cost does
    not grow with the size, however large a hub is.
    """
    chosen = np.full((len(sizes), max(count, 0)), -1)
    for i in range(count if len(sizes) else 0):
        top = sizes - count + i
        value = rng.integers(0, top + 1)
        chosen[:, i] = np.where((chosen[:, :i] == value[:, None]).any(axis=1), top, value)
    return chosen


def _checked(edge_index: Tensor, num_nodes: int) -> np.ndarray:
    if edge_index.ndim != 2 or len(edge_index) != 2 or edge_index.dtype != torch.int64:
        raise ValueError(
            f"edge_index must be (2, E) int64, got {tuple(edge_index.shape)} {edge_index.dtype}"
        )
    if edge_index.shape[1] and not 0 <= edge_index.min() <= edge_index.max() < num_nodes:
        raise ValueError(f"edge_index must be in 0..{num_nodes - 1}")
    return edge_index.cpu().numpy()
