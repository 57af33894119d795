"""Self-supervised training: Algorithm 1 of SelfMGNN, and of every encoder with its own loss."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from tqdm import trange

from noneuclid.manifolds import manifold_of
from noneuclid.models.graphs.encoder import GraphData, SelfSupervised
from noneuclid.optim import RiemannianAdam, groups


class Pretraining:
    """Training of an encoder by its own loss, which can stop and go on anywhere.

    Each epoch draws what is random in it from the seed and its number: a run that was stopped and
    resumed by `load_state_dict` gives the same numbers as one that was not.

    Args:
        encoder: trained in place.
        data: the graph, with training edges only: one step an epoch. Or a function that gives the
            graphs of an epoch from its number, such as batches of a sampled graph: a step for each.
        epochs: E.
        lr: of Adam.
        curvature_lr: of the curvatures; by default `lr`.
        weight_decay: of all but the curvatures.
        patience: epochs without a smaller loss until training stops; never by default.
        seed: of everything drawn.
        progress: whether to show a bar.

    Attributes:
        losses: of the epochs so far.

    Source: [sun2022self] Algorithm 1.
    """

    def __init__(  # noqa: PLR0913 - the options of a training, by keyword
        self,
        encoder: SelfSupervised,
        data: GraphData | Callable[[int], Iterable[GraphData]],
        *,
        epochs: int = 200,
        lr: float = 1e-3,
        curvature_lr: float | None = None,
        weight_decay: float = 0.0,
        patience: int | None = None,
        seed: int = 0,
        progress: bool = False,
    ) -> None:
        self.encoder, self.data = encoder, data
        self.epochs, self.patience = epochs, patience
        self.seed, self.progress = seed, progress
        self.losses: list[float] = []
        self.optimizer = optimizer_of(encoder, lr, weight_decay, curvature_lr)

    def run(self) -> list[float]:
        """Train until the last epoch or until patience ends; return the losses of all epochs."""
        bar = trange(len(self.losses), self.epochs, disable=not self.progress, desc="pretraining")
        for _ in bar:
            if self.is_over():
                break
            bar.set_postfix(loss=f"{self.step():.4f}")
        return self.losses

    def is_over(self) -> bool:
        """Tell whether the loss has not become smaller for `patience` epochs."""
        if self.patience is None or not self.losses:
            return False
        best = self.losses.index(min(self.losses))
        return len(self.losses) - 1 - best >= self.patience

    def step(self) -> float:
        """Train one epoch and return its mean loss."""
        with seeded(self.seed, len(self.losses)):
            self.encoder.train()
            batches = self.data(len(self.losses)) if callable(self.data) else [self.data]
            values = [self._descend(batch) for batch in batches]
        self.losses.append(sum(values) / max(len(values), 1))
        return self.losses[-1]

    def _descend(self, batch: GraphData) -> float:
        self.optimizer.zero_grad()
        loss = self.encoder.contrast(batch)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs to go on."""
        return {
            "encoder": self.encoder.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "losses": list(self.losses),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was called."""
        self.encoder.load_state_dict(state["encoder"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.losses = list(state["losses"])


@contextmanager
def seeded(seed: int, epoch: int) -> Iterator[None]:
    """Draw from a generator that the seed and the epoch set, and leave torch's as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed * 1_000_003 + epoch)  # of which it reads 32 bits
        yield


def optimizer_of(
    module: torch.nn.Module,
    lr: float,
    weight_decay: float,
    curvature_lr: float | None,
    kept: Collection[torch.nn.Parameter] = (),
) -> torch.optim.Optimizer:
    """Return Adam for all parameters but the `kept` ones; Riemannian, if some are points."""
    parts = groups(module, curvature_lr=lr if curvature_lr is None else curvature_lr)
    for part in parts:
        part["params"] = [(name, p) for name, p in part["params"] if p not in kept]
    parts = [part for part in parts if part["params"]]
    has_points = any(manifold_of(p) is not None for part in parts for _, p in part["params"])
    adam = RiemannianAdam if has_points else torch.optim.Adam
    return adam(parts, lr=lr, weight_decay=weight_decay)
