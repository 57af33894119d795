"""Row sums against mpmath: the gap 1 + K|x|^2 at the rim, chords of near directions."""

import mpmath
import pytest
import torch

from noneuclid.numerics import direction_chord, gap, row_dot

mpmath.mp.dps = 80


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


@pytest.mark.parametrize("separation", [1.0, 1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("ratio", [1.0, 1.0 + 1e-6, 3.0, 1e4])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e9])
def test_direction_chord(separation, ratio, size, dtype, generator):
    """Near directions keep their relative accuracy, whatever the two norms."""
    x = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    noise = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    x, y = (size * x).to(dtype), (size * ratio * (x + separation * noise)).to(dtype)
    value = direction_chord(x, y)
    for i in range(5):
        a, b = numbers(x[i]), numbers(y[i])
        p, q = (mpmath.sqrt(sum(c * c for c in v)) for v in (a, b))
        exact = sum((c / p - d / q) ** 2 for c, d in zip(a, b, strict=True))
        # float64 rounds the difference of the rows, so the chord by eps |y - x| / max(|x|, |y|)
        chord = mpmath.sqrt(exact)
        slack = 8e-16 * (chord + abs(p - q) / max(p, q))
        assert abs(float(value[i]) - exact) <= 8e-16 * exact + 2 * slack * chord + slack**2


def test_direction_chord_at_its_limits():
    x = torch.tensor([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [1e200, 0.0]]).double()
    y = torch.tensor([[1.0, 2.0], [1.0, 0.0], [-1.0, -2.0], [2.0, 4.0], [0.0, 1e200]]).double()
    expected = torch.tensor([0.0, 0.0, 4.0, 0.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(direction_chord(x, y)[:4, 0], expected[:4])
    x.requires_grad_()
    (slope,) = torch.autograd.grad(direction_chord(x, y)[:4].sum(), x)
    assert torch.isfinite(slope[:4]).all()


def test_row_dot_is_formed_in_float64(generator):
    """Float32 products are exact: a sum that cancels keeps its digits."""
    x = torch.tensor([[1e4, 1.0, 1e4]])
    y = torch.tensor([[1e4, 1e-4, -1e4]])
    assert float(row_dot(x, y)) == pytest.approx(float(torch.tensor(1e-4)), rel=1e-3)
    batch = torch.randn(3, 1, 5, generator=generator), torch.randn(4, 5, generator=generator)
    assert row_dot(*batch).shape == (3, 4, 1)
