"""Figures of how a run went: losses, and the curvatures on their way."""

from typing import Any

from matplotlib.figure import Figure


def losses(history: list[dict[str, float]], best: int) -> tuple[Figure, str]:
    """Draw loss and AUC of each epoch."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(8, 3.4))
    left, right = figure.subplots(1, 2)
    for name, color in (("train", "C0"), ("validation", "C1")):
        values = [row[f"{name}_loss"] for row in history]
        left.plot(epochs, values, "o-", color=color, ms=3, label=name)
    right.plot(epochs, [row["validation_auc"] for row in history], "o-", color="C1", ms=3)
    left.set(xlabel="epoch", ylabel="cross entropy")
    left.legend(frameon=False)
    right.set(xlabel="epoch", ylabel="AUC, validation")
    for axes in (left, right):
        axes.axvline(best, color="0.6", linewidth=1, linestyle="--")
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.tight_layout()
    return figure, (
        "The training loss is the mean over the epoch, while the weights move. Dashed: the epoch"
        " that validated best, whose weights are those of this report."
    )


def curvatures(
    history: list[dict[str, float]], start: dict[str, float]
) -> tuple[Figure, str] | None:
    """Draw the curvature of each factor, epoch by epoch; None without curved factors."""
    if not start:
        return None
    figure = Figure(figsize=(5.6, 3.8))
    axes = figure.subplots()
    lowest, highest = 0.0, 0.0
    for name, first in start.items():
        values = [first, *(row[name] for row in history)]
        lowest, highest = min(lowest, *values), max(highest, *values)
        style = "--" if " jet " in name else "-"
        axes.plot(range(len(values)), values, style, marker="o", ms=3, label=name[2:])
    axes.axhline(0, color="0.6", linewidth=0.8)
    margin = 0.1 * (highest - lowest)
    axes.set(xlabel="epoch", ylabel="curvature K", ylim=(lowest - margin, highest + margin))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    moved = any(abs(row[name] - first) > 0 for row in history for name, first in start.items())
    return figure, (
        "Sectional curvature of each factor, from its first value on."
        + ("" if moved else " None of them learns: write * behind a factor, as in H* x E.")
    )


def draw(results: dict[str, Any]) -> list[tuple[str, Figure, str]]:
    """Draw all of them: (title, figure, caption)."""
    history = results["history"]
    figures = [("Training", *losses(history, results["best_epoch"]))]
    drawn = curvatures(history, results["first_curvatures"])
    if drawn is not None:
        figures.append(("Curvatures", *drawn))
    return figures
