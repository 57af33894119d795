"""Places where a formula once lost digits that its arguments have: values and gradients, in ulp.

What is allowed is what `measured.py` allows anywhere: the plain bar, or a small multiple of what
rounding the arguments does to the truth.
"""

import math

import pytest
import torch

import noneuclid as ne
from noneuclid.testing.cases import Cases
from noneuclid.testing.measured import Call
from noneuclid.testing.samples import last_shell, vectors

SINGLE, DOUBLE = torch.float32, torch.float64
AT_ANTIPODE = math.pi - 1e-4
CORNERS = [
    # A short path near the origin, or near its antipode, hardly depends on K.
    (ne.PoincareBall(4, -1e-4), DOUBLE, "expmap", 1e-6, "short", "K"),
    (ne.PoincareBall(128), DOUBLE, "logmap", 1e-3, "near", "K"),
    (ne.SphereProjection(4, 0.0045), DOUBLE, "expmap", AT_ANTIPODE, "short", "K"),
    (ne.SphereProjection(16, 1.0), DOUBLE, "logmap", AT_ANTIPODE, "near", "K"),
    # A step of a point with large coordinates hardly moves it.
    (ne.SphereProjection(4, 100.0), DOUBLE, "dist0", AT_ANTIPODE, "at radius", "x"),
    (ne.SphereProjection(4, 100.0), DOUBLE, "dist", AT_ANTIPODE, "generic", "x"),
    (ne.SphereProjection(4, 0.0045), DOUBLE, "dist2plane", AT_ANTIPODE, "generic", "x"),
    (ne.SphereProjection(4, 0.0045), DOUBLE, "midpoint", AT_ANTIPODE, "generic", "x"),
    # The derivative of an arc is the R-th part of the arc over its sine.
    (ne.Lorentz(2, -1e-4), DOUBLE, "dist", 300.0, "generic", "x"),
    (ne.Lorentz(2), DOUBLE, "logmap", 300.0, "generic", "y"),
    (ne.Lorentz(1, -100.0), DOUBLE, "busemann", 300.0, "at radius", "x"),
    # On a line, or along a direction, nothing is left to cancel.
    (ne.PoincareBall(1), DOUBLE, "expmap0", 30.0, "at radius", "o"),
    (ne.Lorentz(1), DOUBLE, "dist", 200.0, "near", ""),
    (ne.Lorentz(1), SINGLE, "logmap", 16.0, "generic", "K"),
    (ne.Lorentz(1), SINGLE, "transp", 16.0, "generic", "K"),
    (ne.Lorentz(1, -1e-4), DOUBLE, "dist2plane", 45.0, "near", ""),
    (ne.Lorentz(1, -1e-4), DOUBLE, "transp", 300.0, "near", ""),
    (ne.Lorentz(1, -1.6), DOUBLE, "midpoint", 200.0, "near", ""),
    (ne.Lorentz(2), DOUBLE, "expmap", 200.0, "unit", ""),
    (ne.Lorentz(1, -100.0), DOUBLE, "midpoint", 45.0, "near", "K"),
    (ne.Lorentz(4), SINGLE, "midpoint", 1e-6, "near", "K"),
    (ne.Lorentz(4, -100.0), DOUBLE, "midpoint", 1e-6, "near", "K"),
    # One point outweighs the others by e^0.7R.
    (ne.Lorentz(3), DOUBLE, "midpoint", 300.0, "uneven", ""),
    (ne.Lorentz(3), DOUBLE, "midpoint", 300.0, "uneven", "p"),
    (ne.Lorentz(3), DOUBLE, "midpoint", 300.0, "uneven", "w"),
    (ne.Lorentz(3, -1e-4), DOUBLE, "midpoint", 200.0, "uneven", "K"),
    # The sign of a distance has no derivative, which R would multiply.
    (ne.Lorentz(1, -0.01), DOUBLE, "dist2plane", 300.0, "uneven", "x"),
    # A term of the size of a step cancels where only its square is left.
    (ne.SphereProjection(1, 1e-4), DOUBLE, "expmap", 2.0, "short", "K"),
    (ne.Sphere(1), DOUBLE, "midpoint", 0.01, "near", "w"),
]


