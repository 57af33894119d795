"""examples/jets/analysis: taggers on the same jets, against cases of known answer."""

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from noneuclid.datasets import load_jets
from noneuclid.metrics import accuracy, gromov_delta, roc_auc


@pytest.fixture
def analysis(jets_example: Path) -> Any:
    return lambda name: importlib.import_module(f"analysis.{name}")


def draw(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels and the scores of two taggers that share half of their noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    shared, one, other = rng.normal(size=(3, count))
    middle = 2.0 * labels - 1 + shared
    return labels, middle + one, middle + other


# -- the bootstrap ---------------------------------------------------------------------------------


def test_weights_are_numbers_of_copies(analysis: Any) -> None:
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, 200), np.round(rng.normal(size=200), 1)  # with ties
    copies = rng.integers(0, 4, 200)
    ranked = analysis("bootstrap").RankedScores(labels, scores)
    repeated = np.repeat(labels, copies), np.repeat(scores, copies)
    assert ranked.auc(copies) == pytest.approx(roc_auc(*repeated))
    assert ranked.accuracy(copies) == pytest.approx(accuracy(*repeated, threshold=0))


def test_difference_and_error_are_the_exact_ones(analysis: Any) -> None:
    """The error of a difference of accuracies is that of the mean of paired +1, -1 and 0."""
    labels, one, other = draw(4000)
    paired = analysis("bootstrap").paired_difference
    found = paired(labels, one, other, metric="accuracy", resamples=800)
    gains = ((one > 0) == labels).astype(float) - ((other > 0) == labels)
    assert found.value == pytest.approx(gains.mean())
    exact = gains.std() / math.sqrt(len(gains))
    assert found.error == pytest.approx(exact, rel=0.1)
    assert found.low == pytest.approx(found.value - 1.96 * exact, abs=0.25 * exact)
    assert found.high == pytest.approx(found.value + 1.96 * exact, abs=0.25 * exact)
    auc = paired(labels, one, other, metric="auc", resamples=20)
    assert auc.value == pytest.approx(roc_auc(labels, one) - roc_auc(labels, other))


def test_pairing_removes_what_is_shared(analysis: Any) -> None:
    labels, one, _ = draw(2000)
    better = one + 0.2 * (2 * labels - 1)
    paired = analysis("bootstrap").paired_difference(labels, better, one, resamples=200)
    assert paired.low > 0
    ranked = analysis("bootstrap").RankedScores(labels, one)
    rng = np.random.default_rng(0)
    alone = [ranked.auc(np.bincount(rng.integers(2000, size=2000), minlength=2000))
             for _ in range(200)]  # fmt: skip
    assert paired.error < 0.4 * np.std(alone)


def test_seeds_widen_the_interval(analysis: Any) -> None:
    """Three trainings, one of them bad, against one: the value is that of the means."""
    labels, one, other = draw(1500)
    bad = np.random.default_rng(5).normal(size=1500)
    trainings = np.stack([one, one, bad])
    paired = analysis("bootstrap").paired_difference
    found = paired(labels, trainings, other, resamples=200)
    means = np.mean([roc_auc(labels, row) for row in trainings])
    assert found.value == pytest.approx(means - roc_auc(labels, other))
    assert found.error > 5 * paired(labels, one, other, resamples=200).error


