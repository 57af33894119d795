"""Tagging metrics against scikit-learn and against counting by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, roc_auc_score, roc_curve

from noneuclid.metrics import accuracy, background_rejection, roc_auc

# few distinct scores: most jets are tied with others
SAMPLES = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([-math.inf, -1.5, 0.0, 0.1, 0.2, 0.3, 7.0])),
    min_size=2,
    max_size=60,
).filter(lambda jets: 0 < sum(label for label, _ in jets) < len(jets))


def columns(jets):
    labels, scores = zip(*jets, strict=True)
    return np.array(labels), np.array(scores)


@given(SAMPLES)
def test_roc_auc_counts_pairs(jets):
    labels, scores = columns(jets)
    signal, background = scores[labels == 1][:, None], scores[labels == 0][None, :]
    expected = ((signal > background) + 0.5 * (signal == background)).mean()
    assert roc_auc(labels, scores) == pytest.approx(expected, abs=1e-14)


@given(SAMPLES, st.sampled_from([0.1, 0.3, 0.5, 2 / 3, 1.0]))
def test_background_rejection_is_the_tightest_cut(jets, efficiency):
    labels, scores = columns(jets)
    best = None
    for cut in sorted(set(scores)):  # rising cuts: the last that keeps enough signal is tightest
        if (scores[labels == 1] >= cut).mean() >= efficiency:
            best = int((scores[labels == 0] >= cut).sum())
    value, passing = background_rejection(labels, scores, efficiency)
    assert passing == best
    assert value == (pytest.approx((labels == 0).sum() / best) if best else math.inf)


@pytest.mark.parametrize("decimals", [1, 3, 17])
def test_agrees_with_scikit_learn(decimals):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 20_000)
    scores = np.round(rng.normal(labels, 1.0), decimals)
    assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-13)
    background, signal, _ = roc_curve(labels, scores, drop_intermediate=False)
    for efficiency in (0.3, 0.5, 0.9):
        expected = background[np.argmax(signal >= efficiency)]
        found = background_rejection(labels, scores, efficiency)
        assert found.value == pytest.approx(1 / expected, rel=1e-12)
        assert found.background_passing == round(expected * (labels == 0).sum())
    assert accuracy(labels, scores) == accuracy_score(labels, scores > 0.5)
    assert accuracy(labels, scores, threshold=-1.0) == accuracy_score(labels, scores > -1.0)


def test_perfect_reversed_and_constant_scores():
    labels = [0, 0, 1, 1]
    assert roc_auc(labels, [0.1, 0.2, 0.3, 0.4]) == 1.0
    assert roc_auc(labels, [0.4, 0.3, 0.2, 0.1]) == 0.0
    assert roc_auc(labels, [1.0] * 4) == 0.5
    assert background_rejection(labels, [0.1, 0.2, 0.3, 0.4]) == (math.inf, 0)
    assert background_rejection(labels, [1.0] * 4) == (1.0, 2)


def test_accepts_tensors_that_carry_gradients_and_half_precision():
    labels = torch.tensor([0, 1, 1, 0])
    scores = torch.tensor([0.25, 0.75, 0.5, 0.5], requires_grad=True)
    expected = roc_auc(labels.numpy(), scores.detach().numpy())
    assert roc_auc(labels, scores) == roc_auc(labels.bool(), scores.bfloat16()) == expected == 0.875


@pytest.mark.parametrize("metric", [roc_auc, background_rejection, accuracy])
@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.1, 0.2, 0.3], "equal length"),
        ([], [], "not empty"),
        ([[0, 1]], [[0.1, 0.2]], "one-dimensional"),
        ([0, 2], [0.1, 0.2], "1 for signal"),
        ([0, 1], [0.1, math.nan], "1 are NaN"),
    ],
)
def test_bad_input(metric, labels, scores, message):
    with pytest.raises(ValueError, match=message):
        metric(labels, scores)


def test_both_classes_are_needed():
    for metric in (roc_auc, background_rejection):
        with pytest.raises(ValueError, match="all labels are 1"):
            metric([1, 1], [0.1, 0.2])
    assert accuracy([1, 1], [0.1, 0.9]) == 0.5
    for efficiency in (0.0, 1.1):
        with pytest.raises(ValueError, match="signal_efficiency must be in"):
            background_rejection([0, 1], [0.1, 0.2], efficiency)
