"""The figures of the page."""

from pathlib import Path

import numpy as np
from analysis.bins import Bin
from matplotlib.figure import Figure
from measured import Measured, label
from tables import series

DPI = 110
STYLES = {"part": "C1", "pm-transformer": "C3", "HxE": "C3", "euclidean-transformer": "C0"}


def courses(measured: Measured, sizes: list[str]) -> Figure:
    """Draw the AUC of the validation jets against the CPU-seconds spent, a panel for each size."""
    figure = Figure(figsize=(4.6 * len(sizes), 3.8))
    for axes, size in zip(figure.subplots(1, len(sizes), squeeze=False)[0], sizes, strict=True):
        for number, model in enumerate(measured.models("main", size)):
            color = STYLES.get(model, f"C{number + 4}")
            for row in measured.of("main", size, model):
                course = row["history"]
                axes.plot(course["cpu_seconds"], course["validation_auc"], color=color, lw=0.8,
                          marker=".", ms=3, alpha=0.8)  # fmt: skip
            axes.plot([], [], color=color, label=label(model))
        axes.set(title=f"{size} parameters", xlabel="CPU-s of training steps", ylim=(0.92, 0.985))
        axes.axhline(0.982, color="0.6", lw=0.8, ls="--")
        axes.legend(frameon=False, fontsize=6.5, loc="lower right")
    figure.axes[0].set_ylabel("AUC, validation jets")
    figure.tight_layout()
    return figure


def lines(measured: Measured, prefixes: dict[str, str]) -> Figure:
    """Draw the AUC of the test jets against a number, a panel for each series of blocks."""
    figure = Figure(figsize=(4.8 * len(prefixes), 3.6))
    panels = figure.subplots(1, len(prefixes), squeeze=False)[0]
    for axes, (prefix, name) in zip(panels, prefixes.items(), strict=True):
        blocks = series(measured, prefix)
        models = dict.fromkeys(m for block in blocks for m in measured.models("ablations", block))
        for number, model in enumerate(models):
            points = [
                (x, value)
                for block, x in blocks.items()
                for value in measured.values("ablations", block, model, "auc")
            ] if blocks else []  # fmt: skip
            x, y = np.array(points).T
            color = STYLES.get(model, f"C{number + 4}")
            axes.plot(x, y, ".", color=color, ms=4)
            at = np.unique(x)
            axes.plot(at, [y[x == one].mean() for one in at], color=color, lw=1, label=label(model))
        axes.set(xscale="log", xlabel=name, ylabel="AUC, test jets")
        axes.legend(frameon=False, fontsize=7)
    figure.tight_layout()
    return figure


def bins(found: dict[str, list[Bin]]) -> Figure:
    """Draw the difference of two taggers in bins of delta, a series for each size."""
    figure = Figure(figsize=(5.6, 3.6))
    axes = figure.subplots()
    for number, (name, own) in enumerate(found.items()):
        x = np.array([(each.low + each.high) / 2 for each in own]) + 0.002 * number
        value, low, high = (
            1e4 * np.array([getattr(each.difference, end) for each in own])
            for end in ("value", "low", "high")
        )
        axes.errorbar(x, value, [value - low, high - value], fmt="o", ms=4, lw=1, label=name)
    axes.axhline(0, color="0.6", lw=0.8)
    axes.set(xlabel="relative delta of the jet", ylabel="accuracy, H* x E − flat / 1e-4")
    axes.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure


def gates(chosen: np.ndarray, delta: np.ndarray, labels: np.ndarray) -> Figure:
    """Draw the curvature that jets chose against their delta: medians and the middle half."""
    figure = Figure(figsize=(5.6, 3.6))
    axes = figure.subplots()
    edges = np.quantile(delta, np.linspace(0, 1, 11))
    for code, name in ((0, "QCD"), (1, "top")):
        own = labels == code
        place = np.clip(np.searchsorted(edges, delta[own], side="right") - 1, 0, 9)
        kept = [b for b in range(10) if (place == b).sum() > 10]
        x = [(edges[b] + edges[b + 1]) / 2 for b in kept]
        low, mid, high = np.array(
            [np.quantile(chosen[own][place == b], [0.25, 0.5, 0.75]) for b in kept]
        ).T
        axes.fill_between(x, low, high, alpha=0.2, color=f"C{code}")
        axes.plot(x, mid, "o-", ms=3, color=f"C{code}", label=name)
    axes.set(xlabel="relative delta of the jet", ylabel="mean K that the jet chose")
    axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    temporary.replace(path)
