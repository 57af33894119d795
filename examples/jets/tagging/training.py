"""One training run: a model, a seed, a result that can be written as JSON."""

import hashlib
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from noneuclid.datasets import Jets, load_jets
from noneuclid.metrics import accuracy, background_rejection, roc_auc
from noneuclid.models import PMMLP, EuclideanMLP
from noneuclid.optim import RiemannianAdam

BASELINE = "Euclidean MLP"
FLOOR = "observables"
GRID = np.linspace(0.01, 1.0, 100)  # signal efficiencies of the stored ROC curve
VALIDATION = 0.1  # share of the training events kept aside to watch the training
FLOOR_WIDTH, FLOOR_EPOCHS = 64, 12
DISK, DISK_SIGNATURE, DISK_POINTS = "disk", "H2*", 1500


@dataclass(frozen=True)
class Settings:
    """What a result depends on, besides model and seed; a stored result is reused if it agrees."""

    data: str  # name and digest
    train_jets: int
    test_jets: int
    particles: int
    parameters: int
    epochs: int
    batch: int
    lr: float


@dataclass(frozen=True)
class Data:
    """Training, validation and test jets; no event is in two of them."""

    train: Jets
    validation: Jets
    test: Jets

    def digest(self) -> str:
        """Return a name of what the models see: other jets, however alike their files, differ."""
        found = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            for column in (part.features, part.mask, part.labels, part.observables):
                found.update(repr(tuple(column.shape)).encode())
                found.update(column.contiguous().numpy())
        return found.hexdigest()[:16]


def read(path: str, particles: int, max_jets: int) -> Data:
    """Read a folder with the files train and test, or split other jets by event, 3 to 1."""
    try:
        test = load_jets(path, split="test", max_particles=particles, max_jets=max_jets)
        train = load_jets(path, split="train", max_particles=particles, max_jets=max_jets)
    except ValueError as error:
        if "split" not in str(error):
            raise
        jets = load_jets(path, max_particles=particles, max_jets=max_jets)
        train, test = jets.split_by_event(0.75)
    validation, train = train.split_by_event(VALIDATION)
    for name, part in (("train", train), ("validate", validation), ("test", test)):
        if len(part.labels.unique()) < 2:
            raise ValueError(f"{path} has too few jets: both classes are needed to {name}")
    return Data(train, validation, test)


def build(name: str, parameters: int) -> nn.Module:
    """Return the model of a row of the table; ValueError for a signature that cannot be read."""
    if name == BASELINE:
        return EuclideanMLP(7, 2, parameters=parameters)
    if name == FLOOR:
        w = FLOOR_WIDTH
        return nn.Sequential(
            nn.Linear(4, w), nn.ReLU(), nn.Linear(w, w), nn.ReLU(), nn.Linear(w, 2)
        )
    return PMMLP(7, 2, name, parameters=parameters)


def inputs(name: str, data: Data) -> tuple[list[Jets], list[tuple[Tensor, ...]]]:
    """Return the three parts and what the model sees of each; observables are standardised."""
    parts = [data.train, data.validation, data.test]
    if name != FLOOR:
        return parts, [(part.features, part.mask) for part in parts]
    logs = [part.observables.clamp(min=1e-6).log() for part in parts]
    mean, spread = logs[0].mean(0), logs[0].std(0)
    return parts, [((log - mean) / spread,) for log in logs]


def scores(model: nn.Module, seen: tuple[Tensor, ...], batch: int = 1024) -> Tensor:
    """Return the logit differences signal - background of all jets."""
    model.eval()
    with torch.no_grad():
        pieces = zip(*(tensor.split(batch) for tensor in seen), strict=True)
        logits = torch.cat([model(*piece) for piece in pieces])
    return logits[:, 1] - logits[:, 0]


