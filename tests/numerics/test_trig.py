"""The curvature-parametrised functions against mpmath over their ranges, derivatives included."""

import math

import mpmath
import pytest
import torch

from noneuclid.numerics import (
    advance,
    asinck,
    asink,
    asink_square,
    cosk,
    half_turn,
    half_turn_inward,
    log1p_ratio,
    sinck,
    tanck,
    tank,
    turn,
)

mpmath.mp.dps = 60
SMALL = [10.0**-p for p in range(0, 19, 2)]
EDGES = [0.049, 0.05, 0.0501, 0.4999, 0.5, 0.5001]  # where series and closed form meet
POINTS = [0.0, *SMALL, *EDGES, *(-z for z in SMALL + EDGES), -2.0, -10.0, -100.0, -1e4, 2.0, 2.4]


def root(z):
    """Return sqrt(z), imaginary for z < 0: one formula for both signs."""
    return mpmath.sqrt(mpmath.mpc(z))


def over(function):
    return lambda z: mpmath.mpf(1) if z == 0 else (function(root(z)) / root(z)).real


EXACT = {
    "sinck": (sinck, over(mpmath.sin), [*POINTS, 9.0, 9.8]),
    "cosk": (cosk, lambda z: mpmath.cos(root(z)).real, [*POINTS, 9.0, 9.8]),
    "tanck": (tanck, over(mpmath.tan), POINTS),
    "asinck": (
        lambda z: asinck(z, 1 - z),
        over(mpmath.asin),
        [z for z in POINTS if z < 1] + [0.9, 0.999, -1e8, -1e20],
    ),
    "log1p_ratio": (
        log1p_ratio,
        lambda z: mpmath.log1p(z) / z if z else mpmath.mpf(1),
        [z for z in POINTS if z > -0.9] + [2.0**-5, -(2.0**-5), -0.9, 1e8],
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_values_and_derivatives(name):
    function, exact, points = EXACT[name]
    z = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    value = function(z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    (curvature,) = torch.autograd.grad(function(z).sum(), z, create_graph=True)
    (curvature,) = torch.autograd.grad(curvature.sum(), z)
    for i, point in enumerate(points):
        point = mpmath.mpf(point)
        expected = exact(point)
        first, second = _derivatives(exact, point)
        # the root of the argument is rounded: eps z f', besides the rounding of the result
        scale = abs(expected) + abs(point * first)
        assert abs(float(value[i].detach()) - expected) <= 8e-16 * scale, (name, point)
        scale = abs(first) + abs(point * second)
        assert abs(float(slope[i]) - first) <= 1e-13 * scale, (name, point)
    assert torch.isfinite(curvature).all()


def _derivatives(exact, point):
    """Return the first and second derivative by central differences with 20 digits to spare."""
    h = mpmath.mpf(10) ** -15 * max(1, abs(point))
    ahead, here, behind = exact(point + h), exact(point), exact(point - h)
    return (ahead - behind) / (2 * h), (ahead - 2 * here + behind) / h**2


def test_second_derivative_through_zero():
    """f''(0) of sin(sqrt z)/sqrt z is 1/60, of cos(sqrt z) 1/12, of tan 4/15, of asin 3/20."""
    expected = {"sinck": 1 / 60, "cosk": 1 / 12, "tanck": 4 / 15, "asinck": 3 / 20}
    for name, number in expected.items():
        function = EXACT[name][0]
        second = torch.func.grad(torch.func.grad(function))
        for z in (0.0, 1e-12, -1e-12):
            found = float(second(torch.tensor(z, dtype=torch.float64)))
            assert found == pytest.approx(number, rel=1e-9), name


def test_asinck_at_its_end():
    """At z = 1 the value is pi/2, and the complement carries the digits that 1 - z would lose."""
    rest = torch.tensor([1e-20, 1e-40, 0.0], dtype=torch.float64, requires_grad=True)
    value = asinck(torch.ones(3, dtype=torch.float64), rest)
    expected = [float(mpmath.pi / 2 - mpmath.sqrt(mpmath.mpf(r))) for r in rest.tolist()]
    torch.testing.assert_close(
        value, torch.tensor(expected, dtype=torch.float64), rtol=2e-16, atol=0
    )
    (slope,) = torch.autograd.grad(value.sum(), rest)
    assert torch.isfinite(slope).all()


@pytest.mark.parametrize("z", [-0.1, -0.5, -2.0, -30.0, -1e4, -1e8])
def test_half_turn_is_proportional(z):
    """(c, s, rest) is e^-h (cosh h, sinh h / h, cosh h - sinh h), up to one common factor."""
    c, s, rest, unit = (float(p) for p in half_turn(torch.tensor([z], dtype=torch.float64)))
    h = mpmath.sqrt(-mpmath.mpf(z))
    ratio = mpmath.tanh(h) / h
    assert abs(s / mpmath.mpf(c) - ratio) <= 4e-16 * ratio
    exact = mpmath.exp(-h) / mpmath.cosh(h)
    assert abs(rest / mpmath.mpf(c) - exact) <= 1e-15 * (1 + h) * exact + 1e-300
    exact = mpmath.cosh(h) ** -2
    assert abs(unit / mpmath.mpf(c) ** 2 - exact) <= 2e-15 * (1 + h) * exact + 1e-300


def test_half_turn_is_circular_for_positive_arguments():
    z = torch.tensor([0.0, 1e-3, 0.49, 0.51, 2.0, 9.0], dtype=torch.float64)
    c, s, _, unit = half_turn(z)
    assert (unit == 1).all()
    torch.testing.assert_close(c, z.sqrt().cos())
    torch.testing.assert_close(s, torch.sinc(z.sqrt() / torch.pi))


def test_turn_does_not_overflow():
    """Below `largest` it is (cosk, sinck); above, the same direction, finite."""
    h = torch.tensor([0.1, 1.0, 10.0, 40.0, 43.9], dtype=torch.float64)
    for part, expected in zip(turn(-h * h, 44.0), (h.cosh(), h.sinh() / h), strict=True):
        torch.testing.assert_close(part, expected, rtol=1e-14, atol=0)
    far = torch.tensor([-(50.0**2), -(1000.0**2), -1e30], dtype=torch.float64, requires_grad=True)
    c, s = turn(far, 44.0)
    torch.testing.assert_close(s * (-far).sqrt() / c, torch.ones(3, dtype=torch.float64))
    (slope,) = torch.autograd.grad((c + s).sum(), far)
    assert torch.isfinite(slope).all()
    assert float(c[0].detach()) == pytest.approx(float(mpmath.cosh(44)), rel=1e-9)


@pytest.mark.parametrize("s", [-1e60, -30.0, -0.1, 1e-9, 0.3, 1e20])
def test_slope_of_an_arc_does_not_cancel(s):
    """By s it is 1 / sqrt(1 + s^2), where that of s asinck(-s^2) loses a factor asinh(s)."""
    x = torch.tensor([s], dtype=torch.float64, requires_grad=True)
    K = torch.tensor([-1.0], dtype=torch.float64)
    value, square = asink(x, K, sign=-1), asink_square(x * x, -x * x, K, sign=-1)
    exact, rate = mpmath.asinh(s), 1 / mpmath.sqrt(1 + mpmath.mpf(s) ** 2)
    (slope,) = torch.autograd.grad(value, x)
    (other,) = torch.autograd.grad(square, x)
    assert float(value.detach()) == pytest.approx(float(exact), rel=4e-16)
    assert float(slope) == pytest.approx(float(rate), rel=2e-15)
    assert float(other) == pytest.approx(float(2 * exact * rate), rel=2e-15)


@pytest.mark.parametrize("s", [-15.0, -0.1, 1e-9, 3.0, 18.0])
def test_slope_of_a_tangent_does_not_cancel(s):
    """By s it is 1 / cosh(s)^2, where that of s tanck(-s^2) loses a factor e^2s."""
    x = torch.tensor([s], dtype=torch.float64, requires_grad=True)
    value = tank(x, torch.tensor([-1.0], dtype=torch.float64), sign=-1)
    (slope,) = torch.autograd.grad(value, x)
    assert float(value.detach()) == pytest.approx(float(mpmath.tanh(s)), rel=4e-16)
    assert float(slope) == pytest.approx(float(mpmath.sech(s) ** 2), rel=1e-14)


@pytest.mark.parametrize("sign", [-1, 1])
def test_advance(sign):
    points = [z for z in (*POINTS, 2.0**-7, -(2.0**-7), 9.0) if sign * z >= 0]
    z = torch.tensor(points, dtype=torch.float64)
    for k, point in enumerate(map(mpmath.mpf, points)):
        cosine, sine = mpmath.cos(root(point)).real, over(mpmath.sin)(point)
        bend = (1 - cosine) / point if point else mpmath.mpf(1) / 2
        scale = 1 + abs(mpmath.sqrt(abs(point)))  # the root of the argument is rounded
        found = [float(t[k]) for t in advance(z, 1e3, sign)]
        size = max(abs(cosine), 1)  # near its zero the error of a cosine is one of the angle
        assert abs(found[0] - cosine) <= 1e-15 * scale * size
        assert abs(found[1] - sine) <= 2e-15 * scale * max(abs(sine), sign * 0.1)
        assert abs(found[2] - bend) <= 1e-13 * abs(bend)


def test_advance_keeps_the_direction_beyond_its_limit():
    cosine, sine, _ = advance(torch.tensor([-1e4], dtype=torch.float64), 80.0, -1)
    assert float(cosine) == pytest.approx(math.exp(80) / 2, rel=1e-13)
    assert float(100 * sine / cosine) == pytest.approx(1, rel=1e-13)


def test_half_turn_inward():
    points = [z for z in (*POINTS, -(2.0**-7), -1e5) if z <= 0]
    z = torch.tensor(points, dtype=torch.float64)
    h, cosine, sine, rest, unit = half_turn_inward(z)
    assert torch.equal(h, (-z).sqrt())
    other_cosine, other_sine, _, other_unit = half_turn(z, -1)
    torch.testing.assert_close(cosine, other_cosine, rtol=2e-15, atol=0)
    torch.testing.assert_close(sine, other_sine, rtol=2e-15, atol=0)
    torch.testing.assert_close(unit, other_unit, rtol=2e-15, atol=0)
    falling = torch.where(unit == 1, torch.exp(-h), torch.exp(-2 * h))  # cosh h - sinh h, scaled
    torch.testing.assert_close(rest, falling, rtol=2e-15, atol=0)
