"""The page of the step times: how they were measured, a table for each size, and the bars."""

import textwrap
from collections.abc import Iterator
from typing import Any

from speed_page import _grid as grid

Row = dict[str, Any]
BARS = {  # size -> path -> bar, in multiples of torch.optim.Adam(foreach=True)
    "one tensor 100000 x 10": {"eager": 2.5, "compiled": 1.2},
    "200 tensors 32 x 16": {"eager": 1.0, "compiled": 0.5},
}
PLAIN_BAR = 1.05  # in multiples of the twin
NAMES = {
    "twin": "twin in R^n",
    "eager": "eager",
    "compiled": "compiled",
    "without": "eager, no C compiler",
    "geoopt": "geoopt",
}
HOW = """\
Each number is the time of a step over that of `torch.optim.Adam(foreach=True)` on tensors of the
same shapes in R^n, in float32: *median (quartiles)* of the ratio in each round, in which all take
turns in one process. The gradients are there already; only the step is measured.

- **twin in R^n** is torch's own optimizer of the same name, with `foreach=True`.
- **eager** is ours by default, **compiled** is `torch.compile(optimizer.step)`, **eager, no C
  compiler** what runs with `NONEUCLID_NATIVE=0`, in a process of its own.
- The product has a third of its coordinates on each factor.
- **Bold** is beyond the bar:
  {bars}."""

WHY = """\
What the parts cost can be read off the tables: SGD is the Riemannian gradient and the exponential
map, momentum adds the transport of one vector, Adam a second number for each row, and the decay of
AdamW a logarithm and an exponential at the origin. These are products of rows, square roots,
quotients and one or two elementary functions of float64 row scalars, where torch's Adam is bound by
memory: its fused form, which reads and writes what ours does, takes a third of its time. What a row
costs hardly depends on how short it is, so a product costs the sum of its factors; they take turns
on the same rows, and the flat one has a kernel that takes torch's step in one pass. The compiled
step runs the kernels of eager mode, so it cannot be faster where the kernel is what costs. Of plain
parameters a step asks whether there is a mark among them, which shows where torch's own step is
short, as of SGD."""


def text(results: dict[str, Any], without: dict[str, Row], command: str) -> str:
    """Return the page; `without` has the rows of the process that has no C compiler."""
    rows = merged(results["rows"])
    bars = ";\n  ".join(
        f"{size}, {limits['eager']:g} eager and {limits['compiled']:g} compiled"
        for size, limits in BARS.items()
    )
    parts = [
        "# Speed of the optimizers",
        _header(results["settings"], rows, command),
        HOW.format(bars=bars),
        "## Bars",
        *_misses(rows),
    ]
    for size in dict.fromkeys(row["size"] for row in rows):
        parts += [f"## {size[0].upper()}{size[1:]}", *_size(size, rows, without)]
    parts += ["## Plain parameters", *_plain(rows)]
    parts += ["## Sparse rows", *_sparse(results["rows"])]
    return "\n\n".join(parts) + "\n"


def merged(stored: dict[str, Row]) -> list[Row]:
    """Return the rows of the tables, the compiled step in the same row as the others."""
    rows = {key: dict(row) for key, row in stored.items() if "sparse" not in row}
    for key in [key for key in rows if key.endswith(" | compiled")]:
        row, compiled = rows[key.removesuffix(" | compiled")], rows.pop(key)
        own = {path: ratio for path, ratio in compiled["ratios"].items() if path == "compiled"}
        row["ratios"] = row["ratios"] | own
        row["faults"] = row["faults"] | compiled["faults"]
    return list(rows.values())


def _header(settings: dict[str, Any], rows: list[Row], command: str) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in settings["versions"].items())
    rounds = sorted(row["rounds"] for row in rows)
    words = (
        f"Written by `{command}` on {settings['machine']}, {settings['system']}, one thread:"
        f" noneuclid {settings['noneuclid']}, {versions}, Python {settings['python']};"
        f" {settings['clock']}, {rounds[0]} to {rounds[-1]} rounds."
    )
    return textwrap.fill(words, 120, break_long_words=False, break_on_hyphens=False)


