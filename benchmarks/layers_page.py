"""The page of the layers' times."""

from typing import Any

from layers_pairs import HEADS, JETS, PARTICLES, ROWS, SETS, SLOTS, TOKEN, WIDTH

Row = dict[str, Any]
HOW = f"""\
Each number is the processor time of forward and backward over that of the Euclidean twin in
`torch.nn`, both eager or both compiled (`torch.compile(fullgraph=True)`), in float32 on one thread;
layer and twin take turns, *median (quartiles)* over the rounds. Kept is what there is between
forward and backward of the eager layer, over that of the twin: arguments, result, and what autograd
holds; parameters aside.

- Layers of single points: {ROWS} points of dimension {WIDTH}; `Linear` to dimension {WIDTH},
  heads to 10 classes.
- Attention: {SETS} sets of {SLOTS} points of dimension {TOKEN}, {HEADS} heads, with an additive
  bias that wants a gradient; the twin is `torch.nn.MultiheadAttention`.
- Models: {JETS} jets of up to {PARTICLES} particles; the twin is `EuclideanTransformer` of the
  same preset.
- E, H, B, S, K: Euclidean, Lorentz, ball, sphere, and stereographic with a learned curvature."""


def text(settings: dict[str, Any], rows: dict[str, Row]) -> str:
    """Return the page."""
    groups: dict[str, dict[str, Row]] = {}
    for name, row in rows.items():
        what, space = name.split(" | ")
        groups.setdefault(what, {})[space] = row
    about = (
        f"{settings['machine']}, {settings['system']}, Python {settings['python']}, torch"
        f" {settings['versions']['torch']}."
    )
    parts = ["# Speed of the layers", about, HOW, "## Bars", *_bars(rows), "## All"]
    parts.append("| layer | space | eager | compiled | kept |\n| --- | --- | --- | --- | --- |")
    lines = [
        f"| {what} | {space} | {_cell(row, 'eager')} | {_cell(row, 'compiled')} |"
        f" {row['kept']:.2g} |"
        for what, found in groups.items()
        for space, row in found.items()
    ]
    return "\n\n".join(parts) + "\n" + "\n".join(lines) + "\n"


def _bars(rows: dict[str, Row]) -> list[str]:
    """Return what meets its bar and what does not."""
    lines = [
        f"| {name.replace(' | ', ', ')} | {row['bar']:g} | {row['compiled'][0]:.2f} |"
        f" {'yes' if row['compiled'][0] <= row['bar'] else '**no**'} |"
        for name, row in rows.items()
        if row["bar"] is not None and "compiled" in row
    ]
    if not lines:
        return ["Nothing was compiled in this run."]
    return ["| | bar, compiled | found | met |\n| --- | --- | --- | --- |\n" + "\n".join(lines)]


def _cell(row: Row, path: str) -> str:
    if path not in row:
        return ""
    median, low, high = row[path]
    return f"{median:.2f} ({low:.2f} to {high:.2f})"