@pytest.mark.parametrize(
    ("scores", "metric", "message"),
    [
        (np.zeros(5), "auc", "expected a number for each jet"),
        (np.full(4, np.nan), "auc", "4 NaN"),
        (np.zeros(4), "loss", "metric must be auc or accuracy"),
    ],
)
def test_bootstrap_refuses(analysis: Any, scores: np.ndarray, metric: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        analysis("bootstrap").paired_difference(
            np.array([0, 1, 0, 1]), scores, scores, metric=metric
        )


# -- bins ------------------------------------------------------------------------------------------


def confounded(count: int = 24_000) -> tuple[np.ndarray, ...]:
    """Return a number that only goes with multiplicity, and a tagger that is better at high ones.

    `one` is right of everything above multiplicity 50 and of every second jet below it, `other` of
    every second jet: at equal multiplicity the number does not matter.
    """
    rng = np.random.default_rng(2)
    labels = np.arange(count) % 2
    multiplicity = np.where(rng.random(count) < 0.5, 30.0, 70.0)
    delta = 0.004 * multiplicity + rng.normal(size=count) * 0.08
    truth = 2.0 * labels - 1
    coin = np.where(np.arange(count) // 2 % 2, 1.0, -1.0)
    other = truth * coin
    one = np.where(multiplicity > 50, truth, other)
    return delta, multiplicity, labels, one, other


def test_matching_takes_a_confounder_away(analysis: Any) -> None:
    delta, multiplicity, labels, one, other = confounded()
    bins = analysis("bins").difference_in_bins
    plain = bins(delta, labels, one, other, quantiles=4, resamples=100)
    matched = bins(delta, labels, one, other, controls=(multiplicity,), quantiles=4, resamples=100)
    trend = [each.difference.value for each in plain]
    assert trend == sorted(trend)
    assert trend[-1] - trend[0] > 0.3
    for each, first in zip(matched, plain, strict=True):
        assert each.difference.low <= each.difference.value <= each.difference.high
        assert (each.low, each.high, each.jets) == (first.low, first.high, first.jets)
    values = np.array([each.difference.value for each in matched])
    assert np.ptp(values) < 0.03
    assert plain[0].kept == 1.0


def test_matched_bins_have_equal_cells(analysis: Any) -> None:
    rng = np.random.default_rng(3)
    codes, cells = rng.integers(0, 3, 3000), rng.integers(0, 7, 3000) ** 2
    codes[cells == 36] = 1  # a cell that two bins lack
    weights = analysis("bins").matched_weights(codes, cells)
    assert weights.max() <= 1
    for cell in np.unique(cells):
        sums = [weights[(codes == code) & (cells == cell)].sum() for code in range(3)]
        counts = [((codes == code) & (cells == cell)).sum() for code in range(3)]
        assert sums == pytest.approx([min(counts)] * 3)
    assert not weights[cells == 36].any()


def test_bins_know_where_one_is_better(analysis: Any) -> None:
    """`one` is right of all jets of high delta and of half the others, `other` of half of all."""
    rng = np.random.default_rng(4)
    delta, labels = rng.permutation(4000) / 4000, np.arange(4000) % 2
    truth, coin = 2.0 * labels - 1, np.where(np.arange(4000) // 2 % 2, 1.0, -1.0)
    one = np.where(delta >= 0.5, truth, truth * coin)
    found = analysis("bins").difference_in_bins(
        delta, labels, np.stack([one, one]), truth * coin, controls=(rng.random(4000),),
        quantiles=2, resamples=100,
    )  # fmt: skip
    assert [each.difference.value for each in found] == pytest.approx([0.0, 0.5], abs=0.03)
    assert found[0].difference.low <= 0 <= found[0].difference.high
    assert found[1].difference.low > 0.4


def test_equal_values_share_a_bin(analysis: Any) -> None:
    codes = analysis("bins").quantile_codes
    assert codes(np.array([0.0, 0, 0, 0, 0, 1, 2]), 4).tolist() == [0, 0, 0, 0, 0, 1, 1]
    assert codes(np.array([70.0, 30, 30, 70]), 5).tolist() == [1, 0, 0, 1]
    assert not codes(np.ones(5), 4).any()
    assert np.bincount(codes(np.arange(100)[::-1], 4)).tolist() == [25] * 4


# -- correlation -----------------------------------------------------------------------------------


def test_correlation_with_a_control(analysis: Any) -> None:
    """x and y go with z alone: their own correlation is that of the ranks, the partial one none."""
    rng = np.random.default_rng(6)
    z, a, b = rng.normal(size=(3, 3000))
    x, y = z + 0.5 * a, np.exp(z + 0.5 * b)  # of ranks: the exponential changes nothing
    spearman = analysis("correlation").spearman
    plain = spearman(x, y, resamples=50)
    rho = 1 / 1.25  # of the normal variables, Pearson's
    assert plain.value == pytest.approx(6 / math.pi * math.asin(rho / 2), abs=0.02)
    assert plain.low < plain.value < plain.high
    held = spearman(x, y, controls=(z,), resamples=50)
    assert abs(held.value) < 0.06
    assert held.low < 0 < held.high
    assert spearman(x, -y, controls=(a,), resamples=2).value < -0.8
    assert math.isnan(spearman(np.ones(9), np.arange(9.0), resamples=2).value)


# -- delta of jets ---------------------------------------------------------------------------------


def test_delta_of_each_jet_is_its_own(analysis: Any, write_shard: Any, tmp_path: Path) -> None:
    """In batches with padding as of each jet alone, by angles formed in float64."""
    jets = load_jets(write_shard(tmp_path / "a.npz", jets=12), max_particles=10)
    delta = analysis("delta")
    found = delta.relative_delta(jets)
    for number in (0, 3, 7):
        px, py, pz, _ = jets.momenta[number][jets.mask[number]].double().T
        place = torch.stack([torch.asinh(pz / torch.hypot(px, py)), torch.atan2(py, px)], -1)
        apart = place[:, None] - place
        apart[..., 1] = (apart[..., 1] + math.pi) % (2 * math.pi) - math.pi
        between = apart.square().sum(-1).sqrt()
        expected = 2 * gromov_delta(between) / between.max() if between.max() > 0 else between.max()
        assert float(found[number]) == pytest.approx(float(expected), abs=2e-4)
    described = delta.describe(jets)
    assert set(described) == {"mass", "multiplicity", "delta", "delta_base", "delta_features"}
    assert (described["delta_base"] <= described["delta"] + 1e-6).all()
    assert len(delta.relative_delta(jets.subset(slice(0, 0)))) == 0
    with pytest.raises(ValueError, match="metric must be one of angle, features"):
        delta.relative_delta(jets, "energy")
