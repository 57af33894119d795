"""Who tags better in bins of a number, with other numbers held alike."""

from typing import NamedTuple

import numpy as np

from analysis.bootstrap import Interval, Metric, paired_difference


class Bin(NamedTuple):
    """A bin of jets and what two taggers make of it.

    Attributes:
        low: smallest value in the bin.
        high: largest.
        jets: how many are in it.
        kept: the share of them that has counterparts in all other bins.
        difference: of `one` and `other`.
    """

    low: float
    high: float
    jets: int
    kept: float
    difference: Interval


def quantile_codes(values: np.ndarray, bins: int) -> np.ndarray:
    """Cut values into bins of about equally many: (N,) codes 0, 1, ... in ascending order.

    Equal values are in one bin, so that numbers of few values have fewer and unequal bins.
    """
    inner = np.quantile(values, np.arange(1, bins) / bins)
    return np.unique(np.searchsorted(np.unique(inner), values, side="right"), return_inverse=True)[
        1
    ]


def matched_weights(codes: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return weights that give all bins the same number of jets in each cell: (N,).

    With n(b, c) jets in bin b and cell c, a jet weighs min_b' n(b', c) / n(b, c): at most 1, and 0
    in cells that some bin lacks.

    Args:
        codes: (N,) bin of each jet, 0, 1, ...
        cells: (N,) whole number of the cell of each jet: what is to be alike.
    """
    _, cell = np.unique(cells, return_inverse=True)
    counts = np.zeros((codes.max() + 1, cell.max() + 1))
    np.add.at(counts, (codes, cell), 1)
    return counts.min(0)[cell] / counts[codes, cell]


def difference_in_bins(
    values: np.ndarray,
    labels: np.ndarray,
    one: np.ndarray,
    other: np.ndarray,
    *,
    controls: tuple[np.ndarray, ...] = (),
    quantiles: int = 5,
    metric: Metric = "accuracy",
    resamples: int = 1000,
) -> list[Bin]:
    """Compare two taggers on the same jets in bins of a number, such as Gromov's delta.

    A number that tells trees also tells many particles from few, and signal from background. So
    the jets of each bin are weighted to have, in every cell of class and quantiles of the controls,
    the same share (`matched_weights`): what then differs between bins comes from the number
    itself, up to the width of the cells. Jets are resampled within the cells of each bin.

    Args:
        values: (N,) the number.
        labels: (N,) 1 for signal, 0 for background.
        one: (N,) or (trainings, N) scores.
        other: likewise.
        controls: each (N,), such as multiplicity and pT.
        quantiles: bins of the number, and cells of each control.
        metric: "auc" or "accuracy".
        resamples: of the bootstrap.

    Raises:
        ValueError: no cell has jets of all bins: take fewer quantiles.
    """
    codes = quantile_codes(values, quantiles)
    cell = np.asarray(labels).astype(np.int64)
    for control in controls:
        cell = cell * quantiles + quantile_codes(control, quantiles)
    weights = matched_weights(codes, cell)
    if not weights.any():
        raise ValueError("no cell has jets of all bins: take fewer quantiles")
    found = []
    for code in range(codes.max() + 1):
        own = (codes == code) & (weights > 0)
        difference = paired_difference(
            labels[own],
            np.atleast_2d(one)[:, own],
            np.atleast_2d(other)[:, own],
            metric=metric,
            weights=weights[own],
            strata=cell[own],
            resamples=resamples,
            seed=code,
        )
        inside = values[codes == code]
        kept = float(own.sum() / len(inside))
        ends = float(inside.min()), float(inside.max())
        found.append(Bin(*ends, len(inside), kept, difference))
    return found
