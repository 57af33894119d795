"""Distances between constituents: around the circle, by hand, and what is said of them."""

import math

import pytest
import torch

from noneuclid.metrics import (
    angular_distance,
    energy_angular_distance,
    gromov_delta,
    softer_angular_distance,
)


def test_angles_are_taken_around_the_circle(dtype):
    pair = torch.tensor([[0.0, 3.1], [0.3, -3.1]], dtype=dtype)
    expected = math.hypot(0.3, 2 * math.pi - 6.2)
    assert float(angular_distance(pair)[0, 1]) == pytest.approx(expected, rel=1e-5)
    turned = pair + torch.tensor([1.0, 2.5], dtype=dtype)
    torch.testing.assert_close(angular_distance(turned), angular_distance(pair))


def test_a_constituent_is_at_distance_0_from_itself():
    x = torch.randn(5, 9, 2, requires_grad=True)
    d = angular_distance(x)
    assert (d.diagonal(dim1=-2, dim2=-1) == 0).all()
    assert (d == d.mT).all()
    d.sum().backward()
    assert x.grad.isfinite().all()


def test_weights():
    directions = torch.tensor([[0.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    weights = torch.tensor([2.0, 0.5, 2.0])
    softer = softer_angular_distance(directions, weights)
    torch.testing.assert_close(softer[0], torch.tensor([0.0, 0.5, 2.0]))
    gaps = energy_angular_distance(directions, weights)
    torch.testing.assert_close(gaps[0], torch.tensor([0.0, 1.5, 0.0]))
    assert gromov_delta(gaps) > 0  # points at distance 0 from one another: no metric


@pytest.mark.parametrize("shape", [(3,), (4, 3)])
def test_bad_shapes(shape):
    with pytest.raises(ValueError, match="directions"):
        angular_distance(torch.zeros(shape))
    with pytest.raises(ValueError, match="constituents"):
        softer_angular_distance(torch.zeros(4, 2), torch.zeros(3))
