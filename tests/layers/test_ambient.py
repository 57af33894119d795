"""Ambient coordinates: sums read back are the manifold's own midpoints; heads keep their size."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers._ambient import from_ambient, to_ambient
from noneuclid.layers._beta import beta_ratio
from noneuclid.layers._normal import from_normal, to_normal

SIGNATURES = ["E4", "H4(-0.7)*", "B4(-1.3)*", "S4(0.8)*", "P4(1.2)", "K4(-0.6)*", "K4(0)*", "K4(2)"]


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_sum_is_the_midpoint(signature: str, dtype: torch.dtype) -> None:
    """The weighted sum of (X, T), read back, is `midpoint` on every model."""
    m = ne.manifold(signature)
    c = 0.4 * torch.randn(3, 5, 4, dtype=dtype)
    w = torch.rand(3, 5, dtype=dtype)
    X, T = to_ambient(m, c)
    mean = from_ambient(m, (w[..., None] * X).sum(-2), (w[..., None] * T).sum(-2))
    allowed = 200 * torch.finfo(dtype).eps
    torch.testing.assert_close(from_ambient(m, X, T), c, atol=allowed, rtol=0)
    expected = to_normal(m, m.midpoint(from_normal(m, c), w))
    torch.testing.assert_close(mean, expected, atol=allowed, rtol=0)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_nothing_is_the_origin(signature: str, dtype: torch.dtype) -> None:
    """A sum of no points is the origin, with a finite gradient."""
    m = ne.manifold(signature)
    X = torch.zeros(2, 4, dtype=dtype, requires_grad=True)
    T = torch.zeros(2, 1, dtype=dtype, requires_grad=True)
    c = from_ambient(m, X, T)
    assert not c.any()
    for gradient in torch.autograd.grad(c.sum(), (X, T)):
        assert torch.isfinite(gradient).all()


def test_past_the_equator() -> None:
    """On a sphere points beyond the equator keep their place."""
    S = ne.Sphere(3)
    c = torch.tensor([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(from_ambient(S, *to_ambient(S, c)), c)


def test_a_product_has_no_ambient_coordinates_of_its_own() -> None:
    """It is taken factor by factor."""
    with pytest.raises(TypeError, match="constant curvature or a Euclidean one, got Product"):
        to_ambient(ne.manifold("H2 x H2"), torch.zeros(1, 4))


def test_beta_ratio() -> None:
    """B(1/2, 1/2) = pi, B(1, 1/2) = 2; there and back is 1."""
    torch.testing.assert_close(beta_ratio(1, 2), 2 / torch.pi)
    torch.testing.assert_close(beta_ratio(12, 3) * beta_ratio(3, 12), 1.0)
