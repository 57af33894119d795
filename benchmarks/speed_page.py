"""The page of the results: how it was measured, the bars, and a table for each model and size."""

import platform
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import speed_bars as bars
from speed_operations import PAIRS

Row = dict[str, Any]
NAMES = {
    "Euclid compiled": "twin, compiled",
    "native": "eager",
    "plain": "eager, no C compiler",
    "compiled": "compiled",
    "geoopt": "geoopt",
    "hypll": "hypll",
}
HOW = """\
Each number is a multiple of the time of the Euclidean twin on the same tensors, in float32:
`x - y` and its norm for dist, `x + v` for exp, `y - x` for log, a scaling for exp0, log0 and
egrad2rgrad, `x + y` for mobius_add, a copy for transp, transp0 and projx, a row product for inner,
the mean for midpoint and frechet_mean (of 16 points), `x @ z + r` with 10 classes for mlr
(`noneuclid.functional.hyperplane_logits`), `torch.cdist` of 512 and 512 points. The twin is always
the eager one; what the compiler makes of it is a column of its own.

- **eager** is the default: C kernels built by the machine's compiler. **eager, no C compiler** is
  what runs where there is none (`NONEUCLID_NATIVE=0`). **compiled** is
  `torch.compile(fullgraph=True)` with the default backend.
- Backward means the gradients by every argument, and by the curvature where it is learned
  (Stereographic here; its curvature is -1 but may take any sign).
- The functions take turns within one process; the ratio is formed in each round.
  *median (quartiles)*.
- Kept is what autograd holds for the backward pass besides arguments, parameters and result, in
  row scalars (8 bytes for each row)."""


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "unknown")


def text(results: dict[str, Any], command: str) -> str:
    """Return the page."""
    rows = list(results["rows"].values())
    parts = [
        "# Speed",
        _header(results["settings"], rows, command),
        HOW,
        "## Bars",
        *_bars(rows),
        "## Kept for backward",
        *_kept(rows),
    ]
    for rows_, dim in sorted({(row["rows"], row["dim"]) for row in rows}, reverse=True):
        chosen = [row for row in rows if (row["rows"], row["dim"]) == (rows_, dim)]
        for model in dict.fromkeys(row["model"] for row in chosen):
            parts.append(f"## {model}, {rows_} x {dim}")
            parts += _model([row for row in chosen if row["model"] == model])
    parts += _device(rows)
    return "\n\n".join(parts) + "\n"


def _header(settings: dict[str, Any], rows: list[Row], command: str) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in settings["versions"].items())
    rounds = sorted(n for row in rows for n in row["rounds"].values())
    turns = f"{rounds[0]} to {rounds[-1]} rounds" if rounds else "no rounds"
    words = (
        f"Written by `{command}` on {settings['machine']}, {settings['system']}, one thread:"
        f" noneuclid {settings['noneuclid']}, {versions}, Python {settings['python']}; {turns}."
    )
    return textwrap.fill(words, 120, break_long_words=False, break_on_hyphens=False)


