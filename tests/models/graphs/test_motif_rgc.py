"""MotifRGC's own parts: kernel features and triads."""

import pytest
import torch

from noneuclid.layers._normal import from_normal
from noneuclid.manifolds import manifold
from noneuclid.models.graphs import KernelFeatures
from noneuclid.models.graphs.motif_rgc import drawn_triads


def test_flat_features_are_random_fourier_features() -> None:
    """On R^n their inner products are the Gaussian kernel, up to the sampling error."""
    m = manifold("E3")
    features = KernelFeatures(m, 20000, scale=1.0)
    x, y = 0.5 * torch.randn(4, 3), 0.5 * torch.randn(4, 3)
    wave = (
        torch.cos(-features.frequency * (x @ features.direction.mT) + features.phase)
        / len(features.phase) ** 0.5
    )
    torch.testing.assert_close(features(x), wave)
    shift = (2 * features(x) * features(y)).sum(-1)
    again = (2 * features(x + 1) * features(y + 1)).sum(-1)  # the kernel of a difference
    torch.testing.assert_close(shift, again, atol=0.05, rtol=0)


def test_hyperbolic_features_grow_toward_their_ideal_points() -> None:
    m = manifold("H3(-0.7)")
    features = KernelFeatures(m, 5)
    features.frequency.zero_()
    features.phase.zero_()
    c = 2.0 * features.direction
    value = features(from_normal(m, c)).diagonal() * 5**0.5
    expected = torch.exp(torch.tensor((3 - 1) * 0.7**0.5 * 2.0 / 2)).expand(5)
    torch.testing.assert_close(value, expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(TypeError, match="constant curvature"):
        KernelFeatures(manifold("H3 x E2"))


def test_triads_are_paths_and_told_closed_or_open() -> None:
    edges = torch.tensor([[0, 1], [1, 2], [0, 2], [2, 3], [3, 4]])
    index = torch.cat([edges, edges.flip(1)]).T
    center, first, second, closed = drawn_triads(index, 6, 400)
    known = {tuple(e) for e in index.T.tolist()}
    seen = set()
    for i, j, k, is_closed in zip(
        center.tolist(), first.tolist(), second.tolist(), closed.tolist(), strict=True
    ):
        assert (i, j) in known
        assert (i, k) in known
        assert j != k
        assert ((j, k) in known) == is_closed
        seen.add((i, frozenset((j, k))))
    assert len(seen) == 3 + 2 + 1  # of the triangle, at node 2 beside it, and at node 3
    assert len(drawn_triads(index[:, :0], 6, 10)[0]) == 0
