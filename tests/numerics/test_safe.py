"""Square root, norm and division at their singular points: finite value, finite gradient."""

import pytest
import torch

from noneuclid.numerics import safe_divide, safe_norm, safe_sqrt


def test_safe_sqrt(dtype):
    x = torch.tensor([-1.0, -0.0, 0.0, 1e-30, 4.0], dtype=dtype, requires_grad=True)
    value = safe_sqrt(x)
    expected = torch.tensor([0.0, 0.0, 0.0, 1e-15, 2.0], dtype=dtype)
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=0)
    (slope,) = torch.autograd.grad(value.sum(), x)
    assert torch.equal(slope[:3], torch.zeros(3, dtype=dtype))
    torch.testing.assert_close(slope[3:], 0.5 / expected[3:], rtol=1e-6, atol=0)


def test_safe_sqrt_hides_nothing(dtype):
    assert torch.isnan(safe_sqrt(torch.tensor(torch.nan, dtype=dtype)))


def test_safe_norm(dtype):
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=dtype, requires_grad=True)
    value = safe_norm(x)
    assert torch.equal(value, torch.tensor([[5.0], [0.0]], dtype=dtype))
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    assert torch.equal(slope[1], torch.zeros(2, dtype=dtype))
    torch.testing.assert_close(slope[0], x[0] / 5)
    (second,) = torch.autograd.grad(slope.sum(), x)
    assert torch.isfinite(second).all()


def test_safe_divide(dtype):
    a = torch.tensor([1.0, 0.0, 6.0], dtype=dtype, requires_grad=True)
    b = torch.tensor([0.0, 0.0, 3.0], dtype=dtype, requires_grad=True)
    value = safe_divide(a, b)
    assert torch.equal(value, torch.tensor([0.0, 0.0, 2.0], dtype=dtype))
    for slope in torch.autograd.grad(value.sum(), (a, b)):
        assert torch.isfinite(slope).all()
        assert torch.equal(slope[:2], torch.zeros(2, dtype=dtype))


@pytest.mark.parametrize("function", [safe_sqrt, safe_norm])
def test_gradcheck_away_from_zero(function, generator):
    x = torch.rand(4, 3, generator=generator, dtype=torch.float64) + 0.1
    assert torch.autograd.gradcheck(function, x.requires_grad_())
    assert torch.autograd.gradgradcheck(function, x)
