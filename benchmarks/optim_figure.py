"""The figure: relative gap against evaluations, one panel for each problem."""

import importlib.util
import math
from pathlib import Path
from typing import Any

FLOOR = 1e-15  # where rounding of the loss begins; gaps below it are drawn there
LOOK = {  # method -> colour, line style
    "SGD": ("0.6", "-"),
    "SGD, momentum": ("0.35", "-"),
    "Adam": ("#1f77b4", "-"),
    "RMSprop": ("#9ecae1", "-"),
    "Lion": ("#8c6bb1", "-"),
    "Muon": ("#e377c2", "-"),
    "SGD, induced, xi = 1": ("#bcbd22", "-"),
    "geoopt Adam": ("#1f77b4", ":"),
    "L-BFGS, approximate": ("#d62728", "-"),
    "CG, approximate": ("#ff7f0e", "-"),
    "trust region": ("#2ca02c", "-"),
    "geoopt line search, CG": ("#ff7f0e", ":"),
    "pymanopt CG": ("#ff7f0e", "--"),
    "pymanopt trust region": ("#2ca02c", "--"),
}


def can_draw() -> bool:
    """Tell whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(results: dict[str, Any], path: Path) -> Path:
    """Draw the run of the median seed of every method in LOOK."""
    from matplotlib.figure import Figure

    rows = results["rows"]
    columns = min(4, len(rows) + 1)
    lines = math.ceil((len(rows) + 1) / columns)
    drawing = Figure(figsize=(3.3 * columns, 2.9 * lines), layout="constrained")
    panels = list(drawing.subplots(lines, columns, squeeze=False, sharey=True).flat)
    found: dict[str, Any] = {}
    for panel, (problem, methods) in zip(panels, rows.items(), strict=False):
        _panel(panel, methods)
        panel.set_title(problem, fontsize=10)
        handles, labels = panel.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    for panel in panels[len(rows) :]:
        panel.set_axis_off()
    order = [name for name in LOOK if name in found]
    panels[len(rows)].legend(
        [found[name] for name in order], order, loc="center", frameon=False, fontsize=8.5
    )
    drawing.supxlabel("evaluations of the loss and products with its Hessian", fontsize=10)
    drawing.supylabel("relative gap, the least so far", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, dpi=110)
    return path


def _panel(panel: Any, methods: dict[str, Any]) -> None:
    for name, (colour, style) in LOOK.items():
        runs = [run for run in methods.get(name, {}).get("runs", []) if not run["fault"]]
        if not runs:
            continue
        run = sorted(runs, key=lambda run: (run["gap"], run["evaluations"]))[len(runs) // 2]
        x = [at for at, _ in run["trace"]]
        y = [max(gap, FLOOR) for _, gap in run["trace"]]
        panel.plot(
            [*x, max(run["evaluations"], x[-1])], [*y, y[-1]], style, color=colour, label=name,
            linewidth=1.4, drawstyle="steps-post",
        )  # fmt: skip
    for gap in (1e-6, 1e-12):
        panel.axhline(gap, color="black", linewidth=0.5, alpha=0.5)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_ylim(FLOOR / 2, 100)
    panel.set_yticks([1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1])
    panel.grid(alpha=0.2)
