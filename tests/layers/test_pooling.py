"""Pooling: weights, sets without points, points far out."""

import pytest
import torch
from torch import Tensor

import noneuclid as ne
from noneuclid.layers import FrechetMeanPool, MidpointPool, TangentMean

SIGNATURES = ["E3", "H3(-0.7)", "B3", "S3(0.5)", "K3(0)", "H2 x S2 x E2"]
POOLS = [MidpointPool, FrechetMeanPool]
every_pool = pytest.mark.parametrize("pool", POOLS)


@every_pool
@pytest.mark.parametrize("signature", SIGNATURES)
def test_weights(signature: str, pool: type) -> None:
    """A weight is how often a point counts; 0 and a mask leave it out alike."""
    m = ne.manifold(signature)
    x = m.expmap0(m.from_frame(0.5 * torch.randn(2, 3, m.dim, dtype=torch.float64)))
    layer = pool(m)
    found = layer(x, weights=torch.tensor([[2.0, 1.0, 0.0]] * 2))
    torch.testing.assert_close(found, layer(x[:, [0, 0, 1]]))
    mask = torch.tensor([[True, True, False]] * 2)
    torch.testing.assert_close(layer(x, mask, weights=torch.tensor([[2.0, 1.0, 5.0]] * 2)), found)
    at = layer(x, weights=torch.tensor([[0.0, 0.0, 3.0]] * 2))
    torch.testing.assert_close(at, x[:, 2])


@every_pool
def test_two_points_and_many(pool: type) -> None:
    """Of two points both means are the middle of their geodesic; of three they are not one."""
    H = ne.Lorentz(2)
    x = H.random(5, 3, dtype=torch.float64)
    middle = H.geodesic(x[:, 0], x[:, 1], 0.5)
    torch.testing.assert_close(pool(H)(x[:, :2]), middle, rtol=1e-6, atol=1e-6)
    both = [other(H)(x) for other in POOLS]
    assert H.dist(*both).max() > 1e-3


@pytest.mark.parametrize("pool", [*POOLS, TangentMean])
def test_sets_without_points(pool: type) -> None:
    """The origin, with and without a mask, and with weights 0 alone."""
    P = ne.manifold("H3 x S2")
    layer = pool(P)
    nothing = layer(P.origin(2, 1), torch.zeros(2, 1, dtype=torch.bool))
    assert layer(P.random(2, 0)).equal(nothing)
    assert layer(P.random(2, 4), torch.zeros(2, 4, dtype=torch.bool)).equal(nothing)
    if pool is not TangentMean:
        assert nothing.equal(P.origin(2))
        assert layer(P.random(2, 4), weights=torch.zeros(2, 4)).equal(nothing)


@pytest.mark.parametrize("radius", [40.0, 53.0, 300.0])
def test_a_frechet_mean_of_far_points_is_finite(radius: float, dtype: torch.dtype) -> None:
    """Beyond what coordinates resolve, points are read at 30 |K|^-1/2, on their factor alone."""
    P = ne.manifold("H2(-4) x E2")
    c = torch.tensor([radius, 0.0, 100.0, 0.0], dtype=dtype).expand(2, 3, 4)
    x = P.expmap0(P.from_frame(c)).requires_grad_()
    mean = FrechetMeanPool(P)(x)
    hyperbolic, flat = P.split(mean)
    torch.testing.assert_close(flat, c[:, 0, 2:])
    found = P.factors[0].dist0(hyperbolic)
    torch.testing.assert_close(found, torch.full_like(found, 15.0))
    (gradient,) = torch.autograd.grad(mean.sum(), x)
    assert torch.isfinite(gradient).all()


def _bad_calls(H: ne.Lorentz) -> list[tuple[dict[str, Tensor], str]]:
    return [
        ({"mask": torch.ones(2, 5, dtype=torch.bool)}, "mask must be a bool tensor of shape"),
        ({"mask": torch.ones(2, 4)}, "mask must be a bool tensor of shape"),
        ({"weights": torch.ones(4)}, "weights must be of shape"),
    ]


@every_pool
def test_refusals(pool: type) -> None:
    """Masks and weights of another shape, means without a step."""
    H = ne.Lorentz(3)
    for keywords, message in _bad_calls(H):
        with pytest.raises(ValueError, match=message):
            pool(H)(H.random(2, 4), **keywords)
    with pytest.raises(ValueError, match="at least one Newton step, got steps=0"):
        FrechetMeanPool(H, steps=0)
    assert "steps=12" in repr(FrechetMeanPool(H))
