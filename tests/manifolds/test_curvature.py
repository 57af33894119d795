"""The curvature module: ranges, errors, sharing, gradients, learning, views at another K."""

import math

import pytest
import torch

import noneuclid as ne

MODELS = [
    (ne.Lorentz, -1.0),
    (ne.PoincareBall, -0.5),
    (ne.Sphere, 2.0),
    (ne.SphereProjection, 0.3),
    (ne.Stereographic, 0.0),
    (ne.Stereographic, -3.0),
]


@pytest.mark.parametrize("value", [-1.0, -1e-4, -123.456, 0.0, 7.0])
def test_fixed_is_exact(value):
    curvature = ne.Curvature(value)
    assert float(curvature) == value
    assert curvature().dtype == torch.float64
    assert curvature().shape == (1,)
    assert not list(curvature.parameters())


@pytest.mark.parametrize(
    ("value", "sign"),
    [(-1.0, -1), (-0.0011, -1), (-900.0, -1), (1e-2, 1), (0.0, 0), (1e-6, 0), (-700.0, 0)],
)
def test_learnable_is_reproduced(value, sign):
    curvature = ne.Curvature(value, learnable=True, sign=sign)
    assert curvature.raw.shape == (1,)
    eps = torch.finfo(torch.float32).eps
    assert float(curvature) == pytest.approx(value, rel=64 * eps, abs=0)
    slope = torch.autograd.grad(curvature(), curvature.raw)[0]
    assert torch.isfinite(slope).all()
    assert slope.abs() > 0


@pytest.mark.parametrize("sign", [-1, 0, 1])
@pytest.mark.parametrize("raw", [-1e6, -10.0, 0.0, 10.0, 1e6])
def test_learnable_stays_in_range(sign, raw):
    curvature = ne.Curvature(sign or 0.5, learnable=True, sign=sign)
    with torch.no_grad():
        curvature.raw.fill_(raw)
    value = float(curvature)
    assert abs(value) <= 1e3 * (1 + 1e-12)
    if sign:
        assert value * sign >= 1e-3 * (1 - 1e-12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"value": math.nan}, "finite"),
        ({"value": math.inf}, "finite"),
        ({"value": 1.0, "sign": -1}, "negative on this manifold, got 1"),
        ({"value": 0.0, "sign": -1}, "negative"),
        ({"value": -1.0, "sign": 1}, "positive on this manifold, got -1"),
        ({"value": 1.0, "sign": 2}, "sign must be"),
        ({"value": -1e-3, "sign": -1, "learnable": True}, "learnable"),
        ({"value": 1e3, "learnable": True}, "learnable"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ValueError, match=words):
        ne.Curvature(**arguments)


def test_sharing_needs_the_right_sign():
    with pytest.raises(ValueError, match="sign=1"):
        ne.Sphere(3, ne.Lorentz(3).curvature)
    for dim in (0, -1, 2.0, "3"):
        with pytest.raises(ValueError, match="dim >= 1"):
            ne.Lorentz(dim)


@pytest.mark.parametrize(("model", "value"), MODELS)
def test_like_shares_the_module(model, value):
    manifold = model(4, value, learnable=True)
    other = manifold.like(7)
    assert other.curvature is manifold.curvature
    assert len(list(torch.nn.ModuleList([manifold, other]).parameters())) == 1
    with torch.no_grad():
        manifold.curvature.raw.add_(0.3)
    assert float(other.curvature) == float(manifold.curvature)
    product = ne.Product(manifold, other, ne.Euclidean(2))
    assert product.like(9).factors[0].curvature is manifold.curvature
    assert len(list(product.parameters())) == 1


