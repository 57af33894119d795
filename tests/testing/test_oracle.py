"""The oracle against literature, itself in another model, and differences in every coordinate."""

import math

import pytest
import torch
from mpmath import mp

import noneuclid as ne
from noneuclid.testing.cases import Cases, operations_of
from noneuclid.testing.oracle import SIGNATURES, Truth
from noneuclid.testing.oracle_gradient import Problem

DOUBLE = torch.float64
MODELS = [
    (ne.PoincareBall, -1.7),
    (ne.Lorentz, -1.7),
    (ne.Sphere, 1.7),
    (ne.SphereProjection, 1.7),
    (ne.Stereographic, 0.0),
    (ne.Euclidean, 0.0),
]


def made(cls, dim, curvature):
    return cls(dim) if cls is ne.Euclidean else cls(dim, curvature)


@pytest.mark.parametrize(("model", "curvature"), MODELS)
def test_chart_and_ambient_vectors_are_inverse(model, curvature, generator):
    manifold = made(model, 3, curvature)
    truth = Truth(manifold)
    x = manifold.random(generator=generator, dtype=DOUBLE)
    u = manifold.random_tangent(x, generator=generator)
    point = truth.lower(truth.lift(x))
    vector = truth.lower_vector(truth.lift(x), truth.lift_vector(x, u))
    skip = isinstance(manifold, ne.Lorentz)
    assert [float(a) for a in point] == pytest.approx(x[skip:].tolist(), rel=1e-14, abs=1e-14)
    assert [float(a) for a in vector] == pytest.approx(u[skip:].tolist(), rel=1e-14, abs=1e-14)


def test_distance_to_a_plane_against_literature():
    """On the ball, plane through 0: sinh d = 2 |x.a| / ((1 - |x|^2) |a|); flat: 2 |(x - p).a|."""
    x = torch.tensor([0.3, 0.4], dtype=DOUBLE)
    p, a = torch.zeros(2, dtype=DOUBLE), torch.tensor([0.0, 2.0], dtype=DOUBLE)
    d = Truth(ne.PoincareBall(2)).dist2plane(x, p, a)
    assert float(d) == pytest.approx(math.asinh(0.8 / 0.75), rel=1e-15)
    flat = Truth(ne.Stereographic(2, 0.0)).dist2plane(x, torch.tensor([1.0, 0.1]), a)
    assert float(flat) == pytest.approx(0.6, rel=1e-7)


@pytest.mark.parametrize(
    ("near", "far", "curvature"),
    [(ne.PoincareBall, ne.Lorentz, -2.0), (ne.SphereProjection, ne.Sphere, 1.5)],
)
def test_planes_and_midpoints_agree_between_models(near, far, curvature, generator):
    a, b = near(3, curvature), far(3, curvature)
    move = ne.isometry(a, b)
    x, p, q = a.random(3, generator=generator, dtype=DOUBLE)
    first = Truth(a).dist2plane(x, p, a.logmap(p, q))
    second = Truth(b).dist2plane(move(x), move(p), b.logmap(move(p), move(q)))
    assert float(first) == pytest.approx(float(second), rel=1e-13)
    weights = [Truth(a).mp.mpf(w) for w in (1, 2, 0.5)]
    here = Truth(a).midpoint(*(Truth(a).chart(r) for r in (x, p, q)), weights)
    there = Truth(b).midpoint(*(Truth(b).chart(move(r)) for r in (x, p, q)), weights)
    assert [float(c) for c in here] == pytest.approx([float(c) for c in there], rel=1e-13)


@pytest.mark.parametrize(("model", "curvature"), MODELS)
def test_gradients_in_a_frame_are_the_full_ones(model, curvature, generator, monkeypatch):
    """In 6 dimensions the frame has at most 5 directions; without it every coordinate is moved."""
    manifold = made(model, 6, curvature)
    problems = [
        next(Cases(manifold, DOUBLE, generator).of(name, 1.0)).call.problem
        for name in operations_of(manifold)
    ]
    framed = [problem.gradient() for problem in problems]
    monkeypatch.setattr(Problem, "_frame", identity_frame)
    for problem, gradient in zip(problems, framed, strict=True):
        for letter, row in problem.gradient().items():
            error = problem.distance(row, gradient[letter])
            assert error < 1e-40 * (1 + problem.norm(row)), (problem.operation, letter)


def identity_frame(problem):
    count = len(problem.rows[0])
    one, zero = problem.truth.mp.mpf(1), problem.truth.mp.mpf(0)
    return [[one if i == j else zero for j in range(count)] for i in range(count)]


def test_gradients_against_literature():
    """d/dx of d(0, x) on the ball is 2/(1 - |x|^2) x/|x|; d/dK of pi-like lengths is -d/(2K)."""
    truth = Truth(ne.PoincareBall(2))
    x = [truth.mp.mpf(3) / 5, truth.mp.mpf(0)]
    found = Problem(truth, "dist0", [x], [truth.mp.mpf(1)]).gradient()["x"]
    assert float(found[0]) == pytest.approx(2 / 0.64, rel=1e-30)
    sphere = Truth(ne.Sphere(1, 4.0))
    east, north = [sphere.mp.mpf(1), sphere.mp.mpf(0)], [sphere.mp.mpf(0), sphere.mp.mpf(1)]
    slope = Problem(sphere, "dist", [east, north], [sphere.mp.mpf(1)]).gradient()["K"][0]
    assert float(slope) == pytest.approx(-math.pi / 4 / 8, rel=1e-15)


def test_movement_is_the_condition_of_the_problem(generator):
    """Half an ulp of points at 1 that are 1e-6 apart moves their distance by about eps / 1e-6."""
    before = mp.dps
    truth = Truth(ne.Stereographic(2, 0.0))
    x = [truth.mp.mpf(1), truth.mp.mpf(1)]
    y = [truth.mp.mpf(1) + truth.mp.mpf("1e-6"), truth.mp.mpf(1)]
    problem = Problem(truth, "dist", [x, y], [truth.mp.mpf(1)])
    eps = torch.finfo(torch.float32).eps
    relative = problem.value_movement(eps) / problem.value()[0]
    assert eps / 1e-6 / 3 < relative < 3 * eps / 1e-6
    assert mp.dps == before  # mpmath's global context is not touched


def test_every_signature_is_an_operation_of_the_truth():
    for name, signature in SIGNATURES.items():
        assert callable(getattr(Truth, name))
        assert signature.result in {"scalar", "point", "vector"}
