"""Which taggers are compared with which, on the same jets."""

from dataclasses import dataclass

import numpy as np
from analysis.bins import Bin, difference_in_bins
from analysis.bootstrap import Interval, paired_difference
from analysis.correlation import spearman
from measured import Measured, sigmas

PAIRS = (
    ("pm-transformer", "part"),
    ("pm-transformer", "euclidean-transformer"),
    ("pm-mlp", "euclidean-mlp"),
    ("pm-mlp-h", "euclidean-mlp"),
    ("pm-transformer-s-e", "euclidean-transformer"),
    ("pm-transformer-s", "euclidean-transformer"),
    ("pm-mlp-s", "euclidean-mlp"),
)
FLAT, CURVED = "euclidean-transformer", "pm-transformer"
CONTROLS = ("multiplicity", "pt")


@dataclass(frozen=True)
class Comparison:
    """Two models of a block.

    Attributes:
        one: a model.
        other: the one it is compared with.
        seeds: of each.
        paired: difference of their AUCs, bootstrapped over jets and seeds.
        welch: difference of the means over seeds, and its standard error from their spreads.
    """

    one: str
    other: str
    seeds: tuple[int, int]
    paired: Interval
    welch: tuple[float, float]


def compare(measured: Measured, grid: str, block: str, resamples: int) -> list[Comparison]:
    """Compare all pairs of which both have scores."""
    found = []
    for one, other in PAIRS:
        mine, theirs = (measured.scores(grid, block, name) for name in (one, other))
        if measured.jets is None or mine is None or theirs is None:
            continue
        difference = paired_difference(
            measured.jets["labels"], mine, theirs, metric="auc", resamples=resamples
        )
        means = sigmas(*(measured.values(grid, block, name, "auc") for name in (one, other)))
        seeds = (len(mine), len(theirs))
        found.append(Comparison(one, other, seeds, difference, means))
    return found


def in_bins(measured: Measured, block: str, delta: str, matched: bool, resamples: int) -> list[Bin]:
    """Compare PM-Transformer with its flat twin in bins of delta; nothing where one is missing."""
    one, other = (measured.scores("main", block, name) for name in (CURVED, FLAT))
    if measured.jets is None or one is None or other is None:
        return []
    jets = {name: values.astype(np.float64) for name, values in measured.jets.items()}
    return difference_in_bins(
        jets[delta],
        measured.jets["labels"],
        one,
        other,
        controls=tuple(jets[name] for name in CONTROLS) if matched else (),
        resamples=resamples,
    )


@dataclass(frozen=True)
class Choice:
    """What the jets of a routed tagger chose, against their delta.

    Attributes:
        model: of the grid.
        seed: of the run.
        auc: of the test jets.
        curvatures: K of the experts at the end.
        load: mean weight of each expert.
        plain: Spearman's correlation of the mean K of a jet with its delta.
        partial: likewise, with class, multiplicity and pT held fixed.
    """

    model: str
    seed: int
    auc: float
    curvatures: list[float]
    load: list[float]
    plain: Interval
    partial: Interval


def choices(measured: Measured, block: str, resamples: int) -> list[Choice]:
    """Return what is known of the routed taggers of a block."""
    found = []
    for model in measured.models("routed", block):
        for row in measured.of("routed", block, model):
            arrays = measured.arrays(row["name"])
            jets = measured.jets
            if jets is None or row["test_jets"] != int(jets["identity"]):
                continue
            chosen, delta = arrays["mean_curvature"], jets["delta"]
            held = (jets["labels"], *(jets[name] for name in CONTROLS))
            curvatures = [K for name, K in row["curvatures"].items() if name.startswith("K expert")]
            found.append(
                Choice(
                    model,
                    row["settings"]["seed"],
                    row["test"]["auc"],
                    curvatures,
                    list(arrays["gates"].mean(0) / 255),
                    spearman(chosen, delta, resamples=resamples),
                    spearman(chosen, delta, controls=held, resamples=resamples),
                )
            )
    return found
