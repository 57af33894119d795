"""Write docs/graphs.md, its figure included, from what run.py has stored.

python benchmarks/graphs/report.py                  # from runs/graphs; keeps docs/graphs.json
python benchmarks/graphs/report.py --from docs/graphs.json --page docs/graphs.md
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from figure import draw
from page import text
from runs import GRID, Entry, entries, results, tables

ROOT = Path(__file__).resolve().parents[2]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write the page of the graph benchmarks.")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "graphs")
    parser.add_argument("--grid", type=Path, default=GRID, help="folder of TOML files")
    parser.add_argument("--from", type=Path, dest="gathered", help="JSON of an earlier report")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "graphs.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "graphs.md")
    parser.add_argument("--figure", type=Path, default=ROOT / "docs" / "figures" / "graphs.png")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    options = arguments(argv)
    if options.gathered:
        found = json.loads(options.gathered.read_text(encoding="utf-8"))
    else:
        found = gathered(options.runs, options.grid)
        write(options.json, json.dumps(found, indent=1))
    picture = draw(found, options.figure)
    where = os.path.relpath(options.figure, options.page.parent) if picture else None
    write(options.page, text(found, where))
    print(f"wrote {options.page}")


def gathered(folder: Path, grids: Path) -> dict[str, Any]:
    """Return what the page is made of: table -> title and graph -> model -> row."""
    found: dict[str, Any] = {}
    for table, grid in tables(grids).items():
        graphs: dict[str, Any] = {}
        for entry in entries(table, grid):
            if records := results(folder, entry):
                graphs.setdefault(entry.data, {})[entry.model] = row(entry, records)
        found[table] = {"title": grid["title"], "graphs": graphs}
    return found


def row(entry: Entry, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the scores of all seeds, and of the first one what else a table shows."""
    first = records[0]
    names = ("parameters", "curvatures", "epochs", "nodes", "edges", "pairs", "peak_megabytes")
    names += ("graph_seconds", "training_seconds", "embedding_seconds", "fit_seconds")
    return {
        "scores": [r["result"]["scores"] for r in records if "scores" in r["result"]],
        "floors": [r["result"]["floors"] for r in records if "floors" in r["result"]],
        "asked_seeds": entry.seeds,
        "choices": len(entry.choices),
        "options": first["options"],
        "seconds": [r["seconds"] for r in records],
        "processor_seconds": [r["processor_seconds"] for r in records],
        "machine": first["machine"],
        **{name: first["result"][name] for name in names if name in first["result"]},
    }


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if content.endswith("\n") else content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
