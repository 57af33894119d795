"""The page of the graph benchmarks as text."""

import math
import statistics
from collections.abc import Iterator
from typing import Any

Rows = dict[str, Any]

HEAD = """\
# Graph benchmarks

What the graph models and embeddings of this library reach, under the protocol of
[](graph_data.md): undirected unique edges, seeded splits, every structural feature from training
edges only, and in every table the floors, what needs no training or no graph. Made by

    python benchmarks/graphs/run.py --data DIR --wordnet DIR
    python benchmarks/graphs/report.py

`DIR` holds the graphs as .npz files, which are not part of the project. A mean over seeds stands
with its standard error. Options were chosen by validation with seed 0 among at most ten
combinations, the same number for every geometry; all geometries have the same widths. What was
not run is left empty.
"""
DISTANCES = """\
Ten dimensions in total, average distortion and, in brackets, the mean average precision of the
same points; beside them those of {cite}`gu2019learning`. Learned curvatures, one seed.
"""
WORDNET = """\
The closures of WordNet 3.0: who is an ancestor of a node should be nearer to it than who is none
{cite}`nickel2017poincare,nickel2018learning`. Mean average precision and mean rank over all
nodes. The papers give .927 and 1.26 for the mammals in 5 dimensions, .928 and 2.95 for the nouns
in 10 (Lorentz).
"""
LINKS = """\
Area under the ROC curve of 10 % of the edges against uniform pairs and, after the stroke, against
pairs of the same training degrees, in per cent; 85 % of the edges are for training. Models of one
width (16), Fermi-Dirac decoder. "Structure only" takes the features away: degrees in the training
graph stand in.
"""
NODES = """\
Accuracy on test nodes in per cent: the public splits of Cora and Citeseer, where seeds differ in
first values alone; of the airports 15 %, 70 % for training, without the column that tells the
country.
"""
SELF = """\
Encoders that learned without labels, frozen; a linear decoder on their codes, on the public
splits, in per cent. Ablations have the same total dimension.
"""
SPEED = """\
Forward, backward and Adam's step on all nodes, in turns with torch_geometric's GCN of the same
widths: medians.
"""
MILLION = """\
SelfMGNN on a tree by sampled neighbourhoods: graph and features are held once, everything else is
one batch. The decoder sees the codes of 1,000 nodes and tells the top branch of others; the floor
is the same decoder on features.
"""
GU = {
    "csphd": {
        "E10": (0.0543, 0.8691), "H10": (0.0502, 0.9310), "H5 x H5": (0.0382, 0.9628),
        "H5 x S5": (0.0509, 0.9141), "(H2)^5": (0.0357, 0.9694),
    },
    "power": {
        "E10": (0.0917, 0.8860), "H10": (0.0388, 0.8442), "H5 x H5": (0.0365, 0.8605),
        "H5 x S5": (0.0323, 0.8850), "(H2)^5": (0.0396, 0.8739),
    },
}  # fmt: skip


def text(found: Rows, figure: str | None) -> str:
    """Return the whole page."""
    parts = [HEAD]
    if figure:
        parts.append(f"![What models reach above their floors]({figure})\n")
    writers = {
        "distortion": (DISTANCES, _distances),
        "wordnet": (WORDNET, _wordnet),
        "links": (LINKS, lambda graphs: _scores(graphs, ("auc", "auc_matched"))),
        "nodes": (NODES, lambda graphs: _scores(graphs, ("accuracy",))),
        "self_supervised": (SELF, lambda graphs: _scores(graphs, ("accuracy",))),
        "speed": (SPEED, _speed),
        "million": (MILLION, _million),
    }
    for table, (words, lines) in writers.items():
        if table in found:
            graphs = found[table]["graphs"]
            body = "\n".join(lines(graphs)) if graphs else "Not run yet."
            parts.append(f"## {found[table]['title']}\n\n{words}\n{body}\n")
    return "\n".join(parts)


def _distances(graphs: Rows) -> Iterator[str]:
    names = list(graphs)
    titles = [cell for name in names for cell in (name, f"{name}, Gu et al.", "minutes")]
    yield from _head(["space", *titles])
    for model in _models(graphs):
        cells = []
        for name in names:
            row = graphs[name].get(model)
            cells.append(_pair(row["scores"][0]) if row else "")
            there = GU.get(name, {}).get(model)
            cells.append(f"{there[0]:.4f} ({there[1]:.3f})" if there else "")
            cells.append(f"{row['fit_seconds'] / 60:.0f}" if row else "")
        yield _line([model, *cells])


