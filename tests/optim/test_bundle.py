"""All parameters as one point: metric, motion, and curvature that moves along."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.optim._bundle import Bundle


def model(learnable: bool = True) -> list[torch.Tensor]:
    """Return plain parameters, points of several manifolds in mixed order, and curvatures."""
    H, S = ne.Lorentz(3, -0.7, learnable=learnable), ne.Sphere(2, 1.3, learnable=learnable)
    P = ne.Product(ne.PoincareBall(2), ne.Product(ne.Sphere(2), ne.Euclidean(1)))
    points = [
        ne.ManifoldParameter(m.random(*size, dtype=torch.float64), m)
        for m, size in ((H, (2,)), (S, (2, 2)), (P, (3,)), (H, ()), (ne.Euclidean(2), (2,)))
    ]
    plain = [nn.Parameter(torch.randn(2, 2, dtype=torch.float64))]
    curvatures = [p for m in (H, S) for p in m.double().parameters()]
    return [points[0], plain[0], *points[1:], *curvatures]


def loss_of(parameters: list[torch.Tensor]) -> torch.Tensor:
    """Return a function of what points and curvatures stand for."""
    terms = []
    for p in parameters:
        manifold = ne.manifold_of(p)
        if manifold is None:
            terms.append(torch.cos(p).sum())
        else:
            terms.append(torch.cos(manifold.dist0(p)).sum() + manifold.logmap0(p).sum())
    return torch.stack(terms).sum()


def tangent(bundle: Bundle, x: torch.Tensor) -> torch.Tensor:
    return bundle.sharpen(x, torch.randn_like(x))


def test_flat_and_back() -> None:
    parameters = model()
    bundle = Bundle(parameters)
    x = bundle.point()
    assert x.shape == (sum(p.numel() for p in parameters),)
    before = [p.detach().clone() for p in parameters]
    bundle.write(x + 1)
    assert all(torch.equal(p.detach(), old + 1) for p, old in zip(parameters, before, strict=True))
    for old, part in zip(bundle.parameters, bundle.split(x), strict=True):
        assert torch.equal(old.detach(), part + 1)


def test_one_call_serves_all_points_of_a_manifold() -> None:
    kinds = [type(segment.manifold).__name__ for segment in Bundle(model()).segments]
    assert kinds == ["Lorentz", "Sphere", "PoincareBall", "Sphere", "Euclidean"]


def test_metric_is_the_sum_of_the_parts() -> None:
    parameters = model()
    bundle = Bundle(parameters)
    x = bundle.point()
    u, v = tangent(bundle, x), tangent(bundle, x)
    expected = 0.0
    parts = zip(*(bundle.split(flat) for flat in (x, u, v)), strict=True)
    for parameter, (place, a, b) in zip(bundle.parameters, parts, strict=True):
        manifold = ne.manifold_of(parameter)
        expected += float(
            (a * b if manifold is None else manifold.inner(place, a, b)).sum().detach()
        )
    assert bundle.inner(x, u, v) == pytest.approx(expected, rel=1e-12)
    assert float(bundle.lower(x, u) @ v) == pytest.approx(expected, rel=1e-12)
    several = bundle.lower(x, torch.stack([u, v]))
    torch.testing.assert_close(several[1], bundle.lower(x, v), rtol=1e-14, atol=1e-14)
    assert bundle.inner(x, bundle.sharpen(x, several[0]), v) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("exact", [True, False])
def test_velocity_gives_the_derivative_of_the_loss(exact: bool, monkeypatch: Any) -> None:
    """Also where K moves with the points, and along the curve of a retraction that is no exp."""
    if not exact:
        monkeypatch.setattr(ne.Sphere, "retraction_order", 2.0)
        monkeypatch.setattr(ne.Sphere, "_retr", lambda self, x, u, dtype: self._projx(x + u, dtype))
    parameters = model()
    bundle = Bundle(parameters)
    x = bundle.point()
    u = tangent(bundle, x) / 4

    def at(t: float) -> float:
        bundle.advance(x, u, t)
        return float(loss_of(parameters).detach())

    h = 1e-5
    expected = (at(0.6 + h) - at(0.6 - h)) / (2 * h)
    velocity = bundle.advance(x, u, 0.6)
    loss_of(parameters).backward()
    y = bundle.point()
    slope = bundle.inner(y, bundle.sharpen(y, bundle.gradient()), velocity)
    assert slope == pytest.approx(expected, rel=1e-7)


def test_motion_ends_on_the_manifolds_of_the_new_curvature() -> None:
    parameters = model()
    bundle = Bundle(parameters)
    x = bundle.point()
    u = tangent(bundle, x)
    vectors = torch.stack([tangent(bundle, x) for _ in range(3)])
    bundle.advance(x, u, 0.9)  # a trial, with another K
    moved = bundle.move(x, u, 0.5, vectors)
    y = bundle.point()
    bundle.advance(x, u, 0.5)
    assert torch.equal(y, bundle.point())
    for p in parameters:
        if (manifold := ne.manifold_of(p)) is not None:
            assert manifold.check_point(p.detach()).all()
    for segment in bundle.segments:
        assert segment.manifold.check_vector(segment.view(y), segment.view(moved)).all()


def test_transport_is_an_isometry_where_the_curvature_stays() -> None:
    bundle = Bundle(model(learnable=False))
    x = bundle.point()
    u, v, w = (tangent(bundle, x) for _ in range(3))
    before = bundle.inner(x, v, w)
    moved = bundle.move(x, u, 0.3, torch.stack([v, w]))
    assert bundle.inner(bundle.point(), *moved) == pytest.approx(before, rel=1e-11)
    bundle.write(x)
    assert torch.equal(bundle.point(), x)


def test_reach_keeps_spheres_within_their_injectivity_radius() -> None:
    S = ne.Sphere(2, 4.0)
    x = ne.ManifoldParameter(S.random(2, dtype=torch.float64), S)
    H = ne.Lorentz(2)
    far = ne.ManifoldParameter(H.random(2, dtype=torch.float64), H)
    bundle = Bundle([x, far])
    place = bundle.point()
    u = tangent(bundle, place)
    longest = S.norm(x.detach(), bundle.split(u)[0]).max() * bundle.reach(place, u)
    assert 0.9 < float(longest / S.injectivity_radius) < 1
    assert Bundle([far]).reach(Bundle([far]).point(), torch.ones(6, dtype=torch.float64)) == (
        float("inf")
    )


def test_frozen_parameters_stay_out() -> None:
    parameters = model()
    parameters[0].requires_grad_(False)
    assert all(p is not parameters[0] for p in Bundle(parameters).parameters)


def test_mixed_precision_is_kept_in_the_widest() -> None:
    H = ne.Lorentz(2)
    single = ne.ManifoldParameter(H.random(2), H)
    double = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    bundle = Bundle([single, double])
    assert bundle.dtype == torch.float64
    assert bundle.anchor is double
    bundle.advance(bundle.point(), tangent(bundle, bundle.point()), 0.5)
    assert single.dtype == torch.float32
    assert H.check_point(single.detach()).all()


def test_refusals() -> None:
    with pytest.raises(ValueError, match="must be real"):
        Bundle([nn.Parameter(torch.zeros(2, dtype=torch.complex64))])
    with pytest.raises(ValueError, match="on one device, got cpu, meta"):
        Bundle([nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, device="meta"))])
    sharded = copy.deepcopy(nn.Parameter(torch.zeros(2)))
    sharded.to_local = lambda: sharded  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="spread over processes"):
        Bundle([sharded])
    sparse = nn.Parameter(torch.zeros(2))
    sparse.grad = torch.ones(2).to_sparse()
    with pytest.raises(RuntimeError, match="sparse=False"):
        Bundle([sparse]).gradient()
