"""The table and the figures of `tag.py`."""

import importlib.util
import statistics
from pathlib import Path
from typing import Any

from tagging.training import BASELINE, FLOOR, GRID

ENOUGH_BACKGROUND = 100  # background jets that must pass for a rejection to be quoted
Results = dict[str, list[dict[str, Any]]]  # row of the table -> runs, one for each seed


def spread(values: list[float], digits: int, *, several: bool = True) -> str:
    """Return "mean +- standard deviation over the seeds", or the one value there is."""
    text = f"{statistics.fmean(values):.{digits}f}"
    return (
        f"{text} +- {statistics.stdev(values):.{digits}f}" if several and len(values) > 1 else text
    )


def rejection(runs: list[dict[str, Any]], key: str, enough: int) -> str:
    """Return the rejection, or a dash where fewer than `enough` background jets pass in a seed."""
    if min(run[key][1] for run in runs) < enough:
        return "-"
    return spread([run[key][0] for run in runs], 0)


def table(results: Results) -> str:
    """Return the table, floor first."""
    head = ("model", "parameters", "accuracy", "AUC", "1/eB 50 %", "1/eB 30 %", "CPU s")
    rows = [head]
    for name, runs in results.items():
        label = "4 observables, MLP (floor)" if name == FLOOR else name
        rows.append((
            label,
            str(runs[0]["parameters"]),
            spread([run["accuracy"] for run in runs], 4),
            spread([run["auc"] for run in runs], 4),
            rejection(runs, "rejection_50", 1),
            rejection(runs, "rejection_30", ENOUGH_BACKGROUND),
            spread([run["cpu_seconds"] for run in runs], 1, several=False),
        ))  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    seeds, jets = len(next(iter(results.values()))), next(iter(results.values()))[0]["settings"]
    lines += [
        f"mean +- standard deviation over {seeds} seed{'s' if seeds > 1 else ''};"
        f" {jets['train_jets']} jets to train, {jets['test_jets']} to test;"
        " CPU s is the training of one seed on one core.",
        f"1/eB 30 % is quoted where at least {ENOUGH_BACKGROUND} background jets pass, else -."
        " PM-MLPs are named by their signature; * is a learned curvature.",
    ]
    return "\n".join(line.rstrip() for line in lines)


def can_draw() -> bool:
    """Tell whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(results: Results, picture: dict[str, Any], out: Path) -> list[Path]:
    """Write the ROC curves, the jets in the disk and the learned curvatures; return their paths."""
    import matplotlib

    matplotlib.use("Agg")
    figures = [(_roc(results), "roc.png"), (_disk(picture), "disk.png")]
    if any(run["curvatures"] for runs in results.values() for run in runs):
        figures.append((_curvatures(results), "curvatures.png"))
    for figure, name in figures:
        figure.savefig(out / name, dpi=150, bbox_inches="tight")
    return [out / name for _, name in figures]


def _roc(results: Results) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5))
    axes = figure.subplots()
    for i, (name, runs) in enumerate(results.items()):
        curve = [
            statistics.fmean(values)
            for values in zip(*(run["background_efficiency"] for run in runs), strict=True)
        ]
        shown = [(s, 1 / b) for s, b in zip(GRID, curve, strict=True) if b > 0 and s >= 0.2]
        plain = name in (FLOOR, BASELINE)
        label = "4 observables (floor)" if name == FLOOR else name
        axes.plot(
            *zip(*shown, strict=True),
            label=label,
            color=("0.6" if name == FLOOR else "black") if plain else f"C{i}",
            linestyle="--" if plain else "-",
            linewidth=1.4,
        )
    axes.set(
        yscale="log",
        xlabel="signal efficiency (top jets kept)",
        ylabel="background rejection 1 / eB",
        title="Top tagging, mean over seeds, models of equal size",
        xlim=(0.2, 1),
    )
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False, fontsize=9)
    return figure


def _disk(picture: dict[str, Any]) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle

    figure = Figure(figsize=(5.5, 6))
    axes = figure.subplots()
    axes.add_patch(Circle((0, 0), 1, fill=False, color="black", linewidth=1.2))
    points = list(zip(picture["points"], picture["labels"], strict=True))
    for label, color, name in ((0, "C0", "QCD"), (1, "C1", "top")):
        chosen = [point for point, truth in points if truth == label]
        axes.scatter(*zip(*chosen, strict=True), s=6, alpha=0.5, color=color, label=name, lw=0)
    axes.set(xlim=(-1.03, 1.03), ylim=(-1.03, 1.03), aspect="equal", xticks=[], yticks=[])
    axes.axis("off")
    axes.legend(frameon=False, loc="upper right", markerscale=3)
    caption = (
        f"{len(points)} test jets in the Poincare disk (circle: infinity). An extra PM-MLP, not\n"
        f"in the table, whose jet vector has two entries: its signature is H2, so nothing was\n"
        f"projected. A point is exp_o of the mean of log_o over the jet's particles, taken from\n"
        f"the hyperboloid to the disk by the isometry; learned K = {picture['curvature']:.2f},"
        f" AUC {picture['auc']:.3f}."
    )
    figure.text(0.5, 0.02, caption, ha="center", va="bottom", fontsize=8)
    figure.subplots_adjust(left=0.02, right=0.98, top=0.98, bottom=0.14)
    return figure


def _curvatures(results: Results) -> Any:
    from matplotlib.figure import Figure

    rows = [
        (f"{name}: {factor.split(' ', 1)[1]}", [run["curvatures"][factor] for run in runs])
        for name, runs in results.items()
        for factor in runs[0]["curvatures"]
    ]
    figure = Figure(figsize=(6, 0.8 + 0.4 * len(rows)))
    axes = figure.subplots()
    for i, (_, values) in enumerate(rows):
        axes.plot(values, [i] * len(values), "o", color="C3" if values[0] < 0 else "C0")
    axes.axvline(0, color="0.5", linewidth=0.8)
    for start in (-1, 1):
        axes.axvline(start, color="0.8", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set(xlabel="curvature K after training, one point a seed (dotted: start)")
    return figure