def fit(
    model: nn.Module, seen: tuple[Tensor, ...], labels: Tensor, settings: Settings, epochs: int
) -> list[float]:
    """Train with RiemannianAdam on one cycle of the learning rate; return the loss by epoch."""
    optimizer = RiemannianAdam(model.parameters(), lr=settings.lr)
    steps = epochs * -(-len(labels) // settings.batch)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, total_steps=steps)
    history = []
    for _ in range(epochs):
        model.train()
        total = 0.0
        for index in torch.randperm(len(labels)).split(settings.batch):
            logits = model(*(tensor[index] for tensor in seen))
            loss = nn.functional.cross_entropy(logits, labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            total += loss.item() * len(index)
        history.append(total / len(labels))
    return history


def run(name: str, seed: int, settings: Settings, data: Data) -> dict[str, Any]:
    """Train the model `name` with `seed`; return sizes, costs and the metrics of the test jets.

    The test jets are looked at once, after the last epoch.
    """
    torch.set_num_threads(1)  # the runs beside it are the parallelism
    torch.manual_seed(seed)
    start = time.process_time()
    model = build(name, settings.parameters)
    parts, seen = inputs(name, data)
    epochs = FLOOR_EPOCHS if name == FLOOR else settings.epochs
    history = fit(model, seen[0], parts[0].labels, settings, epochs)
    seconds = time.process_time() - start
    watched, tested = scores(model, seen[1]), scores(model, seen[2])
    labels = data.test.labels
    at_half, at_30 = (background_rejection(labels, tested, e) for e in (0.5, 0.3))
    return {
        "name": name,
        "seed": seed,
        "settings": asdict(settings),
        "parameters": sum(p.numel() for p in model.parameters()),
        "cpu_seconds": seconds,
        "loss": history,
        "validation_auc": roc_auc(data.validation.labels, watched),
        "accuracy": accuracy(labels, tested),
        "auc": roc_auc(labels, tested),
        "rejection_50": [at_half.value, at_half.background_passing],
        "rejection_30": [at_30.value, at_30.background_passing],
        "background_efficiency": background_curve(labels, tested),
        "curvatures": curvatures(model),
    }


def background_curve(labels: Tensor, values: Tensor) -> list[float]:
    """Return the background efficiency at the signal efficiencies of GRID."""
    signal, background = values[labels == 1].double(), values[labels == 0].double()
    cuts = torch.quantile(signal, torch.from_numpy(1 - GRID))
    above = torch.searchsorted(background.sort().values, cuts)
    return (1 - above.double() / len(background)).tolist()


def curvatures(model: nn.Module) -> dict[str, float]:
    """Return the learned curvature of each factor, by its place and model."""
    if not isinstance(model, PMMLP):
        return {}
    factors = getattr(model.manifold, "factors", [model.manifold])
    return {
        f"{i} {type(factor).__name__}": float(factor.curvature)
        for i, factor in enumerate(factors)
        if hasattr(factor, "curvature")
    }


def disk(settings: Settings, data: Data, seed: int = 0) -> dict[str, Any]:
    """Train a PM-MLP through a hyperbolic plane; return its test jets in the Poincare disk.

    The jet's vector has two entries, so that the picture is the embedding itself and no
    projection of a larger one. Radii are in units of the curvature radius.
    """
    import noneuclid as ne

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = PMMLP(7, 2, DISK_SIGNATURE, hidden=16, head=32, norm=False)
    fit(model, (data.train.features, data.train.mask), data.train.labels, settings, settings.epochs)
    test = data.test.subset(slice(0, DISK_POINTS))
    plane = model.manifold
    ball = ne.PoincareBall(2, curvature=float(plane.curvature))
    with torch.no_grad():
        center = plane.expmap0(plane.from_frame(model.embed(test.features, test.mask)))
        points = ne.isometry(plane, ball)(center) * (-ball.curvature()).sqrt()
        auc = roc_auc(test.labels, scores(model, (test.features, test.mask)))
    return {
        "settings": asdict(settings),
        "points": points.tolist(),
        "labels": test.labels.tolist(),
        "curvature": float(plane.curvature),
        "auc": auc,
    }