def _limit(size: str, path: str) -> float | None:
    return BARS.get(size, {}).get(path)


def misses(rows: list[Row]) -> Iterator[tuple[Row, str, float, float]]:
    """Yield row, path, ratio and bar where a bar is missed."""
    for row in rows:
        if row["model"] == "plain":
            ratio = row["twin_ratios"]["eager"][0]
            if row["size"] in BARS and ratio > PLAIN_BAR:
                yield row, "eager", ratio, PLAIN_BAR
            continue
        for path in ("eager", "compiled"):
            limit = _limit(row["size"], path)
            if path in row["ratios"] and limit and row["ratios"][path][0] > limit:
                yield row, path, row["ratios"][path][0], limit


def _misses(rows: list[Row]) -> Iterator[str]:
    lines = [
        f"- {row['method']} on {row['model']}, {row['size']}, {path}: {ratio:.2f} instead of"
        f" {limit:g}."
        for row, path, ratio, limit in sorted(misses(rows), key=lambda miss: -miss[2] / miss[3])
    ]
    yield "\n".join(lines) if lines else "Every bar is reached."
    yield WHY


def _size(size: str, rows: list[Row], without: dict[str, Row]) -> Iterator[str]:
    chosen = [row for row in rows if row["size"] == size and row["model"] != "plain"]
    known = {"without"} if without else set()
    paths = [p for p in NAMES if p in known or any(p in row["ratios"] for row in chosen)]
    lines = []
    for row in chosen:
        cells = [_cell(row, path, without) for path in paths]
        lines.append([row["model"], row["method"], f"{1e3 * row['seconds']:.2f}", *cells])
    yield grid(["model", "method", "torch Adam, ms", *(NAMES[path] for path in paths)], lines)
    faults = [
        f"- {row['method']} on {row['model']}, {NAMES.get(path, path)}: `{fault}`"
        for row in chosen
        for path, fault in row["faults"].items()
    ]
    if faults:
        yield "\n".join(faults)


def _cell(row: Row, path: str, without: dict[str, Row]) -> str:
    if path == "without":
        key = " | ".join((row["size"], row["model"], row["method"]))
        found = without.get(key, {}).get("ratios", {}).get("eager")
    else:
        found = row["ratios"].get(path)
    if found is None:
        return "fails" if path in row["faults"] else "-"
    limit = _limit(row["size"], path)
    middle = f"{found[0]:.2f}"
    middle = f"**{middle}**" if limit and found[0] > limit else middle
    return f"{middle} ({found[1]:.2f}-{found[2]:.2f})"


def _plain(rows: list[Row]) -> Iterator[str]:
    yield (
        "Ours on parameters that are on no manifold, over torch's optimizer of the same name,\n"
        f"both with `foreach=True`; the bar is {PLAIN_BAR:g}."
    )
    lines = []
    for row in rows:
        if row["model"] == "plain":
            middle, low, high = row["twin_ratios"]["eager"]
            shown = (
                f"**{middle:.3f}**"
                if middle > PLAIN_BAR and row["size"] in BARS
                else f"{middle:.3f}"
            )
            lines.append([row["size"], row["method"], f"{shown} ({low:.3f}-{high:.3f})"])
    yield grid(["size", "method", "ours over torch's"], lines)


def _sparse(rows: dict[str, Row]) -> Iterator[str]:
    yield (
        "A step of Adam on a table of points in the Poincare ball of 10 dimensions whose gradient\n"
        "is dense, or sparse with 1000 rows; the last is torch's on the same table in R^10. Taken\n"
        "is how far the memory of the process rises within a step, above table, gradient and\n"
        "state; the state is as large as the table twice."
    )
    lines = []
    for row in rows.values():
        for name, cost in row.get("sparse", {}).items():
            taken = "-" if cost["peak"] is None else f"{cost['peak'] / 2**20:.1f}"
            state = f"{cost['state'] / 2**20:.1f}"
            lines.append([f"{row['table']}", name, f"{1e3 * cost['seconds']:.3f}", taken, state])
    yield grid(["rows", "gradient", "step, ms", "taken, MiB", "state, MiB"], lines)
