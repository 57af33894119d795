"""Metrics of binary taggers: area under the ROC curve, background rejection, accuracy.

Labels are 1 for signal and 0 for background; scores grow with the belief in signal. Both are torch
tensors, numpy arrays or sequences of equal length. All results are exact: jets of equal score are
taken together, never in the order of the input.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Values = Tensor | np.ndarray | Sequence[float]


class Rejection(NamedTuple):
    """Background rejection and the number of background jets that it rests on.

    ``value`` is 1/eB; its relative statistical error is about 1/sqrt(background_passing). It is
    inf where no background jet passes, which says no more than 1/eB > number of background jets.
    """

    value: float
    background_passing: int


def roc_auc(labels: Values, scores: Values) -> float:
    """Compute the area under the ROC curve.

    P(score of a signal jet > score of a background jet) + P(equal) / 2, counted over all pairs
    through the distinct scores in O(N log N).

    Raises:
        ValueError: Shapes differ, labels other than 0 and 1, NaN scores, or one class is missing.
    """
    signal, background = _passing(*_checked(labels, scores))
    # trapezoids under (background passing, signal passing): a tie is a slanted step
    widths = np.diff(background, prepend=0.0)
    heights = signal + np.concatenate([[0.0], signal[:-1]])
    return float((widths * heights).sum() / (2.0 * signal[-1] * background[-1]))


def background_rejection(
    labels: Values, scores: Values, signal_efficiency: float = 0.5
) -> Rejection:
    """Compute 1/eB at the tightest cut that keeps at least ``signal_efficiency`` of the signal.

    Args:
        labels: (N,) 1 for signal, 0 for background.
        scores: (N,) larger for signal.
        signal_efficiency: In (0, 1]. With ties the efficiency reached may be larger.

    Raises:
        ValueError: As for ``roc_auc``, or ``signal_efficiency`` is outside (0, 1].
    """
    if not 0 < signal_efficiency <= 1:
        raise ValueError(f"signal_efficiency must be in (0, 1], got {signal_efficiency}")
    signal, background = _passing(*_checked(labels, scores))
    cut = np.searchsorted(signal / signal[-1], signal_efficiency)
    passing = int(background[cut])
    return Rejection(float(background[-1]) / passing if passing else float("inf"), passing)


def accuracy(labels: Values, scores: Values, *, threshold: float = 0.5) -> float:
    """Compute the share of jets on the right side of a cut: signal where score > threshold.

    ``threshold`` is 0.5 for probabilities and 0 for logits.

    Raises:
        ValueError: Shapes differ, labels other than 0 and 1, NaN scores, or no jets.
    """
    signal, values = _checked(labels, scores, both=False)
    return float(((values > threshold) == signal).mean())


def _checked(labels: Values, scores: Values, *, both: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Give labels as bool and scores as float64, or raise ValueError."""
    signal, values = (
        (x.detach().cpu().double().numpy() if isinstance(x, torch.Tensor) else np.asarray(x, float))
        for x in (labels, scores)
    )
    if signal.ndim != 1 or signal.shape != values.shape or len(signal) == 0:
        raise ValueError(
            "labels and scores must be one-dimensional, of equal length and not empty, got shapes "
            f"{signal.shape} and {values.shape}"
        )
    if not np.isin(signal, (0.0, 1.0)).all():
        raise ValueError("labels must be 1 for signal and 0 for background")
    if np.isnan(values).any():
        raise ValueError(f"scores must be numbers, {int(np.isnan(values).sum())} are NaN")
    if both and signal.min() == signal.max():
        raise ValueError(f"both classes are needed, all labels are {signal[0]:.0f}")
    return signal.astype(bool), values


def _passing(signal: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the signal and background jets at or above each distinct score, from the highest."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # the last jet of each distinct score
    above = np.cumsum(signal[order], dtype=np.float64)[last]
    return above, np.flatnonzero(last) + 1.0 - above
