"""What a tagger says of jets, and the numbers that sum it up."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from noneuclid.datasets import FeatureNormalization, Jets
from noneuclid.datasets.jet_features import feature_names
from noneuclid.metrics import accuracy, background_rejection, roc_auc
from training import distributed

EFFICIENCIES = (0.3, 0.5, 0.7)  # of the signal, at which rejections are quoted


@dataclass(frozen=True)
class Predictions:
    """N jets with their logits.

    Attributes:
        logits: (N, classes) float64.
        classes: (N,) true class.
        labels: (N,) 1 for signal, 0 for background.
        events: (N,) number of the collision.
        pt: (N,) of the jet, in GeV; 0 where it has no particles.
        mass: (N,) of the jet, in GeV.
        multiplicity: (N,) of the jet.
    """

    logits: np.ndarray
    classes: np.ndarray
    labels: np.ndarray
    events: np.ndarray
    pt: np.ndarray
    mass: np.ndarray
    multiplicity: np.ndarray

    def scores(self, is_signal: tuple[bool, ...]) -> np.ndarray:
        """Return ln P(signal) / P(background): (N,)."""
        signal = np.array(is_signal)
        return np.logaddexp.reduce(self.logits[:, signal], axis=1) - np.logaddexp.reduce(
            self.logits[:, ~signal], axis=1
        )

    def loss(self) -> float:
        """Return the mean cross entropy."""
        normalised = self.logits - np.logaddexp.reduce(self.logits, axis=1, keepdims=True)
        return float(-normalised[np.arange(len(self.classes)), self.classes].mean())


@torch.no_grad()
def predict(
    model: nn.Module,
    batches: Iterable[Jets],
    normalization: FeatureNormalization,
    device: torch.device,
    amp: bool = False,
) -> Predictions:
    """Return what a model says of all jets, those of the other processes included."""
    model.eval()
    parts: list[list[np.ndarray]] = []
    for jets in batches:
        logits = forward(model, jets.to(device), amp).double().cpu()
        columns = (
            logits,
            jets.classes,
            jets.labels,
            jets.events,
            jet_pt(jets, normalization),
            *jets.observables[:, :2].unbind(1),
        )
        parts.append([column.cpu().numpy() for column in columns])
    parts = [part for rank in distributed.gather(parts) for part in rank]
    return Predictions(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def jet_pt(jets: Jets, normalization: FeatureNormalization) -> Tensor:
    """Return the jets' pT / GeV, of all their particles and not only of those read: (N,).

    From two features of the leading particle, ln pT - ln(pT / pT_jet), with the normalization
    taken back.
    """
    names = feature_names(jets.feature_set)
    own, relative = (
        jets.features[:, 0, i].double() / standard.scale + standard.centre
        for i, standard in enumerate(normalization.standards)
        if names[i] in ("log pT", "log pT/pT_jet")
    )
    return torch.where(jets.mask[:, 0], (own - relative).exp(), 0).float()


def forward(model: nn.Module, jets: Jets, amp: bool) -> Tensor:
    """Return the logits of a batch, in float32."""
    with torch.autocast(jets.features.device.type, torch.bfloat16, enabled=amp):
        logits = model(jets.features, mask=jets.mask, momenta=jets.momenta)
    return logits.float()


def metrics(found: Predictions, is_signal: tuple[bool, ...]) -> dict[str, Any]:
    """Return loss, accuracy, AUC and rejections with their statistical errors.

    Accuracy is over all classes; AUC and rejections are signal against background.
    """
    scores = found.scores(is_signal)
    if not np.isfinite(scores).all():
        return {"loss": float("nan"), "accuracy": float("nan"), "auc": float("nan")}
    result: dict[str, Any] = {
        "loss": found.loss(),
        "accuracy": float((found.logits.argmax(1) == found.classes).mean()),
    }
    if 0 < found.labels.sum() < len(found.labels):
        result["auc"] = roc_auc(found.labels, scores)
        for efficiency in EFFICIENCIES:
            value, passing = background_rejection(found.labels, scores, efficiency)
            result[f"rejection_{efficiency:.0%}".rstrip("%")] = [value, passing]
        result["signal_accuracy"] = accuracy(found.labels, scores, threshold=0.0)
    return result


def one_against_rest(found: Predictions, class_names: tuple[str, ...]) -> dict[str, float]:
    """Return the AUC of each class against all others, by its probability."""
    normalised = found.logits - np.logaddexp.reduce(found.logits, axis=1, keepdims=True)
    return {
        name: roc_auc((found.classes == code).astype(int), normalised[:, code])
        for code, name in enumerate(class_names)
        if 0 < (found.classes == code).sum() < len(found.classes)
    }
