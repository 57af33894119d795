"""Steps in closed form, in float32, against the operations of the manifold in float64."""

from typing import Any

import pytest
import torch

import noneuclid as ne
from noneuclid.numerics import rest
from noneuclid.optim._closed_forms import tangent_space
from noneuclid.optim._step import TangentSpace

BALL, LORENTZ, SPHERE = ne.PoincareBall(9, -0.7), ne.Lorentz(9, -0.7), ne.Sphere(9, 0.7)
CASES = [
    *((BALL, radius, length) for radius in (0.0, 1.0, 9.0) for length in (0.0, 1e-3, 1.0, 5.0)),
    *((LORENTZ, radius, length) for radius in (0.0, 1.0, 9.0) for length in (0.0, 1e-3, 1.0, 5.0)),
    *((SPHERE, 1.0, length) for length in (0.0, 1e-3, 1.0, 3.0)),
]
NAMED = pytest.mark.parametrize(("manifold", "radius", "length"), CASES, ids=str)


def points(manifold: Any, radius: float, length: float) -> tuple[torch.Tensor, ...]:
    """Return x that far from the origin, d so long there, and two more vectors at x."""
    generator = torch.Generator().manual_seed(0)
    unit = torch.randn(200, manifold.dim, generator=generator, dtype=torch.float64)
    unit = unit / unit.norm(dim=-1, keepdim=True)
    x = manifold.expmap0(manifold.from_frame(radius * unit)).float()
    d, u, v = (manifold.random_tangent(x, generator=generator) for _ in range(3))
    u[:50], d[50:100] = d[:50], manifold.logmap(x, manifold.origin(200))[50:100]
    scale = length / manifold.norm(x, d).clamp(min=1e-30)
    return x, d * scale[..., None], u, v


def error(manifold: Any, y: torch.Tensor, found: torch.Tensor, exact: torch.Tensor) -> float:
    """Return how far a vector at y is off, over the length of the right one."""
    off = manifold.norm(y, found.double() - exact)
    return float((off / manifold.norm(y, exact)).max())


def bar(manifold: Any, x: torch.Tensor) -> float:
    """Return what rounding a vector at x to float32 may cost: much, far out on the hyperboloid."""
    time = float(x[..., 0].max()) if isinstance(manifold, ne.Lorentz) else 1.0
    return 4e-7 * max(1.0, time)


@NAMED
def test_moves_as_the_exponential_map_and_the_transport(
    manifold: Any, radius: float, length: float
) -> None:
    x, d, u, v = points(manifold, radius, length)
    space = tangent_space(manifold, x)
    assert type(space) is not TangentSpace
    y, *carried = space.moved(*_seen(space, d, (u, v)), torch.float32)
    wide = [manifold.proju(x.double(), t.double()) for t in (d, u, v)]
    there = TangentSpace(manifold, x.double())
    y_exact, *exact = there.moved(wide[0], wide[1:], torch.float64)
    assert manifold.check_point(y).all()
    assert float((manifold.dist(y.double(), y_exact)).max()) <= 4e-7 * _reach(manifold, x, y)
    if length == 0:
        assert torch.equal(y, manifold.projx(x))
    for found, right in zip(carried, exact, strict=True):
        found = manifold.proju(y_exact, found.double())
        assert error(manifold, y_exact, found, right) <= 16 * bar(manifold, torch.maximum(x, y))


@NAMED
def test_gradients_and_lengths(manifold: Any, radius: float, length: float) -> None:
    x, _, u, _ = points(manifold, radius, length)
    space, exact = tangent_space(manifold, x), TangentSpace(manifold, x.double())
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))  # tangent to nothing
    found = space.gradient(g)
    right = space.vector(exact.gradient(g.double()))
    size = right.abs().amax(-1, keepdim=True)
    assert ((found - right).abs() <= 1e-6 * size).all()
    square = exact.square(manifold.proju(x.double(), u.double()))
    assert ((space.square(space.vector(u)) / square - 1).abs() <= bar(manifold, x)).all()


@pytest.mark.parametrize("manifold", [BALL, LORENTZ], ids=str)
@pytest.mark.parametrize("radius", [0.0, 1.0, 9.0])
@pytest.mark.parametrize("share", [0.01, 0.5, 1.2])
def test_decay_towards_the_origin(manifold: Any, radius: float, share: float) -> None:
    x, _, u, v = points(manifold, radius, 1.0)
    space, exact = tangent_space(manifold, x), TangentSpace(manifold, x.double())
    pull, right = space.pull(), space.vector(exact.pull())
    torch.testing.assert_close(
        pull.double(), right, rtol=1e-6, atol=1e-6 * float(right.abs().max())
    )
    part = torch.tensor(share, dtype=torch.float64)
    there, carried = space.shrunk(part, [space.vector(t) for t in (u, v)], torch.float32)
    wide = [manifold.proju(x.double(), t.double()) for t in (u, v)]
    right_there, right_carried = exact.shrunk(part, wide, torch.float64)
    y = right_there.x
    torch.testing.assert_close(
        there.x.double(), space.vector(y), rtol=1e-6, atol=1e-6 * float(x.abs().max())
    )
    for found, expected in zip(carried, right_carried, strict=True):
        whole = torch.zeros_like(y)
        space.vector(whole).copy_(found)
        found = manifold.proju(y, whole)
        assert error(manifold, y, found, expected) <= 16 * bar(manifold, x)


@pytest.mark.parametrize("manifold", [BALL, LORENTZ], ids=str)
def test_beyond_the_last_shell_momentum_stays_bounded(manifold: Any) -> None:
    x, _, u, _ = points(manifold, 9.0, 1.0)
    space = tangent_space(manifold, x)
    y, carried = space.moved(-6.0 * space.pull(), [space.vector(u)], torch.float32)
    assert manifold.check_point(y).all()
    if manifold is BALL:
        growth = manifold.norm(y, carried) / manifold.norm(x, u)
        assert ((growth > 0.5) & (growth < 1.5)).all()
    else:  # there coordinates do not tell the part across x any more: the one along it
        assert (carried[:, 0].abs() <= 1.5 * manifold.norm(x, u) * y[:, 0]).all()


def test_a_step_of_no_length_keeps_a_point_of_the_sphere() -> None:
    x = points(SPHERE, 1.0, 0.0)[0] * (1 + torch.finfo(torch.float32).eps)
    x = x[(SPHERE.projx(x) == x).all(-1)]  # the norm is right within rounding
    y = tangent_space(SPHERE, x).moved(torch.zeros_like(x), [], torch.float32)[0]
    assert len(x) > 100
    assert torch.equal(y, x)


def test_float64_takes_the_operations_of_the_manifold() -> None:
    assert type(tangent_space(BALL, BALL.random(2, dtype=torch.float64))) is TangentSpace


def _seen(space: Any, d: torch.Tensor, vectors: tuple[torch.Tensor, ...]) -> tuple[Any, list[Any]]:
    return space.vector(d), [space.vector(v) for v in vectors]


def _reach(manifold: Any, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return by how much coordinates magnify a rounding, at x or at y."""
    if isinstance(manifold, ne.PoincareBall):
        return float(torch.maximum(manifold.lambda_x(x), manifold.lambda_x(y)).max())
    if isinstance(manifold, ne.Lorentz):
        return float(torch.maximum(rest(x), rest(y)).abs().max()) + 1
    return 1.0
