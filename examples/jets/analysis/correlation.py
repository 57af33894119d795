"""Rank correlation of two numbers of the jets, others held fixed, with its interval."""

import numpy as np
from scipy.stats import rankdata

from analysis.bootstrap import Interval, interval


def spearman(
    x: np.ndarray,
    y: np.ndarray,
    *,
    controls: tuple[np.ndarray, ...] = (),
    resamples: int = 200,
    seed: int = 0,
) -> Interval:
    """Compute Spearman's rank correlation of two numbers; its interval is bootstrapped over jets.

    With controls it is the partial one: the correlation of what a linear map of the controls'
    ranks leaves of the ranks of x and y.

    Args:
        x: (N,).
        y: (N,).
        controls: each (N,).
        resamples: how many.
        seed: of the draws.

    Returns:
        NaN where x or y does not vary.
    """
    rng = np.random.default_rng(seed)
    columns = np.stack([np.asarray(c, dtype=np.float64) for c in (x, y, *controls)])
    count = columns.shape[1]
    draws = (columns[:, rng.integers(count, size=count)] for _ in range(resamples))
    return interval(_partial(columns), np.array([_partial(drawn) for drawn in draws]))


def _partial(columns: np.ndarray) -> float:
    """Return the correlation of the first two columns' ranks beside those of the others."""
    ranks = rankdata(columns, axis=1)
    ranks -= ranks.mean(1, keepdims=True)
    pair, others = ranks[:2], ranks[2:]
    if len(others):
        fit, *_ = np.linalg.lstsq(others.T, pair.T, rcond=None)
        pair = pair - (others.T @ fit).T
    length = np.sqrt((pair**2).sum(1))
    smallest = 1e-9 * np.sqrt((ranks[:2] ** 2).sum(1)).max()  # what rounding leaves of nothing
    if length.min() <= smallest:
        return float("nan")
    return float(pair[0] @ pair[1] / length.prod())
