"""Entailment cones: the published formulas, accuracy, degenerate points, nesting."""

import math

import mpmath
import pytest
import torch
from torch import Tensor

import noneuclid as ne
from noneuclid.losses import EntailmentCone

HYPERBOLIC = ["H3", "H3(-0.3)*", "B3(-2)", "K3(-1.5)"]


def points(space: ne.HomogeneousManifold, c: Tensor) -> Tensor:
    return space.expmap0(space.from_frame(c))


@pytest.mark.parametrize("signature", HYPERBOLIC)
def test_formulas_of_the_sources(signature: str) -> None:
    """On the hyperboloid it is MERU's pair of formulas, on the ball the aperture of Ganea."""
    space = ne.manifold(signature)
    cone, H = EntailmentCone(space, 0.1), ne.Lorentz(3, float(space.curvature))
    a, b = torch.randn(2, 40, 3, dtype=torch.float64)
    x, y = points(H, a), points(H, b)
    rate = (-H.curvature()).sqrt()
    product = H.curvature().abs() * (x[:, 1:] * y[:, 1:]).sum(-1) - rate**2 * x[:, 0] * y[:, 0]
    far = x[:, 1:].norm(dim=-1)
    # t in units of length: MERU's x_time + y_time c <x, y>
    cosine = (y[:, 0] + x[:, 0] * product) / (far * (product**2 - 1).sqrt())
    angle = cone.exterior_angle(points(space, a), points(space, b))
    torch.testing.assert_close(angle, torch.acos(cosine), atol=1e-7, rtol=1e-7)
    aperture = cone.aperture(points(space, a))
    torch.testing.assert_close(aperture, torch.asin((0.2 / (rate * far)).clamp(max=1)))
    norm = torch.tanh(torch.asinh(rate * far) / 2)  # in the unit ball
    torch.testing.assert_close(aperture, torch.asin((0.1 * (1 - norm**2) / norm).clamp(max=1)))


@pytest.mark.parametrize("signature", ["H2", "B2"])
def test_it_is_the_angle_of_the_logarithm(signature: str, generator: torch.Generator) -> None:
    """The angle between log_x y and what log_o x becomes at x."""
    space = ne.manifold(signature)
    x, y = space.random(2, 30, generator=generator, dtype=torch.float64)
    ray, way = space.transp0(x, space.logmap0(x)), space.logmap(x, y)
    cosine = space.inner(x, ray, way) / (space.norm(x, ray) * space.norm(x, way))
    angle = EntailmentCone(space).exterior_angle(x, y)
    torch.testing.assert_close(angle.cos(), cosine)


@pytest.mark.parametrize("radius", [0.01, 1.0, 8.0, 14.0])
def test_accuracy(radius: float, dtype: torch.dtype) -> None:
    """Against 60 digits on the same coordinates: 8 eps of the angle, also next to 0 and pi."""
    H = ne.Lorentz(2)
    turns = torch.tensor([0.0, 1e-6, 1e-3, 1.0, 3.0, math.pi], dtype=torch.float64)
    c = torch.stack([turns.cos(), turns.sin()], dim=-1)
    x = points(H, radius * c[:1].expand(12, 2)).to(dtype)
    y = points(H, torch.cat([0.7 * radius * c, 1.2 * radius * c])).to(dtype)
    found = EntailmentCone(H).exterior_angle(x, y).tolist()
    with mpmath.workdps(60):
        for value, a, b in zip(found, x[:, 1:].tolist(), y[:, 1:].tolist(), strict=True):
            expected = float(_angle([mpmath.mpf(t) for t in a], [mpmath.mpf(t) for t in b]))
            assert abs(value - expected) <= 8 * torch.finfo(dtype).eps * expected


def _angle(a: list[mpmath.mpf], b: list[mpmath.mpf]) -> mpmath.mpf:
    """The angle of the components of y along the outward unit vector at x and across it."""
    r, s = mpmath.hypot(*a), mpmath.hypot(*b)
    t, u = mpmath.sqrt(1 + r * r), mpmath.sqrt(1 + s * s)
    inner = (a[0] * b[0] + a[1] * b[1]) / r
    return mpmath.atan2(abs(a[0] * b[1] - a[1] * b[0]) / r, t * inner - r * u)


@pytest.mark.parametrize("signature", HYPERBOLIC)
def test_degenerate_points(signature: str, dtype: torch.dtype) -> None:
    """Coincidence, the origin, the ray outward and inward, the half-spaces, the last shell."""
    space = ne.manifold(signature)
    cone = EntailmentCone(space)
    e = torch.tensor([0.6, 0.8, 0.0], dtype=dtype)
    pairs = [(1.0, 1.0, 0.0), (1.0, 2.0, 0.0), (2.0, 1.0, math.pi), (1.0, -1.0, math.pi),
             (0.0, 1.0, 0.0), (1.0, 0.0, math.pi), (0.0, 0.0, 0.0), (0.01, 0.02, 0.0),
             (1000.0, 1000.0, 0.0), (1000.0, -1000.0, math.pi)]  # fmt: skip
    with torch.no_grad():
        x = points(space, torch.stack([a * e for a, _, _ in pairs]))
        y = points(space, torch.stack([b * e for _, b, _ in pairs]))
    x.requires_grad_(), y.requires_grad_()
    angle, aperture = cone.exterior_angle(x, y), cone.aperture(x)
    expected = torch.tensor([angle for _, _, angle in pairs], dtype=dtype)
    torch.testing.assert_close(angle, expected, atol=1e-3 if dtype == torch.float32 else 1e-6,
                               rtol=0)  # fmt: skip
    assert aperture[4] == aperture[6] == aperture[7] == math.pi / 2 or dtype == torch.float32
    assert ((aperture > 0) & (aperture <= math.pi / 2 + 1e-6)).all()
    for gradient in torch.autograd.grad((angle + aperture).sum(), [x, y, *space.parameters()]):
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("signature", ["H3", "B3(-2)"])
def test_gradients(signature: str) -> None:
    """Both angles are differentiated as they are written."""
    space = ne.manifold(signature)
    cone = EntailmentCone(space)
    a, b = torch.randn(2, 4, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda a, b: cone(points(space, a), points(space, b)),
        ((a + a.sign()).requires_grad_(), (b + b.sign()).requires_grad_()),
    )


def test_cones_nest(generator: torch.Generator) -> None:
    """What is in the cone of y is in the cone of x, if y is."""
    H = ne.Lorentz(2)
    radii = torch.rand(3, 4000, generator=generator, dtype=torch.float64).cumsum(0) + 0.25
    angles = 0.1 * torch.randn(3, 4000, generator=generator, dtype=torch.float64)
    c = torch.stack([radii * angles.cos(), radii * angles.sin()], dim=-1)
    x, y, z = points(H, c)  # beyond the half-spaces, which do not nest
    cone = EntailmentCone(H)
    chain = (cone(x, y) < 0) & (cone(y, z) < 0)
    assert chain.sum() > 100
    assert (cone(x, z)[chain] < 0).all()


def test_refusals() -> None:
    """Spaces without nested cones are named, with what to use instead."""
    for signature, reason in [
        ("S3", "K >= 0"),
        ("K3(0)", "K >= 0"),
        ("E3", "Euclidean is not one"),
        ("H2 x E2", "take its hyperbolic factor"),
        ("K3(-1)*", "use PoincareBall or Lorentz"),
    ]:
        with pytest.raises(TypeError, match=reason):
            EntailmentCone(ne.manifold(signature))
    with pytest.raises(ValueError, match="min_radius must be a positive"):
        EntailmentCone(ne.Lorentz(2), 0.0)