def _pair(scores: dict[str, float]) -> str:
    return f"{scores['average_distortion']:.4f} ({scores['mean_average_precision']:.3f})"


def _wordnet(graphs: Rows) -> Iterator[str]:
    yield from _head(["graph", "space", "mAP", "mean rank", "epochs", "minutes", "pairs / s"])
    for name, models in graphs.items():
        for model, row in models.items():
            scores, epochs = row["scores"][0], row["options"]["epochs"]
            seconds = row["fit_seconds"]
            cells = [f"{scores['mean_average_precision']:.3f}", f"{scores['mean_rank']:.2f}"]
            rate = row["pairs"] * epochs / seconds
            yield _line([name, model, *cells, f"{epochs}", f"{seconds / 60:.0f}", f"{rate:,.0f}"])


def _scores(graphs: Rows, keys: tuple[str, ...]) -> Iterator[str]:
    """Yield a table of floors and models, best of each kind in bold."""
    columns = {name: _column(models, keys[0]) for name, models in graphs.items()}
    best = {name: max((m for m, *_ in c.values()), default=0) for name, c in columns.items()}
    yield from _head(["", *graphs])
    for model in dict.fromkeys(m for column in columns.values() for m in column):
        cells = []
        for name, models in graphs.items():
            shown = [_cell(_column(models, key).get(model)) for key in keys]
            bold = columns[name].get(model, (None,))[0] == best[name]
            cell = " / ".join(each for each in shown if each)
            cells.append(f"**{cell}**" if cell and bold else cell)
        yield _line([model, *cells])


def _column(models: Rows, key: str) -> dict[str, tuple[float, float, int]]:
    """Return model or floor -> mean, standard error and number of seeds; floors come first."""
    values: dict[str, list[float]] = {}
    for row in models.values():
        for floors in row["floors"]:
            for floor, scores in floors.items():
                values.setdefault(f"floor: {floor}", []).append(scores[key])
    for model, row in models.items():
        if row["scores"]:
            values[model] = [scores[key] for scores in row["scores"]]
    return {name: summary(each) for name, each in values.items()}


def summary(values: list[float]) -> tuple[float, float, int]:
    """Return mean, standard error of the mean (NaN of one value) and their number."""
    n = len(values)
    error = statistics.stdev(values) / math.sqrt(n) if n > 1 else math.nan
    return statistics.fmean(values), error, n


def _cell(found: tuple[float, float, int] | None) -> str:
    if found is None:
        return ""
    mean, error, n = found
    return f"{100 * mean:.1f} ± {100 * error:.1f}" if n > 1 and error > 0 else f"{100 * mean:.1f}"


def _speed(graphs: Rows) -> Iterator[str]:
    yield from _head(["graph", "model", "parameters", "ms per epoch", "GCN, ms", "ratio"])
    for name, models in graphs.items():
        for model, row in models.items():
            s = row["scores"][0]
            times = [f"{1000 * s['seconds']:.0f}", f"{1000 * s['gcn_seconds']:.0f}"]
            yield _line([name, model, f"{row['parameters']:,}", *times, f"{s['ratio']:.2f}"])


def _million(graphs: Rows) -> Iterator[str]:
    titles = [
        "graph",
        "edges",
        "training, s",
        "embedding all nodes, s",
        "largest resident memory, MiB",
    ]
    yield from _head([*titles, "accuracy", "floor"])
    for name, models in graphs.items():
        for row in models.values():
            s = row["scores"][0]
            numbers = ("edges", "training_seconds", "embedding_seconds", "peak_megabytes")
            cells = [f"{row[key]:,.0f}" for key in numbers]
            yield _line([name, *cells, f"{s['accuracy']:.3f}", f"{s['floor']:.3f}"])


def _models(graphs: Rows) -> list[str]:
    return list(dict.fromkeys(model for models in graphs.values() for model in models))


def _head(cells: list[str]) -> Iterator[str]:
    yield _line(cells)
    yield "| --- " * len(cells) + "|"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
