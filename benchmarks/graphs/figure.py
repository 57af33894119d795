"""The figure of the graph benchmarks: models beside the best floor, one panel for a graph."""

from pathlib import Path
from typing import Any

from page import summary

PANELS = (("links", "auc"), ("nodes", "accuracy"), ("self_supervised", "accuracy"))
INK, FLOOR = "#2b2d42", "#d1495b"


def draw(found: dict[str, Any], path: Path) -> bool:
    """Draw the figure; tell whether there was anything to draw, and matplotlib to draw it."""
    panels = [
        (f"{found[table]['title']}: {name}", key, models)
        for table, key in PANELS
        for name, models in found.get(table, {"graphs": {}})["graphs"].items()
        if any(row["scores"] for row in models.values())
    ]
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    if not panels:
        return False
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    size = (4.4 * columns, 2.9 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis, (title, key, models) in zip(axes.flat, panels, strict=False):
        _panel(axis, title, key, models)
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return True


def _panel(axis: Any, title: str, key: str, models: dict[str, Any]) -> None:
    """Draw means and standard errors, and a line at the best floor."""
    names = [name for name, row in models.items() if row["scores"]]
    found = [summary([100 * s[key] for s in models[name]["scores"]]) for name in names]
    errors = [error if error == error else 0 for _, error, _ in found]
    axis.errorbar([mean for mean, *_ in found], range(len(names)), xerr=errors, fmt="o", color=INK)
    floors: dict[str, list[float]] = {}
    for row in models.values():
        for each in row["floors"]:
            for name, scores in each.items():
                floors.setdefault(name, []).append(100 * scores[key])
    if floors:
        best = max(floors, key=lambda name: summary(floors[name])[0])
        axis.axvline(summary(floors[best])[0], color=FLOOR, linestyle="--", linewidth=1.2)
        axis.set_xlabel(f"{key}, %; dashed: {best}", fontsize=8)
    else:
        axis.set_xlabel(f"{key}, %", fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.tick_params(axis="x", labelsize=8)
    axis.set_title(title, fontsize=9, color=INK)
    axis.spines[["top", "right"]].set_visible(False)
