"""The tables of the page, from what is stored."""

import math
from collections.abc import Sequence

import numpy as np
from analysis.bins import Bin
from analysis.bootstrap import Interval
from comparisons import Choice, Comparison
from measured import Measured, label, mean_and_spread

Cell = str | float | int


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_spread(values: np.ndarray, digits: int = 4) -> str:
    """Return mean ± standard deviation over seeds."""
    mean, spread = mean_and_spread(values)
    if not math.isfinite(spread):
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {spread:.{digits}f}"


def signed(value: Interval, scale: float = 1e4) -> str:
    """Return a difference and its interval, in units of 1 / scale."""
    if not math.isfinite(value.value):
        return "none: it does not vary"
    return f"{value.value * scale:+.0f} [{value.low * scale:+.0f}, {value.high * scale:+.0f}]"


def plain(value: Interval) -> str:
    """Return a number and its interval."""
    if not math.isfinite(value.value):
        return "none: it does not vary"
    return f"{value.value:+.3f} [{value.low:+.3f}, {value.high:+.3f}]"


def of_block(measured: Measured, grid: str, block: str) -> str:
    """Return size, cost and metrics of every model of a block."""
    rows = []
    for model in measured.models(grid, block):

        def of(metric: str, model: str = model) -> np.ndarray:
            return measured.values(grid, block, model, metric)

        rows.append([
            label(model), f"{of('parameters').mean():.0f}", len(of("auc")),
            f"{of('passes').mean():.1f}",
            f"{of('cpu_seconds').mean():.0f}", f"{of('jets_per_cpu_second').mean():.0f}",
            with_spread(of("auc")), with_spread(of("accuracy")), f"{of('rejection_50').mean():.0f}",
        ])  # fmt: skip
    head = ["tagger", "parameters", "seeds", "epochs", "CPU-s", "jets per CPU-s", "AUC", "accuracy",
            "1/eB at 50 %"]  # fmt: skip
    return table(head, rows)


def of_comparisons(found: list[Comparison]) -> str:
    """Return the differences of pairs, in units of 1e-4 of AUC."""
    rows = [
        [
            f"{label(each.one)} − {label(each.other)}",
            f"{each.seeds[0]}, {each.seeds[1]}",
            signed(each.paired),
            f"{each.welch[0] * 1e4:+.0f}"
            + (f" ± {each.welch[1] * 1e4:.0f}" if math.isfinite(each.welch[1]) else ""),
            verdict(each),
        ]
        for each in found
    ]
    head = ["difference", "seeds", "of AUC / 1e-4, 95 %",
            "means ± standard error", ""]  # fmt: skip
    return table(head, rows)


def verdict(each: Comparison) -> str:
    """Say in a word what a comparison shows: more than two standard errors, or not."""
    difference, error = each.welch
    if not math.isfinite(error):
        return "one seed"
    if difference > 2 * error and each.paired.low > 0:
        return "better"
    if difference < -2 * error and each.paired.high < 0:
        return "worse"
    return "not told apart"


def of_ablation(measured: Measured, block: str, base: str | None = None) -> str:
    """Return the AUC of every model of a block, with the base of the ablations above them."""
    rows = [("signature", base)] if base and measured.of("ablations", "signature", base) else []
    rows += [(block, model) for model in measured.models("ablations", block)]
    return table(
        ["", "parameters", "seeds", "AUC", "accuracy", "jets per CPU-s"],
        [
            [
                _signature(measured, own, model),
                f"{measured.values('ablations', own, model, 'parameters').mean():.0f}",
                len(measured.of("ablations", own, model)),
                with_spread(measured.values("ablations", own, model, "auc")),
                with_spread(measured.values("ablations", own, model, "accuracy")),
                f"{measured.values('ablations', own, model, 'jets_per_cpu_second').mean():.0f}",
            ]
            for own, model in rows
        ],
    )


def _signature(measured: Measured, block: str, model: str) -> str:
    """Return what is special about an ablation: its options, or its signature."""
    settings = measured.of("ablations", block, model)[0]["settings"]
    options = settings["options"]
    return ", ".join(f"{k} {v}" for k, v in options.items()) or settings["signature"] or model


def of_series(measured: Measured, prefix: str, head: str) -> str:
    """Return the AUCs of blocks that differ by a number, such as "jets-300": a row for each."""
    blocks = series(measured, prefix)
    models = list(
        dict.fromkeys(model for block in blocks for model in measured.models("ablations", block))
    )
    rows = [
        [
            f"{number:,}",
            *(
                with_spread(measured.values("ablations", block, model, "auc"))
                if measured.of("ablations", block, model)
                else ""
                for model in models
            ),
        ]
        for block, number in blocks.items()
    ]
    return table([head, *map(label, models)], rows)


def series(measured: Measured, prefix: str) -> dict[str, int]:
    """Return the blocks "prefix-number" of the ablations with their numbers, ascending."""
    found = {
        block: int(block.removeprefix(prefix))
        for block in measured.blocks("ablations")
        if block.startswith(prefix)
    }
    return dict(sorted(found.items(), key=lambda item: item[1]))


def of_showers(measured: Measured, block: str) -> str:
    """Return the AUC on jets of other showers and how far it falls."""
    rows, names = [], []
    for model in measured.models("main", block):
        runs = [row for row in measured.of("main", block, model) if row["showers"]]
        if not runs:
            continue
        names = names or sorted(runs[0]["showers"])
        own = np.array([row["test"]["auc"] for row in runs])
        cells = []
        for name in names:
            there = np.array([row["showers"][name]["auc"] for row in runs])
            cells += [with_spread(there), f"{(there - own).mean() * 1e4:+.0f}"]
        rows.append([label(model), len(runs), with_spread(own), *cells])
    head = ["tagger", "seeds", "AUC", *(text for n in names for text in (n, "change / 1e-4"))]
    return table(head, rows) if rows else ""


def of_bins(found: dict[str, list[Bin]]) -> str:
    """Return the differences in bins, a column for each way of weighing."""
    ways = list(found)
    rows = [
        [
            f"{own[0].low:.3f} to {own[0].high:.3f}",
            f"{own[0].jets:,}",
            *(f"{signed(each.difference)} ({each.kept:.0%})" for each in own),
        ]
        for own in zip(*found.values(), strict=True)
    ]
    return table(["relative delta", "jets", *ways], rows)


def of_choices(found: list[Choice]) -> str:
    """Return what routed taggers chose."""
    rows = [
        [
            label(each.model), each.seed, f"{each.auc:.4f}",
            ", ".join(f"{K:+.2f}" for K in each.curvatures),
            ", ".join(f"{share:.2f}" for share in each.load),
            plain(each.plain), plain(each.partial),
        ]
        for each in found
    ]  # fmt: skip
    head = ["experts", "seed", "AUC", "K at the end", "mean weights", "Spearman",
            "Spearman, class, multiplicity and pT held"]  # fmt: skip
    return table(head, rows)
