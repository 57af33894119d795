"""Differences of two taggers on the same jets, with intervals from the paired bootstrap."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

Metric = Literal["auc", "accuracy"]
LEVEL = 0.95


class Interval(NamedTuple):
    """A number, the ends of its 95 % interval, and its standard error."""

    value: float
    low: float
    high: float
    error: float


class RankedScores:
    """The scores of a tagger, sorted once, so that weights of the jets are all that changes.

    Args:
        labels: (N,) 1 for signal, 0 for background.
        scores: (N,) larger for signal; above 0 where signal is believed.

    Raises:
        ValueError: shapes differ, or a score is no number.
    """

    def __init__(self, labels: np.ndarray, scores: np.ndarray) -> None:
        if labels.ndim != 1 or labels.shape != scores.shape or np.isnan(scores).any():
            raise ValueError(
                f"expected a number for each jet, got labels {labels.shape}, scores"
                f" {scores.shape}, {int(np.isnan(scores).sum())} NaN"
            )
        self.labels = labels.astype(np.float64)
        self.right = ((scores > 0) == (labels > 0)).astype(np.float64)
        distinct, self.place = np.unique(scores, return_inverse=True)
        self.count = len(distinct)

    def auc(self, weights: np.ndarray) -> float:
        """Return the area under the ROC curve of weighted jets; equal scores count half."""
        signal = np.bincount(self.place, weights * self.labels, self.count)
        background = np.bincount(self.place, weights * (1 - self.labels), self.count)
        below = np.cumsum(background) - background / 2
        pairs = signal.sum() * background.sum()
        return float((signal * below).sum() / pairs) if pairs else float("nan")

    def accuracy(self, weights: np.ndarray) -> float:
        """Return the share of the weight on the right side of 0."""
        return float((weights * self.right).sum() / weights.sum())


def paired_difference(
    labels: np.ndarray,
    one: np.ndarray,
    other: np.ndarray,
    *,
    metric: Metric = "auc",
    weights: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Compare two taggers on the same jets: the mean metric of `one` minus that of `other`.

    A resample draws as many jets as there are, with replacement, the same for both taggers; where
    there are several trainings of each, it draws as many of these as well. The interval is that
    between the 2.5 % and the 97.5 % quantile of the differences. Of S trainings, the variance that
    comes from the seed is understated by (S - 1) / S.

    Args:
        labels: (N,) 1 for signal, 0 for background.
        one: (N,) or (trainings, N) scores, larger for signal; accuracy is that of scores > 0.
        other: likewise; the number of trainings may differ.
        metric: "auc" or "accuracy".
        weights: (N,) of the jets; None: 1.
        strata: (N,) whole numbers; jets are drawn within each stratum. None: within each class.
        resamples: how many.
        seed: of the draws.

    Raises:
        ValueError: an unknown metric, or shapes that do not fit.

    Source: [efron1993introduction] chapter 13, percentile intervals.
    """
    if metric not in ("auc", "accuracy"):
        raise ValueError(f"metric must be auc or accuracy, got {metric!r}")
    rng = np.random.default_rng(seed)
    labels = np.asarray(labels)
    sides = [
        [getattr(RankedScores(labels, row), metric) for row in np.atleast_2d(scores)]
        for scores in (one, other)
    ]
    weights = np.ones(len(labels)) if weights is None else weights
    draw = _Draw(labels if strata is None else strata, rng)
    value = _difference(sides, weights, [range(len(side)) for side in sides])
    found = np.array([
        _difference(
            sides, weights * draw(), [rng.integers(len(side), size=len(side)) for side in sides]
        )
        for _ in range(resamples)
    ])  # fmt: skip
    return interval(value, found)


def interval(value: float, resampled: np.ndarray) -> Interval:
    """Return a value with the quantiles and the spread of its resamples."""
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high), float(resampled.std(ddof=1)))


def _difference(
    sides: list[list[Callable[[np.ndarray], float]]],
    weights: np.ndarray,
    chosen: list[np.ndarray] | list[range],
) -> float:
    """Return the mean metric of the chosen trainings of one side minus that of the other."""
    means = []
    for side, trainings in zip(sides, chosen, strict=True):
        known = {int(i): side[int(i)](weights) for i in set(map(int, trainings))}
        means.append(np.mean([known[int(i)] for i in trainings]))
    return float(means[0] - means[1])


class _Draw:
    """Draw jets with replacement within strata: how often each one is drawn."""

    def __init__(self, strata: np.ndarray, rng: np.random.Generator) -> None:
        order = np.argsort(strata, kind="stable")
        _, sizes = np.unique(strata, return_counts=True)
        self.order, self.rng = order, rng
        self.first = np.repeat(np.cumsum(sizes) - sizes, sizes)
        self.size = np.repeat(sizes, sizes)

    def __call__(self) -> np.ndarray:
        drawn = self.first + (self.rng.random(len(self.size)) * self.size).astype(np.int64)
        return np.bincount(self.order[drawn], minlength=len(self.order)).astype(np.float64)
