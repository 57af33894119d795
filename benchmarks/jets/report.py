"""Write the page and the figures of the jet benchmark from the stored results alone.

    python benchmarks/jets/report.py                                # docs/jets_results.md
    python benchmarks/jets/report.py --results DIR --page DIR/page.md

The text is `page.md`; this fills its {{places}}. What has not been run yet is named as missing.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from places import HERE, PAGE, RESULTS

# what follows imports modules of examples/jets
# isort: split
import comparisons
import figures
import tables
from bars import GOAL, bars
from grid import ORDER, read_grids
from measured import Measured

SIZES = ("1k", "5k", "45k")
MISSING = "Not measured yet."


class Report:
    """What fills the places of the page: a method for each.

    Args:
        measured: the results.
        page: where the page goes; figures go to `figures` beside it.
        resamples: of the bootstraps.
    """

    def __init__(self, measured: Measured, page: Path, resamples: int) -> None:
        self.measured, self.page, self.resamples = measured, page, resamples
        self.compared = 0
        self.found: dict[str, list[comparisons.Comparison]] = {}

    def text(self) -> str:
        """Return the page."""
        fill: dict[str, Callable[[], str]] = {
            **{size: lambda size=size: self.block("main", size) for size in SIZES},
            **{f"epochs_{s}": lambda s=s: self.block("epochs", s) for s in SIZES},
            "courses": self.courses,
            "signature": lambda: self.ablation("signature", None),
            "score": lambda: self.ablation("score", "HxE"),
            "coupling": lambda: self.ablation("coupling", "HxE"),
            "few": lambda: self.series("jets-", "jets to train on"),
            "size": lambda: self.series("size-", "parameters"),
            "series": self.lines,
            "showers": lambda: tables.of_showers(self.measured, "5k") or MISSING,
            "bins": self.bins,
            "routed": self.routed,
            "missing": self.missing,
            "limits": self.limits,
            "done": self.done,
        }
        filled = {name: make() for name, make in fill.items()}
        filled["comparisons"] = str(self.compared)
        asked = bars(self.measured, SIZES, self.found)
        filled["bars"] = tables.table(["asked", "measured", ""], asked)
        text = (HERE / "page.md").read_text(encoding="utf-8")
        text = re.sub(r"{{(\w+)}}", lambda place: filled[place[1]], text)
        return re.sub(r"\n{3,}", "\n\n", text)

    def show(self, figure: Any, name: str, text: str) -> str:
        """Draw a figure and return the lines that show it."""
        figures.save(figure, self.page.parent / "figures" / f"jets_{name}.png")
        return f"![{text}](figures/jets_{name}.png)\n\n{text}"

    def block(self, grid: str, block: str) -> str:
        """Say how the models of a block did, and compare them."""
        if not self.measured.models(grid, block):
            return MISSING
        parts = [tables.of_block(self.measured, grid, block)]
        found = comparisons.compare(self.measured, grid, block, self.resamples)
        self.compared += len(found)
        self.found[f"{grid} {block}"] = found
        if found:
            parts.append(tables.of_comparisons(found))
        return "\n\n".join(parts)

    def courses(self) -> str:
        """Show how the taggers learned."""
        there = [size for size in SIZES if self.measured.models("main", size)]
        if not there:
            return MISSING
        text = f"AUC of the validation jets after each epoch, a line for each seed; dashed: {GOAL}."
        return self.show(figures.courses(self.measured, there), "courses", text)

    def ablation(self, block: str, base: str | None) -> str:
        """Show an ablation."""
        known = self.measured.models("ablations", block)
        return tables.of_ablation(self.measured, block, base) if known else MISSING

    def series(self, prefix: str, head: str) -> str:
        """Show how the AUC goes with a number."""
        known = tables.series(self.measured, prefix)
        return tables.of_series(self.measured, prefix, head) if known else MISSING

    def lines(self) -> str:
        """Draw those series."""
        named = {"jets-": "jets to train on", "size-": "parameters"}
        there = {p: head for p, head in named.items() if tables.series(self.measured, p)}
        if not there:
            return ""
        text = "AUC of the test jets; points are seeds, lines their means."
        return self.show(figures.lines(self.measured, there), "series", text)

    def bins(self) -> str:
        """Compare in bins of delta, at each size."""
        parts, drawn = [], {}
        for size in SIZES:
            ways = {
                name: comparisons.in_bins(self.measured, size, "delta", alike, self.resamples)
                for name, alike in (("all jets", False), ("multiplicity and pT alike", True))
            }
            if all(ways.values()):
                parts += [f"**{size} parameters**", tables.of_bins(ways)]
                drawn[f"{size} parameters"] = ways["multiplicity and pT alike"]
                self.compared += sum(map(len, ways.values()))
        if not drawn:
            return MISSING
        text = "Difference of accuracy in bins of delta, multiplicity and pT alike; 95 % intervals."
        return "\n\n".join([*parts, self.show(figures.bins(drawn), "delta", text)])

    def routed(self) -> str:
        """Show what jets chose."""
        found = comparisons.choices(self.measured, "5k", min(self.resamples, 200))
        if not found:
            return MISSING
        self.compared += 2 * len(found)
        best = max(found, key=lambda each: each.auc)
        jets = self.measured.jets
        assert jets is not None
        chosen = self.measured.arrays(f"routed/5k/{best.model}/{best.seed}")["mean_curvature"]
        figure = figures.gates(chosen.astype(float), jets["delta"].astype(float), jets["labels"])
        text = "Mean K of the best run in bins of delta: medians, and the middle half of the jets."
        return f"{tables.of_choices(found)}\n\n{self.show(figure, 'routed', text)}"

    def missing(self) -> str:
        """Say what of the grid has no result."""
        rows = []
        for grid in dict.fromkeys(run.grid for run in self.measured.runs):
            own = [run.name for run in self.measured.runs if run.grid == grid]
            done = sum(name in self.measured.found for name in own)
            failed = sum(name in self.measured.failures for name in own)
            rows.append([grid, len(own), done, failed])
        parts = [tables.table(["grid", "runs", "done", "failed"], rows)]
        parts += [f"`{name}`: {text}." for name, text in self.measured.failures.items()]
        return "\n\n".join(parts)

    def limits(self) -> str:
        """Return the CPU-seconds of each size."""
        first = {run.block: run for run in self.measured.runs if run.grid == "main"}
        each = [f"{first[s].settings['cpu_seconds']} at {s}" for s in SIZES if s in first]
        return ", ".join(each)

    def done(self) -> str:
        """Say how much has been run, and on what."""
        rows = self.measured.found.values()
        if not rows:
            return ", of which there are none yet."
        seconds = sum(row["cpu_seconds_in_all"] for row in rows)
        machines = {f"{r['made_with']['machine']}, torch {r['made_with']['torch']}" for r in rows}
        return (
            f": {len(rows)} of {len(self.measured.runs)} runs, {seconds / 3600:.1f} CPU-hours on"
            f" {'; '.join(sorted(machines))}."
        )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write the page of the jet benchmark.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    parser.add_argument("--resamples", type=int, default=500, help="of each bootstrap")
    parser.add_argument("--grids", nargs="+", default=list(ORDER), help="names or paths")
    options = parser.parse_args(argv)
    measured = Measured(options.results, read_grids(options.grids))
    options.page.parent.mkdir(parents=True, exist_ok=True)
    text = Report(measured, options.page, options.resamples).text()
    options.page.write_text(text, encoding="utf-8")
    print(f"wrote {options.page}")


if __name__ == "__main__":
    main()