@pytest.mark.parametrize(("model", "value"), MODELS)
def test_gradient_against_difference(model, value, generator):
    """d dist / d raw through the learnable parametrisation."""
    manifold = model(3, value, learnable=True).double()
    x, y = (manifold.random(4, generator=generator, dtype=torch.float64).detach() for _ in "xy")
    raw = manifold.curvature.raw
    (slope,) = torch.autograd.grad(manifold.dist(x, y).sum(), raw)
    step, values = 1e-6, []
    for sign in (1, -1):
        with torch.no_grad():
            raw.add_(sign * step)
            values.append(manifold.dist(x, y).sum())
            raw.sub_(sign * step)
    expected = (values[0] - values[1]) / (2 * step)
    torch.testing.assert_close(slope[0], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("model", "value"), MODELS)
def test_learnable_moves_and_points_stay_valid(model, value, dtype, generator):
    """Points made before K moved are read as valid points after it, and K follows its gradient."""
    manifold = model(3, value, learnable=True)
    x = manifold.random(16, generator=generator, dtype=dtype).detach()
    y = manifold.random(16, generator=generator, dtype=dtype).detach()
    before = float(manifold.curvature)
    optimizer = torch.optim.SGD(manifold.parameters(), lr=0.5)
    loss = (manifold.dist2(x, y) - 1).square().mean()
    loss.backward()
    optimizer.step()
    assert float(manifold.curvature) != before
    with torch.no_grad():
        manifold.curvature.raw.add_(1.0)  # a large move: the ball shrinks or grows, spheres too
    assert torch.isfinite(manifold.dist(x, y)).all()
    moved = manifold.projx(x)
    assert manifold.check_point(moved).all()
    assert (manifold.dist(x, moved) <= 1e-5).all()
    assert manifold.check_point(manifold.expmap(x, manifold.logmap(x, y))).all()


@pytest.mark.parametrize(("model", "value"), MODELS)
def test_at_under_vmap(model, value, generator):
    """`at(K)` maps over curvature, differentiates in it, and leaves the manifold alone."""
    manifold = model(3, value)
    x = manifold.random(5, generator=generator, dtype=torch.float64)
    y = manifold.random(5, generator=generator, dtype=torch.float64)
    values = torch.tensor([1.0, 1.1, 1.3], dtype=torch.float64) * (value or 0.01)
    mapped = torch.vmap(lambda K: manifold.at(K).dist(x, y))(values)
    for K, row in zip(values, mapped, strict=True):
        expected = model(3, float(K)).dist(x, y)
        torch.testing.assert_close(row, expected, rtol=1e-12, atol=1e-14)
    assert float(manifold.curvature) == value
    K = torch.tensor(value or 0.01, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda K: manifold.at(K).dist(x, y), K)
    assert torch.func.jacrev(lambda K: manifold.at(K).dist(x, y))(values[0]).shape == (5,)


def test_zero_curvature_is_four_times_flat(generator):
    """At K = 0: dist = 2|x - y|, egrad2rgrad = g/4; and values are continuous through 0."""
    flat = ne.Stereographic(3, 0.0)
    x, y = (torch.randn(6, 3, generator=generator, dtype=torch.float64) for _ in "xy")
    expected = 2 * (x - y).square().sum(-1).sqrt()
    torch.testing.assert_close(flat.dist(x, y), expected)
    torch.testing.assert_close(flat.egrad2rgrad(x, y), y / 4)
    torch.testing.assert_close(flat.expmap(x, y), x + y)
    for K in (1e-9, -1e-9, 1e-15, -1e-15):
        curved = ne.Stereographic(3, K).dist(x, y)
        torch.testing.assert_close(curved, expected, rtol=10 * abs(K) + 1e-14, atol=0)


@pytest.mark.parametrize(("model", "value"), MODELS)
def test_same_as_compares_values(model, value):
    manifold = model(3, value)
    assert manifold.same_as(model(3, value))
    assert not manifold.same_as(model(4, value))
    assert not manifold.same_as(model(3, value, learnable=True))
    assert not manifold.same_as(model(3, value + (0.1 if value >= 0 else -0.1)))
    assert not manifold.same_as(ne.Euclidean(3))
