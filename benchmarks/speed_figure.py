"""The figure: each operation's time over its twin's, one panel for each model."""

import importlib.util
from pathlib import Path
from typing import Any

import speed_bars as bars

LOOK = {  # path -> label, marker, colour
    "plain": ("eager, no C compiler", "o", "0.75"),
    "geoopt": ("geoopt", "s", "#c44e52"),
    "hypll": ("hypll", "D", "#dd8452"),
    "native": ("eager", "o", "#1f4e79"),
    "compiled": ("compiled", "^", "#55a868"),
}


def can_draw() -> bool:
    """Tell whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(results: dict[str, Any], path: Path) -> Path:
    """Draw forward + backward at the largest number of rows of each model."""
    from matplotlib.figure import Figure

    rows = list(results["rows"].values())
    most = max(row["rows"] for row in rows)
    rows = [row for row in rows if row["rows"] == most]
    models = list(dict.fromkeys(row["model"] for row in rows))
    names = list(dict.fromkeys(row["operation"] for row in rows))
    size = (2.6 * len(models) + 1.2, 0.28 * len(names) + 1.8)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(models), sharey=True, sharex=True, squeeze=False)[0]
    for panel, model in zip(panels, models, strict=True):
        _panel(panel, [row for row in rows if row["model"] == model], names)
        panel.set_title(model)
    panels[len(panels) // 2].set_xlabel("forward + backward, multiples of the Euclidean twin")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    found: dict[str, Any] = {}
    for panel in panels:
        handles, labels = panel.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    figure.suptitle(f"{most} rows of {rows[0]['dim']} coordinates and more", fontsize=11)
    figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=7, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


def _panel(panel: Any, rows: list[dict[str, Any]], names: list[str]) -> None:
    for name, (label, marker, colour) in LOOK.items():
        points = [(r["both"][name], names.index(r["operation"])) for r in rows if name in r["both"]]
        if not points:
            continue
        middle = [value[0] for value, _ in points]
        spread = [[v[0] - v[1] for v, _ in points], [v[2] - v[0] for v, _ in points]]
        panel.errorbar(
            middle, [y for _, y in points], xerr=spread, label=label, fmt=marker, color=colour,
            markersize=5, elinewidth=1, alpha=0.9,
        )  # fmt: skip
    for path, colour in (("native", LOOK["native"][2]), ("compiled", LOOK["compiled"][2])):
        limits = [
            (bar, names.index(row["operation"]))
            for row in rows
            if bars.applies(row) and (bar := bars.bar(path, row["operation"])) is not None
        ]
        if limits:
            x, y = zip(*limits, strict=True)
            label = f"bar, {LOOK[path][0]}"
            panel.scatter(x, y, marker="|", s=90, color=colour, alpha=0.5, label=label)
    panel.axvline(1, color="black", linewidth=0.8)
    panel.set_xscale("log")
    panel.grid(axis="both", alpha=0.2)
