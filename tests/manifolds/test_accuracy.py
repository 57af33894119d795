"""Errors against 100-digit truth, for all models, curvatures far apart, and dimensions 1 to 16."""

import math
import sys

import pytest
import torch

import noneuclid as ne
from noneuclid.testing import error_budget
from noneuclid.testing.oracle import Truth

HYPERBOLIC = (-1.0, -1e-4, -100.0)
SPHERICAL = (1.0, 1e-4, 100.0)
MODELS = [
    *((ne.PoincareBall, k) for k in HYPERBOLIC),
    *((ne.Lorentz, k) for k in HYPERBOLIC),
    *((ne.Sphere, k) for k in SPHERICAL),
    *((ne.SphereProjection, k) for k in SPHERICAL),
    *((ne.Stereographic, k) for k in (-1.0, 0.0, 1e-4, 100.0)),
]


@pytest.mark.parametrize("dim", [1, 2, pytest.param(4, marks=pytest.mark.slow), 16])
@pytest.mark.parametrize(("model", "curvature"), MODELS)
def test_errors_are_within_budget(model, curvature, dim, dtype, generator):
    rows = error_budget(model(dim, curvature), dtype, generator=generator, draws=1)
    broken = [row for row in rows if not row.error <= row.allowed]
    assert not broken, "\n".join(map(str, broken))


def test_budget_covers_the_ladder():
    """Float32 on the ball to radius 16 and on the hyperboloid to 30, on the sphere to pi."""
    reached = {}
    for manifold in (ne.PoincareBall(2), ne.Lorentz(2), ne.Sphere(2)):
        rows = error_budget(manifold, torch.float32, draws=1)
        distances = [row for row in rows if row.operation == "dist"]
        reached[type(manifold)] = (
            min(r.radius for r in distances),
            max(r.radius for r in distances),
        )
        assert {row.case for row in distances} == {
            "from the origin",
            "generic",
            "uneven",
            "near",
            "equal",
        }
    assert reached[ne.PoincareBall] == (1e-6, 16.0)
    assert reached[ne.Lorentz] == (1e-6, 30.0)
    assert reached[ne.Sphere] == (1e-8, math.pi)


def test_budget_sees_an_inaccurate_distance(monkeypatch):
    """The acosh distance of other libraries breaks the bar; the budget must notice."""

    def by_acosh(self, x, y):
        product = x[..., 0] * y[..., 0] - (x[..., 1:] * y[..., 1:]).sum(-1)
        return product.clamp(min=1).acosh().square().double()

    monkeypatch.setattr(ne.Lorentz, "_dist2", by_acosh)
    rows = error_budget(ne.Lorentz(4), torch.float32, draws=1)
    assert any(row.error > 100 * row.allowed > 0 for row in rows if row.operation == "dist")


def test_truth_against_literature():
    """Pinned: d(0, 1/2) = ln 3 on the ball, a quarter turn, unit legs of a right triangle."""
    x, y = torch.zeros(2, dtype=torch.float64), torch.tensor([0.5, 0.0], dtype=torch.float64)
    assert float(Truth(ne.PoincareBall(2)).dist(x, y)) == pytest.approx(math.log(3), rel=1e-15)
    a, b = torch.eye(3, dtype=torch.float64)[:2]
    assert float(Truth(ne.Sphere(2, 4.0)).dist(a, b)) == pytest.approx(math.pi / 4, rel=1e-15)
    legs = [torch.tensor([0.0, *row], dtype=torch.float64) for row in ([1, 0], [0, 1])]
    ends = [ne.Lorentz(2).expmap0(leg) for leg in legs]
    expected = math.acosh(math.cosh(1) ** 2)
    assert float(Truth(ne.Lorentz(2)).dist(*ends)) == pytest.approx(expected, rel=1e-15)


def test_truth_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpmath.ctx_mp", None)
    with pytest.raises(ImportError, match=r"install noneuclid\[dev\]"):
        Truth(ne.Lorentz(2))
    with pytest.raises(TypeError, match="Product"):
        Truth(ne.manifold("H2 x E2"))