@pytest.mark.parametrize(("manifold", "dtype", "operation", "radius", "name", "argument"), CORNERS)
def test_no_digits_are_lost(manifold, dtype, operation, radius, name, argument, generator):
    cases = Cases(manifold, dtype, generator)
    found = [case for _ in range(4) for case in cases.of(operation, radius) if case.name == name]
    assert found
    for case in found:
        errors = case.call.gradient_errors() if argument else [case.call.value_error()]
        (error,) = (e for e in errors if e.argument == argument)
        assert error.error <= error.allowed, error


def test_the_pole_has_no_part_in_the_log_of_a_sphere(generator):
    """The first entry of log_o(y) is 0; in the derivative by K it was only nearly so."""
    (case,) = Cases(ne.Sphere(16), DOUBLE, generator).of("logmap0", 1e-8)
    errors = {error.argument: error.error for error in case.call.gradient_errors()}
    assert errors["K"] < 256


@pytest.mark.parametrize("signature", ["B2(-0.0001)", "B4", "P4", "K4(0)"])
def test_transport_between_near_points_by_K(signature, generator):
    """The ratio of their conformal factors hardly depends on K; its two terms were 1e6 ulp off.

    Not an error beyond what rounding the arguments does, which is as much: they are what they are.
    """
    cases = Cases(ne.manifold(signature), DOUBLE, generator)
    (case,) = (case for case in cases.of("transp", 0.1) if case.name == "near")
    errors = {error.argument: error.error for error in case.call.gradient_errors()}
    assert errors["K"] < 64


@pytest.mark.parametrize("dim", [1, 2])
def test_log_of_a_point_on_the_last_shell(dim, generator):
    """A step of y, 1e15 far, hardly moves it: y - x and |y - x|^2 cancel in the derivative."""
    P = ne.SphereProjection(dim)
    x = torch.full((dim,), 2e4, dtype=DOUBLE)
    y = last_shell(P, DOUBLE, generator)[0].detach()
    weight = torch.randn(dim, generator=generator, dtype=DOUBLE)
    errors = {e.argument: e.error for e in Call(P, "logmap", [x, y], weight).gradient_errors()}
    assert errors["y"] < 64


@pytest.mark.parametrize("rows", [1, 1024])
@pytest.mark.parametrize("signature", ["H3(-0.005)", "H3(-900)", "P3", "K3(2)"])
def test_gradients_on_the_last_shell_are_raised_within_range(signature, rows, dtype):
    """A large gradient becomes a vector e^2R as long, beyond float32: it was infinite."""
    M, source = ne.manifold(signature), torch.Generator().manual_seed(3)
    x = last_shell(M, dtype, source).detach().repeat(rows, 1)
    g = (1e15 * torch.randn(x.shape, generator=source, dtype=DOUBLE)).to(dtype)
    raised = M.egrad2rgrad(x, g)
    assert bool(raised.isfinite().all())
    exact = M.egrad2rgrad(x.double(), g.double())
    direction, expected = (v / v.abs().amax(-1, keepdim=True) for v in (raised.double(), exact))
    torch.testing.assert_close(direction, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 1024])
@pytest.mark.parametrize("curvature", [-0.005, -900.0])
def test_transport_from_the_last_shell_has_gradients(curvature, rows, dtype, generator):
    """To the origin and to the last shell: a branch not taken, and a product, overflowed."""
    H = ne.Lorentz(3, curvature, learnable=True).to(dtype)
    x = last_shell(H, dtype, generator).detach().repeat(rows, 1)
    u = vectors(H, x, generator).detach()
    for y in (H.origin(len(x), dtype=dtype).detach(), x.roll(1, 0)):
        leaves = [t.clone().requires_grad_() for t in (x, y, u)]
        result = H.transp(*leaves)
        for gradient in torch.autograd.grad(result.sum(), [*leaves, *H.parameters()]):
            assert bool(gradient.isfinite().all())


def test_numbers_whose_squares_overflow_are_moved_to_the_last_shell():
    """They came out as the origin, with NaN as the derivative by K."""
    H = ne.Lorentz(2, -0.5, learnable=True).double()
    x = H.projx(torch.tensor([0.0, 3e200, 4e200], dtype=DOUBLE))
    (slope,) = torch.autograd.grad(x[1], list(H.parameters()))
    assert bool(slope.isfinite())
    assert float((x[1] / x[2]).detach()) == pytest.approx(0.75)
    assert float(H.dist0(x).detach()) > 300