def _grid(head: list[str], lines: list[list[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


def _ratio(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _cell(row: Row, phase: str, path: str) -> str:
    if path in row["faults"]:
        return "fails"
    if path not in row[phase]:
        return "-"
    median, low, high = row[phase][path]
    return f"{_ratio(median)} ({_ratio(low)}-{_ratio(high)})"


def _paths(rows: list[Row]) -> list[str]:
    return [p for p in NAMES if any(p in row["both"] or p in row["faults"] for row in rows)]


def _model(rows: list[Row]) -> Iterator[str]:
    """Yield the tables of one model and size, and what failed."""
    paths = _paths(rows)
    for phase, title in (("both", "forward + backward"), ("forward", "forward")):
        head = [title, "twin, us", *(NAMES[path] for path in paths)]
        yield _grid(
            head,
            [
                [row["operation"], f"{1e6 * row['seconds'][phase]:.0f}"]
                + [_cell(row, phase, path) for path in paths]
                for row in rows
            ],
        )
    faults = [
        f"- {row['operation']}, {NAMES[path]}: `{fault[:90]}`"
        for row in rows
        for path, fault in row["faults"].items()
    ]
    if faults:
        yield "\n".join(faults)


def _bars(rows: list[Row]) -> Iterator[str]:
    """Yield the bars beside what is reached, and the reasons where it is not."""
    chosen = [row for row in rows if bars.applies(row)]
    if not chosen:
        yield f"They are for {bars.ROWS} x {bars.DIM}, which this run does not hold."
        return
    yield f"Forward and backward at {bars.ROWS} x {bars.DIM}; **bold** is beyond the bar."
    models = list(dict.fromkeys(row["model"] for row in chosen))
    table = {(row["model"], row["operation"]): row for row in chosen}
    for path in bars.BARS:
        if not any(path in row["both"] for row in chosen):
            continue
        lines = []
        for operation, limit in bars.BARS[path].items():
            line = [operation, f"{limit:g}"]
            line += [_judged(table.get((model, operation)), path, limit) for model in models]
            lines.append(line)
        yield _grid([NAMES[path], "bar", *models], lines)
    missed = [
        f"- {NAMES[miss.path]} {miss.operation} on {miss.model}: {miss.value:.1f} instead of"
        f" {miss.bar:g}, {miss.value / miss.bar:.1f} times the bar; {miss.reason}."
        for miss in bars.misses(chosen)
    ]
    yield "\n".join(missed) if missed else "Every bar is reached."


def _judged(row: Row | None, path: str, limit: float) -> str:
    if row is None or path not in row["both"]:
        return "fails" if row is not None and path in row["faults"] else "-"
    value = row["both"][path][0]
    return f"**{value:.1f}**" if value > limit else f"{value:.1f}"


def _kept(rows: list[Row]) -> Iterator[str]:
    """Yield what is kept for backward at the largest size of each model."""
    most = max((row["rows"] for row in rows), default=0)
    chosen = [row for row in rows if row["rows"] == most]
    paths = [path for path in ("native", "compiled", "geoopt") if path in _paths(chosen)]
    yield (
        f"In row scalars at {most} rows, {' / '.join(NAMES[path] for path in paths)}. The bar is"
        f" {bars.KEPT}; for mlr one float32 number for each row and class, which is"
        f" {bars.ENTRY * bars.CLASSES / bars.ROW_SCALAR:g}; for cdist nothing (there in scalars of"
        f" its {PAIRS} rows). **Bold** is beyond."
    )
    models = list(dict.fromkeys(row["model"] for row in chosen))
    table = {(row["model"], row["operation"]): row for row in chosen}
    lines = [
        [name, *(_kept_cell(table.get((model, name)), paths) for model in models)]
        for name in dict.fromkeys(row["operation"] for row in chosen)
    ]
    yield _grid(["operation", *models], lines)


def _kept_cell(row: Row | None, paths: list[str]) -> str:
    if row is None:
        return "-"
    count = min(row["rows"], PAIRS) if row["operation"] == "cdist" else row["rows"]
    limit = bars.kept_bar(row["operation"], count)
    cells = []
    for path in paths:
        kept = row["kept"].get(path)
        number = "-" if kept is None else _ratio(kept / (bars.ROW_SCALAR * count))
        beyond = path != "geoopt" and kept is not None and kept > limit + bars.KEPT_ONCE
        cells.append(f"**{number}**" if beyond else number)
    return " / ".join(cells)


def _device(rows: list[Row]) -> Iterator[str]:
    """Yield what is measured on a GPU only: bandwidth, and who makes the host wait."""
    chosen = [row for row in rows if "bandwidth" in row]
    if not chosen:
        return
    yield "## Bandwidth"
    yield (
        "Bytes of arguments, results and gradients over the time, as a part of what a device copy"
        " reaches: forward / forward + backward. The last column names the paths in which the host"
        " waits for the device."
    )
    paths = [p for p in _paths(chosen) if p not in ("geoopt", "hypll")]
    lines = []
    for row in chosen:
        shares = row["bandwidth"]
        line = [row["model"], row["operation"], f"{row['rows']} x {row['dim']}"]
        for path in paths:
            each = [shares[phase].get(path) for phase in ("forward", "both")]
            line.append(" / ".join("-" if x is None else f"{x:.2f}" for x in each))
        waiting = sorted({p for phase in row["syncs"].values() for p in phase})
        lines.append([*line, ", ".join(NAMES.get(p, p) for p in waiting) or "none"])
    yield _grid(["model", "operation", "size", *(NAMES[p] for p in paths), "waits"], lines)
