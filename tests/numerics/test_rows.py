"""Row sums against mpmath: the gap 1 + K|x|^2 at the rim, products and combinations of rows."""

import mpmath
import pytest
import torch

from noneuclid.numerics import axis, dots, joined, row_dot, rows
from noneuclid.numerics import gap as gap_of_square

mpmath.mp.dps = 80


def gap(x, K):
    return gap_of_square(K, x, row_dot(x, x))


def numbers(row):
    return [mpmath.mpf(float(a)) for a in row]


@pytest.mark.parametrize("dim", [1, 2, 3, 16, 33])
@pytest.mark.parametrize("curvature", [-1.0, -0.3, -100.0, 0.0, 0.7])
@pytest.mark.parametrize("short", [1e-1, 1e-4, 1e-7, 1e-12])
def test_gap(dim, curvature, short, dtype, generator):
    """Points at relative distance `short` from the rim; float64 keeps 1e-31 absolute."""
    direction = torch.randn(6, dim, generator=generator, dtype=torch.float64)
    direction = direction / direction.square().sum(-1, keepdim=True).sqrt()
    x = ((1 - short) * abs(curvature or 1.0) ** -0.5 * direction).to(dtype)
    K = torch.tensor([curvature], dtype=torch.float64)
    value = gap(x, K)
    assert value.shape == (6, 1)
    assert value.dtype == torch.float64
    for i, row in enumerate(x):
        exact = 1 + mpmath.mpf(curvature) * sum(a * a for a in numbers(row))
        absolute = 4e-16 if dtype == torch.float32 else 1e-30
        assert abs(float(value[i]) - exact) <= absolute + 3e-16 * abs(exact)


def test_gap_derivative(generator):
    x = torch.randn(4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    K = torch.tensor([-0.02], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gap, (x, K))
    assert torch.autograd.gradgradcheck(gap, (x, K))
    gx, gK = torch.autograd.grad(gap(x, K).sum(), (x, K))
    torch.testing.assert_close(gx, 2 * K * x)
    torch.testing.assert_close(gK, (x * x).sum()[None])


def test_row_dot_is_formed_in_float64(generator):
    """Float32 products are exact: a sum that cancels keeps its digits."""
    x = torch.tensor([[1e4, 1.0, 1e4]])
    y = torch.tensor([[1e4, 1e-4, -1e4]])
    assert float(row_dot(x, y)) == pytest.approx(float(torch.tensor(1e-4)), rel=1e-3)
    batch = torch.randn(3, 1, 5, generator=generator), torch.randn(4, 5, generator=generator)
    assert row_dot(*batch).shape == (3, 4, 1)


def test_rows_combine_in_float64(generator):
    """A difference of near float32 rows is exact, a combination rounded once."""
    x = torch.randn(4, 5, generator=generator)
    y = torch.nextafter(x, torch.full_like(x, torch.inf))
    X, Y = rows(x, y)
    (square,) = dots((Y - X, Y - X))
    exact = (y.double() - x.double()).square().sum(-1, keepdim=True)
    torch.testing.assert_close(square, exact, rtol=1e-15, atol=0)
    moved = (X + square * (Y - X)).to(torch.float32)
    expected = (x.double() + exact * (y.double() - x.double())).float()
    assert torch.equal(moved, expected)


def test_axis_and_joined():
    x = torch.zeros(2, 3)
    assert torch.equal(axis(x, 1), torch.tensor([0.0, 1.0, 0.0]))
    row = joined(torch.full((4, 2, 1), 7.0, dtype=torch.float64), x)
    assert row.shape == (4, 2, 4)
    assert row.dtype == torch.float32
    assert torch.equal(row[..., 0], torch.full((4, 2), 7.0))
