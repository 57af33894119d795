"""Ambient coordinates: sums read back are the manifold's own midpoints; heads keep their size."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers._ambient import ambient_rows, from_ambient, from_ambient_rows, to_ambient
from noneuclid.layers._beta import beta_ratio
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.layers._trigonometry import TRIGONOMETRY

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


@pytest.mark.parametrize("shape", [(3, 5), (16, 90)])  # in torch, and by kernels
@pytest.mark.parametrize("signature", [s for s in SIGNATURES if s != "E4"])
def test_rows_are_the_pair(signature: str, dtype: torch.dtype, shape: tuple[int, int]) -> None:
    """(T, X) as one row, there and back, with all gradients; none of which is kept."""
    m = ne.manifold(signature)
    c = (0.4 * torch.randn(*shape, 4, dtype=dtype)).requires_grad_()
    leaves = [c, *m.parameters()]
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        rows = ambient_rows(m, c, bend=1.7)
    assert all(t.data_ptr() == c.data_ptr() for t in kept if t.numel() > 1)
    X, T = to_ambient(m, c, bend=1.7)
    sums, (X, T) = rows.sum(-2), (X.sum(-2), T.sum(-2))
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(sums, torch.cat([T, X], dim=-1), atol=200 * eps, rtol=40 * eps)
    found, expected = from_ambient_rows(m, sums, bend=1.7), from_ambient(m, X, T, bend=1.7)
    torch.testing.assert_close(found, expected, atol=200 * eps, rtol=0)
    g = torch.randn_like(found)
    gradients = (torch.autograd.grad(y, leaves, g) for y in (found, expected))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1000 * eps, rtol=200 * eps)


def test_trigonometry_of_any_sign_in_single_precision() -> None:
    """Through z = 0, values and slopes are those of float64, to a few eps of float32."""
    tiny = torch.logspace(-12, 1, 400, dtype=torch.float64)
    z64 = torch.cat([-tiny, torch.zeros(1, dtype=torch.float64), tiny[tiny < 9]])
    turned, unbend = TRIGONOMETRY[0]
    for number in range(3):
        slopes, values = [], []
        for dtype in (torch.float32, torch.float64):
            z = z64.float().to(dtype).requires_grad_()
            cosine, sine = turned(z)
            square = z * sine.square() if number == 2 else z
            value = (cosine, sine, unbend(cosine, square))[number]
            values.append(value.double())
            slopes.append(torch.autograd.grad(value.sum(), z)[0].double())
        torch.testing.assert_close(*values, rtol=2e-6, atol=1e-6)
        torch.testing.assert_close(*slopes, rtol=1e-5, atol=1e-5)


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
