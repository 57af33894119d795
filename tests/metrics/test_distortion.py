"""Distortion: known values, blocks, samples, what does not count, bad input."""

import pytest
import torch

import noneuclid as ne
from noneuclid.metrics import distortion, embedding_distortion, graph_distances


def line(count, dtype=torch.float64):
    return torch.arange(count, dtype=dtype)[:, None]


def steps(count):
    return torch.cdist(line(count), line(count))


def test_known_values():
    found = distortion(torch.tensor([2.0, 3.0, 1.0]), torch.tensor([2.0, 2.0, 2.0]))
    assert float(found.average) == pytest.approx(1 / 3)
    assert found.worst == 3
    assert found.average.dtype == torch.float64


def test_an_isometry_has_none_and_a_scale_is_seen_by_the_average_alone(dtype):
    E = ne.Euclidean(1)
    found = embedding_distortion(E, line(20, dtype), steps(20))
    assert (found.average, found.worst) == (0, 1)
    scaled = embedding_distortion(E, 3 * line(20, dtype), steps(20))
    assert (scaled.average, scaled.worst) == (2, 1)


@pytest.mark.parametrize("signature", ["H3", "S2", "H2 x E2 x S2"])
@pytest.mark.parametrize("block", [1, 7, 100])
def test_blocks_make_no_difference(signature, block, dtype):
    manifold = ne.manifold(signature)
    x, target = manifold.random(23, dtype=dtype), manifold.random(23, dtype=dtype)
    target = manifold.cdist(target, target)
    upper = torch.triu(torch.ones(23, 23), 1).bool()
    expected = distortion(manifold.cdist(x, x)[upper], target[upper])
    found = embedding_distortion(manifold, x, target, block=block)
    torch.testing.assert_close(found.average, expected.average, rtol=1e-5, atol=0)
    torch.testing.assert_close(found.worst, expected.worst, rtol=1e-4, atol=0)


def test_pairs_without_a_path_do_not_count():
    target = graph_distances(torch.tensor([[0, 1], [2, 3]]), 4)
    x = torch.tensor([[0.0], [2.0], [50.0], [53.0]])
    found = embedding_distortion(ne.Euclidean(1), x, target)
    assert (found.average, found.worst) == (1.5, 1.5)
    alone = embedding_distortion(ne.Euclidean(1), x[:1], target[:1, :1])
    assert alone.average.isnan()
    assert alone.worst.isnan()
    none = embedding_distortion(ne.Euclidean(1), x[:0], target[:0, :0])
    assert none.average.isnan()


def test_samples_estimate_the_average(generator):
    E = ne.Euclidean(1)
    x = line(30) ** 1.3
    exact = embedding_distortion(E, x, steps(30))
    found = embedding_distortion(E, x, steps(30), pairs=20_000, generator=generator)
    assert float(found.average) == pytest.approx(float(exact.average), rel=0.02)
    assert found.worst <= exact.worst
    two = embedding_distortion(E, x[:2], 2 * steps(30)[:2, :2], pairs=9)
    assert (two.average, two.worst) == (0.5, 1)


def test_bad_input():
    E, x = ne.Euclidean(1), line(4)
    with pytest.raises(ValueError, match="one shape"):
        distortion(torch.zeros(3), torch.zeros(2))
    with pytest.raises(ValueError, match=r"\(4, 4\)"):
        embedding_distortion(E, x, torch.zeros(4, 3))
    with pytest.raises(ValueError, match="pairs"):
        embedding_distortion(E, x, steps(4), pairs=0)
    with pytest.raises(ValueError, match="pairs"):
        embedding_distortion(E, x[:1], steps(1), pairs=3)
