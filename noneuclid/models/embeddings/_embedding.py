"""What all learned embeddings share: a table of points, a resumable run, what it returns."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from noneuclid.layers import Embedding
from noneuclid.layers._initial import Law
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.optim import RiemannianOptimizer

Task = TypeVar("Task")


class Fitted(NamedTuple):
    """Points, (n, S), the metrics that the class states, and the mean loss of every epoch."""

    points: Tensor
    metrics: dict[str, float]
    losses: list[float]


class GraphEmbedding(nn.Module, ABC, Generic[Task]):
    """A point for each node of a graph, fitted epoch by epoch.

    `fit` runs until a number of epochs is reached, so it may be called again for more. The state
    dict holds all of a run: points, curvatures, the optimizer, the generator and the losses. Loaded
    into an embedding of the same arguments, it goes on as if it had never stopped, bit for bit on
    a CPU.

    Args:
        nodes: n.
        manifold: where the points live; its learnable curvatures are learned too.
        seed: of the first points and all draws.
        sparse: whether a step touches the rows of its batch alone.
        law: of the first points, see `noneuclid.layers.Embedding`.
        scale: likewise.
        start: points to start from instead, (n, S).
        dtype: of the points.
        device: likewise.
    """

    optimizer: RiemannianOptimizer

    def __init__(  # noqa: PLR0913 - what a subclass passes on
        self,
        nodes: int,
        manifold: HomogeneousManifold,
        *,
        seed: int = 0,
        sparse: bool = False,
        law: Law = "uniform",
        scale: float = 1.0,
        start: Tensor | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.table = Embedding(
                nodes, manifold, sparse=sparse, law=law, scale=scale, dtype=dtype, device=device
            )
        if start is not None:
            if start.shape != self.points.shape:
                raise ValueError(
                    f"start must have shape {tuple(self.points.shape)}, got {tuple(start.shape)}"
                )
            self.points.copy_(start)
        self.generator = torch.Generator().manual_seed(seed)
        self.epoch = 0
        self.losses: list[float] = []

    @property
    def manifold(self) -> HomogeneousManifold:
        """Return where the points live."""
        return self.table.manifold

    @property
    def points(self) -> Tensor:
        """Return the points as they are now, (n, S), without gradient."""
        return self.table.weight.detach()

    def fit(
        self,
        graph: Tensor,
        epochs: int,
        *,
        progress: bool = True,
        after: Callable[[int], object] | None = None,
    ) -> Fitted:
        """Run until `epochs` epochs have been run in all, and measure the points.

        Args:
            graph: what is fitted, as the class states.
            epochs: in all, those before included; a schedule ends with them.
            progress: whether to show a progress bar.
            after: called with the number of epochs run so far after each, to keep the state dict;
                what it raises ends the run, and a state dict taken then goes on from there.

        Raises:
            ValueError: `graph` does not fit the nodes, or `epochs` < 1. FloatingPointError: the run
                has diverged.
        """
        if epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {epochs}")
        task = self._task(graph)
        bar = tqdm(total=epochs, initial=min(self.epoch, epochs), disable=not progress)
        with bar:
            while self.epoch < epochs:
                self._schedule(epochs)
                loss = self._epoch(task)
                if not (math.isfinite(loss) and bool(self.points.isfinite().all())):
                    raise FloatingPointError(
                        f"epoch {self.epoch} ended at a loss of {loss}, or at points, that are not"
                        " finite: lower the learning rates, that of curvatures first"
                    )
                self.losses.append(loss)
                self.epoch += 1
                bar.update()
                bar.set_postfix(loss=self.losses[-1])
                if after is not None:
                    after(self.epoch)
        with torch.no_grad():
            return Fitted(self.points.clone(), self._metrics(task), list(self.losses))

    @abstractmethod
    def _task(self, graph: Tensor) -> Task:
        """Check what is fitted, and prepare what an epoch needs of it."""

    @abstractmethod
    def _epoch(self, task: Task) -> float:
        """Run an epoch and return its mean loss."""

    @abstractmethod
    def _metrics(self, task: Task) -> dict[str, float]:
        """Measure the points."""

    @abstractmethod
    def _schedule(self, epochs: int) -> None:
        """Set the learning rates of the epoch to come, of `epochs` in all."""

    def _set_rates(self, *rates: float) -> None:
        """Set the learning rates of points and, where some are learned, of curvatures."""
        for group, lr in zip(self.optimizer.param_groups, rates, strict=False):
            group["lr"] = lr

    def get_extra_state(self) -> dict[str, Any]:
        """Return what the state dict holds beside points and curvatures."""
        return {
            "epoch": self.epoch,
            "losses": list(self.losses),
            "generator": self.generator.get_state(),
            "optimizer": self.optimizer.state_dict(),
        }

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state."""
        self.epoch, self.losses = state["epoch"], list(state["losses"])
        self.generator.set_state(state["generator"].cpu())
        self.optimizer.load_state_dict(dict(state["optimizer"]))


def checked_pairs(edges: Tensor, nodes: int) -> Tensor:
    """Return edges (E, 2) as int64, or raise ValueError where they are no pairs of nodes."""
    if edges.dim() != 2 or edges.shape[1] != 2 or edges.is_floating_point() or not len(edges):
        raise ValueError(
            f"edges must be integers (E, 2), at least one, got {edges.dtype} {tuple(edges.shape)}"
        )
    if int(edges.min()) < 0 or int(edges.max()) >= nodes:
        raise ValueError(f"edges must join nodes 0 to {nodes - 1}, got up to {int(edges.max())}")
    if bool((edges[:, 0] == edges[:, 1]).any()):
        raise ValueError("edges must join different nodes")
    return edges.long()


def cosine(epoch: int, epochs: int) -> float:
    """Return the share of the learning rate in an epoch: from 1 down to near 0."""
    return (1 + math.cos(math.pi * epoch / epochs)) / 2
