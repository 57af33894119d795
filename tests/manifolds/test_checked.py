"""Checked finds points and vectors that are off the manifold, and says where."""

import pytest
import torch

import noneuclid as ne


@pytest.fixture(params=["H3", "S3", "B3", "H2 x S1"])
def manifold(request):
    return ne.manifold(request.param)


def off_point(manifold, x, row):
    bad = x.clone()
    bad[row] = 3 * bad[row] + 2
    return bad


def test_valid_calls_give_the_bare_result(manifold, dtype, generator):
    checked = ne.Checked(manifold)
    x, y = (manifold.random(5, generator=generator, dtype=dtype) for _ in "xy")
    u = manifold.random_tangent(x, generator=generator)
    assert torch.equal(checked.dist(x, y), manifold.dist(x, y))
    assert torch.equal(checked.expmap(x, u), manifold.expmap(x, u))
    assert torch.equal(checked.transp(x, y, u), manifold.transp(x, y, u))
    assert torch.equal(checked.geodesic(x, y, 0.3), manifold.geodesic(x, y, 0.3))
    assert torch.equal(checked.cdist(x, y), manifold.cdist(x, y))
    assert checked.random(3).shape == (3, *manifold.point_shape)
    assert checked.dim == manifold.dim


CALLS = {
    "dist": lambda m, x, y, u: m.dist(x, y),
    "dist swapped": lambda m, x, y, u: m.dist(y, x),
    "dist2": lambda m, x, y, u: m.dist2(x, y),
    "cdist": lambda m, x, y, u: m.cdist(x, y),
    "logmap": lambda m, x, y, u: m.logmap(x, y),
    "expmap": lambda m, x, y, u: m.expmap(y, u),
    "retr": lambda m, x, y, u: m.retr(y, u),
    "transp": lambda m, x, y, u: m.transp(x, y, u),
    "inner": lambda m, x, y, u: m.inner(y, u),
    "norm": lambda m, x, y, u: m.norm(y, u),
    "dist0": lambda m, x, y, u: m.dist0(y),
    "logmap0": lambda m, x, y, u: m.logmap0(y),
    "geodesic": lambda m, x, y, u: m.geodesic(x, y, 0.5),
    "midpoint": lambda m, x, y, u: m.midpoint(y),
    "retr_transp": lambda m, x, y, u: m.retr_transp(y, u, u),
    "transp0": lambda m, x, y, u: m.transp0(y, m.manifold.logmap0(x)),
    "transp0back": lambda m, x, y, u: m.transp0back(y, u),
    "egrad2rgrad": lambda m, x, y, u: m.egrad2rgrad(y, u),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_off_points_are_found(call, manifold, generator):
    x, y = (manifold.random(5, generator=generator, dtype=torch.float64) for _ in "xy")
    u = 0 * manifold.random_tangent(x, generator=generator)
    bad = off_point(manifold, y, 3)
    with pytest.raises(ne.OffManifoldError, match=r"worst relative violation .* at index \(3,\)"):
        call(ne.Checked(manifold), x, bad, u)


@pytest.mark.parametrize("name", ["H3", "S3"])
def test_off_vectors_are_found(name, generator):
    manifold = ne.manifold(name)
    x = manifold.random(2, 4, generator=generator, dtype=torch.float64)
    u = manifold.random_tangent(x, generator=generator)
    u[1, 2] += x[1, 2]
    checked = ne.Checked(manifold)
    with pytest.raises(
        ne.OffManifoldError, match=r"not tangent to .* at index \(1, 2\) of \(2, 4\)"
    ):
        checked.expmap(x, u)
    with pytest.raises(ne.OffManifoldError, match="argument 3 of transp"):
        checked.transp(x, x, u)


def test_nan_is_off(manifold):
    x = manifold.random(3)
    x[1] = float("nan")
    with pytest.raises(ne.OffManifoldError, match=r"inf at index \(1,\)"):
        ne.Checked(manifold).dist0(x)


def test_shape_errors_come_through(manifold):
    with pytest.raises(ValueError, match="expects points and vectors of shape"):
        ne.Checked(manifold).dist(torch.zeros(2, 9), torch.zeros(2, 9))
    with pytest.raises(AttributeError):
        _ = ne.Checked(manifold).no_such_method


def test_keywords_and_carried_vectors_are_checked():
    outside, H = torch.tensor([3.0, 0.0]), ne.Lorentz(3)
    with pytest.raises(ne.OffManifoldError, match="argument 2 of dist"):
        ne.Checked(ne.PoincareBall(2)).dist(torch.zeros(2), y=outside)
    bad = torch.tensor([5.0, 0.0, 0.0, 0.0])
    with pytest.raises(ne.OffManifoldError, match="argument 3 of retr_transp"):
        ne.Checked(H).retr_transp(H.origin(), torch.zeros(4), bad)
    with pytest.raises(ne.OffManifoldError, match="mobius_scalar_mul"):
        ne.Checked(ne.PoincareBall(2)).mobius_scalar_mul(2.0, outside)
