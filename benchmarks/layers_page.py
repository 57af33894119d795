"""The page of the layers' times."""

from typing import Any

from layers_models import JETS, PARTICLES
from layers_pairs import CLASSES, HEADS, IMAGES, PIXELS, ROWS, SETS, SLOTS, TOKEN, WIDTH

Row = dict[str, Any]
HOW = f"""\
Each time is the processor time of forward and backward over that of the Euclidean twin in
`torch.nn`, both eager or both compiled (`torch.compile(fullgraph=True)`), in float32 on one thread;
layer and twin take turns, *median (quartiles)* over the rounds. Kept is what there is between
forward and backward, over that of the twin: arguments, result, and what autograd holds; parameters
aside.

- E, H, B, S, K: Euclidean, Lorentz, ball, sphere, and stereographic with a learned curvature.
- Layers of single points: {ROWS} points of dimension {WIDTH}; classifiers to {CLASSES} classes.
- Layers of sets and sequences: {SETS} sets of {SLOTS} points of dimension {TOKEN}, {HEADS} heads;
  `MultiheadAttention` with an additive bias that wants a gradient. Images: {IMAGES} of {PIXELS} by
  {PIXELS} pixels.
- Couplings, mixtures, and what else has no twin in `torch.nn`: the twin is the layer on $R^n$.
- Attention and Block of PMTransformer 250k: norm, attention and residual of the preset's first
  block, and the whole block, with the same pair bias as the block of the `EuclideanTransformer`
  of the preset.
- Models: {JETS} jets of up to {PARTICLES} particles; the twin has the same number of parameters.
  `HyperbolicTransformer` has scores by distances or a kernel, its twin by inner products; that of
  a preset has the width, depth and heads of the preset."""
WHY = {
    "Linear": "the exact logarithm and translation of every row, beside one product of matrices.",
    "MultiheadAttention": "ambient coordinates of all values and directions of all sums.",
    "Attention": "two factors with softmax tables of their own, where the twin has one.",
    "Block": "two factors with softmax tables of their own, where the twin has one.",
    "PMTransformer": "two factors with softmax tables of their own, where the twin has one.",
}


def text(settings: dict[str, Any], rows: dict[str, Row], missing: int = 0) -> str:
    """Return the page; `missing` rows have not been measured."""
    digests = sorted({row[path]["sources"] for row in rows.values() for path in _paths(row)})
    about = (
        f"Written by `python benchmarks/layers.py` on {settings['machine']}, {settings['system']},"
        f" Python {settings['python']}, torch {settings['versions']['torch']}; sources"
        f" {', '.join(digests)}."
    )
    if missing:
        about += f" {missing} further layers and models of the script are not measured yet."
    parts = ["# Speed of the layers", about, HOW, "## Bars", *_bars(rows), "## All"]
    parts.append(
        "| layer | space | eager | compiled | kept, eager | kept, compiled |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    lines = [
        f"| {' | '.join(name.split(' | '))} | {_time(row, 'eager')} | {_time(row, 'compiled')} |"
        f" {_kept(row, 'eager')} | {_kept(row, 'compiled')} |"
        for name, row in rows.items()
    ]
    return "\n\n".join(parts) + "\n" + "\n".join(lines) + "\n"


def _paths(row: Row) -> list[str]:
    return [path for path in ("eager", "compiled") if path in row]


def _bars(rows: dict[str, Row]) -> list[str]:
    """Return what has a bar, what was found, and a sentence for each miss."""
    lines, misses = [], []
    for name, row in rows.items():
        for what, bar, found in _measured(row):
            met = found <= bar
            shown = f"{found:.2f}" if met else f"**{found:.2f}**"
            lines.append(f"| {name.replace(' | ', ', ')} | {what} | {bar:g} | {shown} |")
            if not met:
                why = next(text for word, text in WHY.items() if name.startswith(word))
                misses.append(
                    f"- {name.replace(' | ', ', ')}, {what}: {found:.2f} instead of {bar:g}; {why}"
                )
    if not lines:
        return ["Nothing that has a bar was compiled in this run."]
    table = "| | what | bar | found |\n| --- | --- | --- | --- |\n" + "\n".join(lines)
    return [table, "\n".join(misses)] if misses else [table]


def _measured(row: Row) -> list[tuple[str, float, float]]:
    """Return (what, bar, found) of a row: time where it was compiled, what is kept on any path."""
    found = []
    if row["bar"] is not None and "compiled" in row:
        found.append(("time, compiled", row["bar"], row["compiled"]["time"][0]))
    if row["memory_bar"] is not None:
        found += [(f"kept, {p}", row["memory_bar"], row[p]["kept"]) for p in _paths(row)]
    return found


def _time(row: Row, path: str) -> str:
    if path not in row:
        return ""
    median, low, high = row[path]["time"]
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def _kept(row: Row, path: str) -> str:
    return f"{row[path]['kept']:.2f}" if path in row else ""
