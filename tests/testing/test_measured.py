"""The measurement sees planted errors at their size, and knows what it cannot judge."""

import math

import pytest
import torch

import noneuclid as ne
from noneuclid.testing.cases import Cases, radii
from noneuclid.testing.measured import GRADIENT_BAR, VALUE_BAR, Call

EPS = {dtype: torch.finfo(dtype).eps for dtype in VALUE_BAR}


def case(manifold, dtype, operation, radius=1.0, name=None):
    generator = torch.Generator().manual_seed(3)
    found = list(Cases(manifold, dtype, generator).of(operation, radius))
    return next(c.call for c in found if name in (None, c.name))


@pytest.mark.parametrize("model", [ne.PoincareBall(4, -2.0), ne.Lorentz(4, -2.0), ne.Sphere(4)])
@pytest.mark.parametrize("operation", ["dist", "expmap", "logmap", "transp", "midpoint"])
def test_a_planted_error_is_measured_at_its_size(model, operation, dtype):
    """Values 1e-4 too large are 1e-4 / eps ulp wrong, in value and in every gradient."""
    call = case(model, dtype, operation)

    def wrong(curvature, *arguments):
        return 1.0001 * call.own(curvature, *arguments)

    expected = pytest.approx(1e-4 / EPS[dtype], rel=0.02)
    assert call.value_error(wrong).error == expected
    for error in call.gradient_errors(wrong):
        assert error.error == expected or error.argument == "K"
        assert error.allowed == GRADIENT_BAR[dtype]


def test_the_derivative_in_the_curvature_is_measured(dtype):
    call = case(ne.PoincareBall(4, -2.0), dtype, "expmap")

    def without_curvature(curvature, *arguments):
        return call.own(curvature.detach().requires_grad_(), *arguments) + 0 * curvature.sum()

    errors = {e.argument: e.error for e in call.gradient_errors(without_curvature)}
    assert errors["K"] == pytest.approx(1 / EPS[dtype])
    assert errors["x"] < GRADIENT_BAR[dtype]


def test_nan_is_an_infinite_error():
    call = case(ne.Lorentz(2), torch.float32, "dist")
    assert call.value_error(lambda curvature, x, y: x[..., 0] * math.nan).error == math.inf


def test_a_bound_is_raised_only_where_rounding_the_arguments_exceeds_the_bar(monkeypatch):
    """An error in a near pair is judged by the condition, the same in a generic pair is not."""
    own = Call.own
    monkeypatch.setattr(Call, "own", lambda call, k, *a: own(call, k, *a) * (1 + 50 * call.eps))
    sphere = ne.Sphere(4)
    near = case(sphere, torch.float64, "dist", name="near").value_error()
    generic = case(sphere, torch.float64, "dist", name="generic").value_error()
    assert near.conditioned
    assert near.error <= near.allowed
    assert not generic.conditioned
    assert generic.error > generic.allowed == VALUE_BAR[torch.float64]


def test_results_without_a_relative_error_are_left_out():
    ball = ne.PoincareBall(1)
    x, one = torch.tensor([0.5]), torch.ones(1)
    assert not Call(ball, "dist", [x, x.clone()], one).is_regular()
    assert not Call(ball, "mobius_add", [x, -x], one).is_regular()
    assert not Call(ball, "expmap0", [torch.tensor([12.0])], one).is_regular()
    assert Call(ball, "expmap0", [torch.tensor([7.0])], one).is_regular()


@pytest.mark.parametrize("radius", [1.0, 16.0])
def test_cases_lie_where_they_should(radius, dtype, generator):
    """Also where rounding alone would make a vector e^16 eps longer."""
    manifold = ne.Lorentz(4, -4.0)
    for found in Cases(manifold, dtype, generator).of("transp", radius):
        x, y, u = (argument.double() for argument in found.call.arguments)
        assert float(manifold.dist0(x)) == pytest.approx(radius / 2, rel=1e-3)
        assert 0.3 < float(manifold.norm(x, u)) < 0.8
        if found.name == "near" and radius == 1:
            assert float(manifold.dist(x, y)) == pytest.approx(0.5e-6, rel=0.5)


def test_the_ladder_reaches_what_the_library_states():
    assert max(radii(ne.PoincareBall(2), torch.float32)) == 16
    assert max(radii(ne.PoincareBall(2), torch.float64)) == 36
    assert max(radii(ne.Lorentz(2), torch.float32)) == 30
    assert max(radii(ne.Lorentz(2), torch.float64)) == 300
    assert math.pi - max(radii(ne.Sphere(2), torch.float32)) < 1e-3
