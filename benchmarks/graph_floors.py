"""Measure the floors of link prediction and node classification and write them as a page.

    python benchmarks/graph_floors.py --data DIR --json FILE --page docs/graph_floors.md
    python benchmarks/graph_floors.py --from FILE --page docs/graph_floors.md

DIR holds graphs as ``load_npz`` reads them; the airports inside the package are always measured.
Graphs that FILE has are not measured again. The second form only writes the page again.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from noneuclid.datasets.graphs import (
    Graph,
    evaluate_links,
    evaluate_nodes,
    link_floors,
    link_split,
    load_npz,
    node_floors,
    public_split,
    split_fractions,
    us_airports,
)

HEAD = """\
# Floors of the graph benchmarks

What link prediction and node classification give without a trained graph model, on the splits of
[](graph_data.md), in per cent: mean and standard deviation over {seeds} seeds. A learned score is
worth what it has above the best of them. An empty cell was not measured. Made by

    python benchmarks/graph_floors.py --data DIR --json docs/graph_floors.json \\
        --page docs/graph_floors.md
"""
LINKS = """\
## Link prediction

Area under the ROC curve on 10 % of the edges, against uniform pairs, and against pairs of the same
training degrees. Boosted trees see min, max and difference of the features of two nodes and no
graph: what they reach is in the features. Preferential attachment is degree alone.
"""
NODES = """\
## Node classification

Accuracy on the test nodes of the public split, where there is one (one split: no deviation), else
on 15 % of the nodes, 70 % for training. Logistic regression takes its penalty from validation.
"""
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--from", type=Path, dest="measured", help="JSON of an earlier run")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    parser.add_argument("--page", type=Path, help="where to write the page")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="names of the graphs of DIR to measure")
    options = parser.parse_args(arguments)
    kept = options.measured or options.json
    results: Row = {"seeds": options.seeds, "rows": []}
    if kept and kept.exists():
        results = json.loads(kept.read_text(encoding="utf-8"))
    for graph in graphs_of(options) if not options.measured else []:
        if graph.name not in {row["graph"] for row in results["rows"]}:
            results["rows"] += measure(graph, results["seeds"])
        if options.json:
            options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = page(results)
    if options.page:
        options.page.write_text(text, encoding="utf-8")
    else:
        print(text)


def graphs_of(options: argparse.Namespace) -> Iterator[Graph]:
    yield us_airports()
    for path in sorted(options.data.glob("*.npz")) if options.data else []:
        if path.stem in (options.only or {path.stem}):
            yield load_npz(path)


def measure(graph: Graph, seeds: int) -> Iterator[Row]:
    """Yield a row for each floor of each task that the graph allows."""
    splits = [link_split(graph, seed) for seed in range(seeds)]
    for name, floor in link_floors(graph).items():
        start = time.perf_counter()
        scores = [evaluate_links(floor, split) for split in splits]
        yield row("links", graph, name, scores, start)
    if graph.y is None:
        return
    if graph.test_mask is not None:
        parts = [public_split(graph)]
    else:
        parts = [split_fractions(graph, seed=seed) for seed in range(seeds)]
    for name, floor in node_floors(graph).items():
        start = time.perf_counter()
        scores = [evaluate_nodes(floor, graph, part) for part in parts]
        yield row("nodes", graph, name, scores, start)


def row(task: str, graph: Graph, floor: str, scores: list[dict[str, float]], start: float) -> Row:
    seconds = (time.perf_counter() - start) / len(scores)
    print(f"{graph.name}, {task}, {floor}: {scores[0]}, {seconds:.1f} s", file=sys.stderr)
    values = {key: [score[key] for score in scores] for key in scores[0]}
    return {"task": task, "graph": graph.name, "floor": floor, "seconds": seconds, **values}


def page(results: Row) -> str:
    parts = [HEAD.format(seeds=results["seeds"])]
    for task, text, keys in (
        ("links", LINKS, ("auc", "auc_matched")),
        ("nodes", NODES, ("accuracy",)),
    ):
        rows = [row for row in results["rows"] if row["task"] == task]
        parts += [text, *table(rows, keys)]
    return "\n".join(parts)


def table(rows: list[Row], keys: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a table: a row for each floor, a column for each graph; bold is best."""
    graphs = list(dict.fromkeys(row["graph"] for row in rows))
    found = {(row["floor"], row["graph"]): row for row in rows}
    best = {
        (graph, key): max(statistics.mean(r[key]) for r in rows if r["graph"] == graph)
        for graph in graphs
        for key in keys
    }
    yield "| " + " | ".join(["floor", *(name.replace("_", " ") for name in graphs)]) + " |"
    yield "| --- " * (len(graphs) + 1) + "|"
    for floor in dict.fromkeys(row["floor"] for row in rows):
        cells = []
        for graph in graphs:
            one = found.get((floor, graph))
            texts = [cell(one[key], best[graph, key]) for key in keys] if one else [""]
            cells.append(" / ".join(texts))
        yield "| " + " | ".join([floor, *cells]) + " |"
    yield ""


def cell(values: list[float], best: float) -> str:
    mean = statistics.mean(values)
    text = f"{100 * mean:.1f}"
    if len(values) > 1:
        text += f" ± {100 * statistics.stdev(values):.1f}"
    return f"**{text}**" if mean == best else text


if __name__ == "__main__":
    main()
