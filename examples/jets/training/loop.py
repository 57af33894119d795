"""The training loop: steps, epochs, validation, stopping, and a state to go on from."""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from taggers import Tagger
from taggers.sizes import learning_rate
from torch import Tensor
from tqdm import tqdm

from noneuclid.datasets import Jets
from noneuclid.optim import RiemannianAdamW, clip_riemannian_grad_norm_, groups
from training import distributed
from training.averaging import averaged
from training.curvatures import curvatures
from training.data import Data
from training.evaluation import forward, metrics, predict
from training.schedule import scheduler
from training.settings import TrainingSettings


class DivergenceError(RuntimeError):
    """The loss is no number any more."""


class Trainer:
    """Train a tagger; between any two steps its state is complete.

    Args:
        model: on its device.
        data: the loaders.
        settings: of the training.
        device: of the model.
    """

    def __init__(
        self, model: Tagger, data: Data, settings: TrainingSettings, device: torch.device
    ) -> None:
        self.model, self.data, self.settings, self.device = model, data, settings, device
        rate = settings.lr or learning_rate(model.recipe["parameters"])
        own = rate if settings.curvature_lr is None else settings.curvature_lr
        self.optimizer = RiemannianAdamW(
            groups(model, curvature_lr=own), lr=rate, weight_decay=settings.weight_decay
        )
        self.steps = settings.epochs * -(-len(data.train) // settings.accumulate)
        self.spent = 0.0  # CPU-seconds of all steps, of all processes; known where they are bounded
        self.scheduler = scheduler(
            self.optimizer, settings.schedule, self.steps, settings.warmup, self._place
        )
        self.average = averaged(model, settings.ema)
        wrapped = distributed.wrap(model, device)
        self.forward = torch.compile(wrapped) if settings.compile else wrapped
        self.wrapped = wrapped
        self.first_curvatures = curvatures(model)
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.loss = self.jets = self.seconds = self.cpu_seconds = 0.0  # of the epoch, so far
        self.best = -math.inf
        self.best_epoch = 0

    @property
    def evaluated(self) -> torch.nn.Module:
        """The model that is validated: the average where there is one."""
        return self.model if self.average is None else self.average.module

    @property
    def finished(self) -> bool:
        """Whether epochs or time are used up, or validation has not become better for too long."""
        done = len(self.history)
        patience = self.settings.patience
        waited = bool(patience and done - self.best_epoch >= patience)
        late = self.is_late and not self.jets  # what was begun is validated first
        return done >= self.settings.epochs or late or waited

    @property
    def is_late(self) -> bool:
        """Whether the CPU-seconds are used up."""
        limit = self.settings.cpu_seconds
        return bool(limit) and self.spent >= limit

    def _place(self, step: int) -> float:
        """Return where on the schedule a step is: by the steps or the time, what ends sooner."""
        limit = self.settings.cpu_seconds
        return max(step, self.steps * min(1.0, self.spent / limit)) if limit else step

    def epoch(self, after_step: Callable[[], None]) -> bool:
        """Train to the end of the epoch, or of the time, and validate; tell whether it is the best.

        Args:
            after_step: called between steps; what it raises ends the epoch, to be continued.
        """
        self.model.train()
        bar = tqdm(
            total=len(self.data.train),
            initial=self.data.train.batches,
            desc=f"epoch {len(self.history) + 1}",
            unit="batch",
            leave=False,
            disable=distributed.rank() > 0 or None,
        )
        with bar:
            for batches in _grouped(iter(self.data.train), self.settings.accumulate):
                if self.is_late:
                    break
                begin, cpu = time.perf_counter(), time.process_time()
                loss = self._step(batches)
                self.seconds += time.perf_counter() - begin
                self._spend(time.process_time() - cpu)
                bar.update(len(batches))
                bar.set_postfix_str(f"loss {loss:.4f}")
                after_step()
        return self._validate()

    def _step(self, batches: list[Jets]) -> float:
        """Take one step; return its loss."""
        count = sum(len(jets) for jets in batches)
        total = torch.zeros((), device=self.device)
        self.optimizer.zero_grad()
        for number, jets in enumerate(batches):
            share = len(jets) / count
            with self._quiet(number < len(batches) - 1):
                loss = share * self._loss(jets.to(self.device, non_blocking=True))
                loss.backward()
            total += loss.detach()
        value = float(total)
        if not math.isfinite(value):
            raise DivergenceError(
                f"the loss is {value} at step {self.step + 1}: lower --lr, or lengthen --warmup"
            )
        if self.settings.clip:
            clip_riemannian_grad_norm_(list(self.model.parameters()), self.settings.clip)
        self.optimizer.step()
        self.scheduler.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.step += 1
        self.loss += value * count
        self.jets += count
        return value

    def _spend(self, cpu_seconds: float) -> None:
        """Count the time of a step."""
        self.cpu_seconds += cpu_seconds
        if self.settings.cpu_seconds:
            self.spent += distributed.total(cpu_seconds, self.device)

    def _loss(self, jets: Jets) -> Tensor:
        return F.cross_entropy(forward(self.forward, jets, self.settings.amp), jets.classes)

    def _quiet(self, more: bool) -> Any:
        """Keep the processes from adding their gradients up before the last batch of a step."""
        if more and distributed.world_size() > 1:
            return self.wrapped.no_sync()
        return nullcontext()

    def _validate(self) -> bool:
        """End the epoch: validate, write the row, and tell whether it is the best."""
        data = self.data
        data.validation.set_epoch(0)
        said = predict(
            self.evaluated, data.validation, data.normalization, self.device, self.settings.amp
        )
        found = metrics(said, data.is_signal)
        sums = [sum(values) for values in zip(*distributed.gather(self._sums()), strict=True)]
        loss, jets, cpu_seconds = sums
        row = {
            "epoch": len(self.history) + 1.0,
            "step": float(self.step),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "train_loss": loss / jets,
            **{
                f"validation_{k}": float(found.get(k, math.nan))
                for k in ("loss", "accuracy", "auc")
            },
            "seconds": self.seconds,
            "cpu_seconds": cpu_seconds,
            "jets_per_second": jets / self.seconds,
            **curvatures(self.evaluated),
        }
        self.history.append(row)
        self.loss = self.jets = self.seconds = self.cpu_seconds = 0.0
        watched = row["validation_auc"] if self.settings.watch == "auc" else -found["loss"]
        better = watched > self.best or not self.best_epoch
        if better:
            self.best, self.best_epoch = watched, len(self.history)
        return better

    def _sums(self) -> tuple[float, float, float]:
        return self.loss, self.jets, self.cpu_seconds

    # -- the state -----------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the state between two steps; all processes call it together."""
        return {
            "model": self.model.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "loader": self.data.train.state_dict(),
            "progress": distributed.gather({name: getattr(self, name) for name in _PROGRESS}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a state.

        Raises:
            ValueError: it was taken with other jets; the message says what differs.
        """
        self.data.train.load_state_dict(state["loader"])
        self.model.load_state_dict(state["model"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        for name in _PROGRESS:
            setattr(self, name, state["progress"][distributed.rank()][name])


_PROGRESS = (
    "step", "history", "loss", "jets", "seconds", "cpu_seconds", "spent", "best", "best_epoch",
)  # fmt: skip


def _grouped(batches: Iterator[Jets], size: int) -> Iterator[list[Jets]]:
    """Give lists of `size` batches, the last one of what is left."""
    while group := list(itertools.islice(batches, size)):
        yield group
