"""Supervisory neighbours: labels, views, nearest ones, equal perplexity."""

import math

import pytest
import torch

from noneuclid.losses import (
    label_neighbors,
    nearest_neighbors,
    perplexity_neighbors,
    view_neighbors,
)


def test_labels_and_views() -> None:
    """Mates are 1, a point and itself 0."""
    found = label_neighbors(torch.tensor([5, 2, 5]))
    assert found.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert view_neighbors(2, 3)[0].tolist() == [0, 0, 1, 0, 1, 0]


def test_nearest() -> None:
    """The k nearest others, of each table of a batch."""
    x = torch.tensor([[0.0], [1.0], [3.0], [3.5]])
    found = nearest_neighbors(torch.cdist(x, x).expand(2, 4, 4), 1)
    assert found[1].argmax(-1).tolist() == [1, 0, 3, 2]
    assert nearest_neighbors(torch.zeros(4, 4), 2).diagonal().sum() == 0
    with pytest.raises(ValueError, match=r"k must be in \[1, 3\], got 4"):
        nearest_neighbors(torch.zeros(4, 4), 4)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_perplexity(scale: float, dtype: torch.dtype) -> None:
    """Every row has the entropy asked for, in any unit of length, outliers included."""
    x = torch.randn(20, 3, dtype=dtype) * scale
    x[0] *= 50
    p = perplexity_neighbors(torch.cdist(x, x), 6.0).double()
    torch.testing.assert_close(p.sum(-1), torch.ones(20, dtype=torch.float64))
    assert not p.diagonal().any()
    entropy = -torch.special.xlogy(p, p).sum(-1)
    torch.testing.assert_close(entropy, torch.full_like(entropy, math.log(6.0)))
    # nearer ones weigh more: log p is linear in d^2
    square = torch.cdist(x, x).double()[3].square()
    near = (p[3] > 1e-5) & (torch.arange(20) != 3)
    rate = torch.diff(p[3][near].log()) / torch.diff(square[near])
    torch.testing.assert_close(rate, rate[:1].expand_as(rate), rtol=1e-2, atol=0.0)


def test_perplexity_refusals() -> None:
    """It is an effective number of neighbours."""
    for perplexity in (1.0, 3.0):
        with pytest.raises(ValueError, match=r"perplexity must be in \(1, 3\)"):
            perplexity_neighbors(torch.zeros(4, 4), perplexity)
