"""Figures of what a tagger achieves on the test jets."""

import itertools
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from noneuclid.metrics import background_rejection, roc_auc

_LEAST = 10  # background jets on which a point of a curve rests
_PT_BINS, _CALIBRATION_BINS = 6, 15
SIGNAL, BACKGROUND = "C1", "C0"


def roc(labels: np.ndarray, scores: np.ndarray) -> tuple[Figure, str]:
    """Draw background rejection against signal efficiency."""
    signal = np.sort(scores[labels == 1])
    background = np.sort(scores[labels == 0])
    efficiency = np.linspace(0.05, 1, 200)
    cuts = np.quantile(signal, 1 - efficiency)
    passing = len(background) - np.searchsorted(background, cuts)
    shown = passing >= _LEAST
    rejection = len(background) / passing[shown]
    error = rejection / np.sqrt(passing[shown])
    figure = Figure(figsize=(5.6, 4.2))
    axes = figure.subplots()
    axes.fill_between(
        efficiency[shown], rejection - error, rejection + error, color=SIGNAL, alpha=0.25, lw=0
    )
    axes.plot(efficiency[shown], rejection, color=SIGNAL, linewidth=1.5)
    axes.set(
        yscale="log",
        xlim=(0, 1),
        xlabel="signal efficiency",
        ylabel="background rejection 1/eB",
        title=f"AUC {roc_auc(labels, scores):.4f}",
    )
    axes.grid(alpha=0.3, which="both")
    return figure, (
        f"Background rejection of {len(background):,} test jets, with the statistical error of one"
        f" standard deviation; where fewer than {_LEAST} background jets pass, nothing is drawn."
    )


def rejection_against_pt(
    labels: np.ndarray, scores: np.ndarray, pt: np.ndarray
) -> tuple[Figure, str]:
    """Draw the rejection at fixed signal efficiencies in bins of pT."""
    edges = np.quantile(pt, np.linspace(0, 1, _PT_BINS + 1))
    figure = Figure(figsize=(5.6, 4.2))
    axes = figure.subplots()
    for efficiency, color, shift in ((0.5, SIGNAL, -0.02), (0.3, BACKGROUND, 0.02)):
        points = []
        for low, high in itertools.pairwise(edges):
            inside = (pt >= low) & (pt <= high)
            if 0 < labels[inside].sum() < inside.sum():
                value, passing = background_rejection(labels[inside], scores[inside], efficiency)
                if passing:
                    middle = (low + high) / 2 + shift * (high - low)
                    points.append((middle, value, value / passing**0.5, (high - low) / 2))
        if points:
            x, y, error, width = zip(*points, strict=True)
            axes.errorbar(
                x, y, error, width, "o", color=color, capsize=2, ms=4,
                label=f"signal efficiency {efficiency:.0%}",
            )  # fmt: skip
    axes.set(xlabel="jet pT / GeV", ylabel="background rejection 1/eB", ylim=(0, None))
    axes.grid(alpha=0.3)
    if axes.containers:
        axes.legend(frameon=False)
    return figure, (
        "In each bin the cut is the one that keeps this share of the signal there. Bins hold"
        " equally many jets."
    )


def calibration(labels: np.ndarray, scores: np.ndarray) -> tuple[Figure, str]:
    """Draw how often jets are signal against how probable the tagger finds that."""
    probability = 1 / (1 + np.exp(-np.clip(scores, -500, 500)))
    number = np.minimum((probability * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    figure = Figure(figsize=(5.6, 5.2))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    gap = 0.0
    for one in range(_CALIBRATION_BINS):
        inside = number == one
        count = int(inside.sum())
        if count:
            said, seen = probability[inside].mean(), labels[inside].mean()
            gap += count / len(labels) * abs(said - seen)
            error = np.sqrt(max(seen * (1 - seen), 1 / count) / count)
            axes.errorbar(said, seen, error, fmt="o", color=SIGNAL, capsize=2, ms=4)
    axes.plot((0, 1), (0, 1), color="0.6", linewidth=1, linestyle="--")
    axes.set(ylabel="share that is signal", xlim=(0, 1), ylim=(-0.02, 1.02))
    axes.set_title(f"expected calibration error {gap:.4f}")
    for value, color, name in ((0, BACKGROUND, "background"), (1, SIGNAL, "signal")):
        below.hist(
            probability[labels == value], bins=40, range=(0, 1), color=color, alpha=0.6, label=name
        )
    below.set(xlabel="probability of signal", ylabel="jets", yscale="log")
    below.legend(frameon=False, fontsize=8)
    return figure, (
        "Mean probability and share of signal in 15 bins of the probability, with binomial errors;"
        " on the dashed line the tagger is right about itself. Below, the jets in each bin."
    )


def confusion(classes: np.ndarray, logits: np.ndarray, names: list[str]) -> tuple[Figure, str]:
    """Draw where the jets of each class go."""
    count = len(names)
    table = np.zeros((count, count))
    np.add.at(table, (classes, logits.argmax(1)), 1)
    table /= np.maximum(table.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(1.8 + 0.7 * count, 1.4 + 0.6 * count))
    axes = figure.subplots()
    axes.imshow(table, cmap="Blues", vmin=0, vmax=1)
    for row, values in enumerate(table):
        for column, value in enumerate(values):
            color = "white" if value > 0.6 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=color)
    axes.set_xticks(range(count), names, rotation=45, ha="right")
    axes.set_yticks(range(count), names)
    axes.set(xlabel="most probable class", ylabel="true class")
    return figure, "Share of the jets of each class (rows) that the tagger puts into each class."


def draw(results: dict[str, Any], found: Any) -> list[tuple[str, Figure, str]]:
    """Draw all of them: (title, figure, caption)."""
    scores = found.scores(tuple(results["is_signal"]))
    figures = []
    if 0 < found.labels.sum() < len(found.labels):
        figures = [
            ("ROC", *roc(found.labels, scores)),
            ("Rejection against pT", *rejection_against_pt(found.labels, scores, found.pt)),
            ("Calibration", *calibration(found.labels, scores)),
        ]
    names = results["class_names"]
    if len(names) > 2:
        figures.append(("Classes", *confusion(found.classes, found.logits, names)))
    return figures
