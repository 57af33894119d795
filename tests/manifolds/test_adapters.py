"""geoopt's manifolds obey our laws once they are ours, and ours serve geoopt."""

import copy
import io
import pickle
import re
import subprocess
import sys
from pathlib import Path

import geoopt
import pytest
import torch
from geoopt.manifolds.siegel.csym_math import cayley_transform
from torch import nn

import noneuclid as ne
from noneuclid.manifolds.adapters import _outgoing
from noneuclid.optim import RiemannianAdam, RiemannianSGD
from noneuclid.testing import manifold_laws

SUBSPACE = torch.tensor([[1.0, 0.2, 0.0], [0.0, 1.0, -0.3], [0.5, 0.0, 1.0], [0.1, -0.7, 0.4]])

with pytest.warns(UserWarning, match="not fully implemented"):  # geoopt's own, of the metric
    LOG_EUCLIDEAN = geoopt.SymmetricPositiveDefinite("LEM")

SOURCES = {
    "canonical": (geoopt.CanonicalStiefel(), (4, 2)),
    "euclidean": (geoopt.EuclideanStiefel(), (3, 2)),
    "exact": (geoopt.EuclideanStiefelExact(), (3, 3)),
    "definite": (geoopt.SymmetricPositiveDefinite(), (3, 3)),
    "log-euclidean": (LOG_EUCLIDEAN, (2, 2)),
    "birkhoff": (geoopt.BirkhoffPolytope(), (3, 3)),
    "upper half": (geoopt.UpperHalf(), (2, 2)),
    "bounded": (geoopt.BoundedDomain(), (2, 2)),
    "subsphere": (geoopt.Sphere(intersection=SUBSPACE), 4),
    "scaled sphere": (geoopt.Scaled(geoopt.Sphere(), 2.0), 3),
    "scaled Stiefel": (geoopt.Scaled(geoopt.EuclideanStiefel(), 0.5), (3, 2)),
    "mixed product": (
        geoopt.ProductManifold((geoopt.Sphere(), 3), (geoopt.EuclideanStiefel(), (3, 2))),
        None,
    ),
    "ball": (geoopt.PoincareBall(2.0, learnable=True), 3),
    "hyperboloid": (geoopt.Lorentz(2.0, learnable=True), 4),
    "stereographic": (geoopt.Stereographic(-0.3, learnable=True), 3),
    "projected sphere": (geoopt.SphereProjection(0.5, learnable=True), 3),
}
ADAPTED = {name: ne.from_geoopt(*pair) for name, pair in SOURCES.items()}

SHARED = {"ball", "hyperboloid", "stereographic", "projected sphere"}
EXCLUDED = {
    # its repr leaves out the numbers of the subspace, so nothing can be built from it
    ("subsphere", "copies_are_the_same_manifold"),
    ("subsphere", "comes_from_the_meta_device"),
    # the repr of a shared curvature builds one of ours, whose parameter is another function of K:
    # geoopt's state does not fit into it
    *((name, "comes_from_the_meta_device") for name in SHARED),
}
# In the gate: every law of one wrapper of each tier, and those that cost little of the others.
IN_THE_GATE = {"euclidean", "definite"}
COSTLY = {
    "exports",
    "hessians_are_right",
    "second_derivatives_are_right",
    "gradients_are_right",
    "forward_and_reverse_mode_agree",
    "compiles_in_one_graph",
}
# test_laws.py has the laws of those that are ours, and these here have brothers in the gate
LATE = {*SHARED, "exact", "log-euclidean"}

pytestmark = pytest.mark.filterwarnings("ignore:.*not fully implemented")  # geoopt, of its LEM


def law_cases():
    return [*_law_cases()]


def _law_cases():
    for name, manifold in ADAPTED.items():
        for dtype in (torch.float32, torch.float64):
            for law, check in manifold_laws(manifold, dtype):
                if (name, law) in EXCLUDED:
                    continue
                late = name in LATE or law in ("exports", "hessians_are_right")
                if name not in IN_THE_GATE:
                    late |= law in COSTLY or dtype == torch.float32
                late |= law == "compiles_in_one_graph"  # 10 to 30 s each
                marks = [pytest.mark.slow] if late else []
                label = f"{law}-{name}-{str(dtype)[6:]}"
                yield pytest.param(manifold, dtype, check, id=label, marks=marks)


@pytest.mark.parametrize(("manifold", "dtype", "check"), law_cases())
def test_law(manifold, dtype, check, generator):
    check(manifold, dtype, generator)


def test_subsphere_is_copied():
    manifold = ADAPTED["subsphere"]
    for other in (copy.deepcopy(manifold), pickle.loads(pickle.dumps(manifold))):
        assert other.same_as(manifold)
        assert torch.equal(other.basis, manifold.basis)
    assert not manifold.same_as(ne.from_geoopt(geoopt.Sphere(complement=SUBSPACE[:, :1]), 4))


# -- the same geometry as geoopt's -----------------------------------------------------------------

DISTANCES = [
    (geoopt.PoincareBall(2.0), 3),
    (geoopt.PoincareBallExact(0.3), 2),
    (geoopt.SphereProjection(0.5), 3),
    (geoopt.Stereographic(-0.7), 3),
    (geoopt.Stereographic(0.0), 3),
    (geoopt.Stereographic(0.9), 3),
    (geoopt.Lorentz(2.0), 4),
    (geoopt.Sphere(), 3),
    (geoopt.SphereExact(), 4),
    (geoopt.Sphere(intersection=SUBSPACE), 4),
    (geoopt.Euclidean(1), 3),
    (geoopt.SymmetricPositiveDefinite(), (3, 3)),
    (geoopt.Scaled(geoopt.PoincareBall(0.5), 3.0), 2),
    (geoopt.ProductManifold((geoopt.Lorentz(3.0), 3), (geoopt.Sphere(), (2, 3))), None),
]


@pytest.mark.parametrize(("source", "shape"), DISTANCES, ids=repr)
def test_distance_and_exponential_map_are_geoopts(source, shape, generator):
    """On the very coordinates, in float64, at moderate distances, where geoopt is accurate."""
    source = copy.deepcopy(source).double()
    manifold = ne.from_geoopt(source, shape)
    x = manifold.random(8, generator=generator, dtype=torch.float64)
    u = 0.5 * manifold.random_tangent(x, generator=generator)
    y = manifold.expmap(x, u)
    torch.testing.assert_close(manifold.dist(x, y), source.dist(x, y), rtol=1e-6, atol=1e-7)
    scale = manifold.scale() if hasattr(manifold, "scale") else 1.0  # geoopt's vectors are longer
    torch.testing.assert_close(y, source.expmap(x, scale * u), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(
        manifold.logmap(x, y), source.logmap(x, y) / scale, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", ["euclidean", "exact", "birkhoff"])
def test_retraction_is_geoopts(name, generator):
    manifold = ADAPTED[name]
    x = manifold.random(4, generator=generator, dtype=torch.float64)
    u = 0.1 * manifold.random_tangent(x, generator=generator)
    theirs = manifold.source.retr(x, u)
    torch.testing.assert_close(
        manifold.retr(x, u), theirs, rtol=0, atol=1e-4 if name == "birkhoff" else 1e-10
    )


def test_canonical_retraction_follows_the_vector(generator):
    """geoopt's does not: its Cayley transform turns twice as far within the span of the columns."""
    manifold = ADAPTED["canonical"]
    x = manifold.random(generator=generator, dtype=torch.float64)
    u = manifold.random_tangent(x, generator=generator)
    step = 1e-6
    torch.testing.assert_close((manifold.retr(x, step * u) - x) / step, u, rtol=0, atol=1e-5)
    assert ((manifold.source.retr(x, step * u) - x) / step - u).abs().max() > 0.1


@pytest.mark.parametrize("name", ["upper half", "bounded"])
def test_siegel_metric_is_that_of_the_distance(name, generator):
    """|u| is the derivative of geoopt's distance along the retraction."""
    manifold = ADAPTED[name]
    x = manifold.random(4, generator=generator, dtype=torch.float64)
    u = manifold.random_tangent(x, generator=generator)
    step = 1e-4
    z, w = (torch.view_as_complex(p.contiguous()) for p in (x, manifold.retr(x, step * u)))
    speed = manifold.source.dist(z, w) / step
    torch.testing.assert_close(manifold.norm(x, u), speed, rtol=1e-3, atol=0)


def test_siegel_models_are_isometric(generator):
    """The Cayley transform keeps inner products."""
    disc, half = ADAPTED["bounded"], ADAPTED["upper half"]
    x = disc.random(4, generator=generator, dtype=torch.float64)
    u = disc.random_tangent(x, generator=generator)

    def cayley(x):
        return torch.view_as_real(cayley_transform(torch.complex(x[..., 0], x[..., 1])))

    y, moved = torch.func.jvp(cayley, (x,), (u,))
    torch.testing.assert_close(half.inner(y, moved), disc.inner(x, u))


# -- conversion ------------------------------------------------------------------------------------


def test_known_manifolds_are_ours():
    pairs = [
        (geoopt.PoincareBall(2.0), 3, ne.PoincareBall(3, -2.0)),
        (geoopt.SphereProjection(0.5), 3, ne.SphereProjection(3, 0.5)),
        (geoopt.Stereographic(0.25), 3, ne.Stereographic(3, 0.25)),
        (geoopt.Lorentz(4.0), 3, ne.Lorentz(2, -0.25)),
        (geoopt.Sphere(), 3, ne.Sphere(2)),
        (geoopt.Euclidean(1), (3,), ne.Euclidean(3)),
    ]
    for source, shape, expected in pairs:
        assert ne.from_geoopt(source, shape).same_as(expected), source
    sources = [(source, shape) for source, shape, _ in pairs]
    product = ne.from_geoopt(geoopt.ProductManifold(*sources))
    assert product.same_as(ne.Product(*(expected for *_, expected in pairs)))
    assert type(ne.from_geoopt(*SOURCES["ball"])) is ne.PoincareBall


@pytest.mark.parametrize("name", SOURCES)
def test_there_and_back(name):
    source, shape = SOURCES[name]
    assert ne.from_geoopt(source, shape) is ADAPTED[name]
    assert ne.to_geoopt(ADAPTED[name]) is source


@pytest.mark.parametrize("signature", ["H3(-0.5)*", "B2", "S2(2)", "E3", "H2 x S2"])
def test_back_and_there(signature):
    manifold = ne.manifold(signature)
    theirs = ne.to_geoopt(manifold)
    assert isinstance(theirs, geoopt.Manifold)
    assert ne.to_geoopt(manifold) is theirs
    assert ne.from_geoopt(theirs) is manifold
    copied = pickle.loads(pickle.dumps(copy.deepcopy(theirs)))
    assert copied.manifold.same_as(manifold)
    assert [*theirs.parameters()] == [*manifold.parameters()]


@pytest.mark.parametrize("name", ["ball", "hyperboloid", "stereographic", "projected sphere"])
def test_curvature_is_one_tensor(name):
    source, shape = copy.deepcopy(SOURCES[name][0]), SOURCES[name][1]
    manifold = ne.from_geoopt(source, shape)
    assert list(map(id, manifold.parameters())) == list(map(id, source.parameters()))
    before = float(manifold.curvature)
    with torch.no_grad():
        next(source.parameters()).add_(0.3)
    assert float(manifold.curvature) != before
    x, y = (manifold.random(3, dtype=torch.float64) for _ in range(2))
    torch.testing.assert_close(manifold.dist(x, y), source.dist(x, y), rtol=1e-5, atol=1e-6)
    if name == "hyperboloid":  # geoopt's derivative holds the time entry, which K determines
        return
    ours, theirs = (
        torch.autograd.grad(m.dist(x, y).sum(), [*m.parameters()])[0] for m in (manifold, source)
    )
    torch.testing.assert_close(ours, theirs.to(ours), rtol=1e-4, atol=1e-5)


def test_exchanged_parameters_are_seen():
    """`load_state_dict(assign=True)` gives geoopt's manifold another tensor, and so ours."""
    source = geoopt.PoincareBall(2.0, learnable=True)
    before = ne.from_geoopt(source, 3)
    source.load_state_dict(geoopt.PoincareBall(0.5, learnable=True).state_dict(), assign=True)
    after = ne.from_geoopt(source, 3)
    assert after is not before
    assert after.same_as(ne.from_geoopt(geoopt.PoincareBall(0.5, learnable=True), 3))


def test_fixed_curvatures_that_are_loaded_are_seen():
    source = geoopt.Lorentz(2.0)
    assert ne.from_geoopt(source, 3).same_as(ne.Lorentz(2, -0.5))
    source.load_state_dict(geoopt.Lorentz(4.0).state_dict())
    assert ne.from_geoopt(source, 3).same_as(ne.Lorentz(2, -0.25))
    source.requires_grad_(True)
    assert list(map(id, ne.from_geoopt(source, 3).parameters())) == [id(source.k)]


def test_pickled_geoopt_manifolds_do_not_need_us():
    source = geoopt.PoincareBall(2.0)
    ne.from_geoopt(source, 3)
    assert b"noneuclid" not in pickle.dumps(source).replace(b"_noneuclid_links", b"")
    assert ne.from_geoopt(pickle.loads(pickle.dumps(source)), 3).same_as(ne.PoincareBall(3, -2.0))


def test_what_is_refused():
    with pytest.raises(ValueError, match="give it: from_geoopt"):
        ne.from_geoopt(geoopt.Sphere())
    with pytest.raises(ValueError, match=r"n >= p"):
        ne.from_geoopt(geoopt.Stiefel(), (2, 3))
    with pytest.raises(ValueError, match="square"):
        ne.from_geoopt(geoopt.BirkhoffPolytope(), (2, 3))
    with pytest.raises(ValueError, match="vectors"):
        ne.from_geoopt(geoopt.Sphere(), (2, 3))
    with pytest.raises(TypeError, match="geoopt manifold"):
        ne.from_geoopt(ne.Sphere(2), 3)
    with pytest.raises(TypeError, match="noneuclid manifold"):
        ne.to_geoopt(geoopt.Sphere())


class Shifted(geoopt.Sphere):
    """A manifold of a user's own: his retraction goes half as far."""

    def retr(self, x, u):
        return self.projx(x + u / 2)


def test_unknown_classes_are_called(generator):
    manifold = ne.from_geoopt(Shifted(), 3)
    assert manifold.dim == 2
    x = manifold.random(4, generator=generator)
    assert torch.equal(x, manifold.random(4, generator=torch.Generator().manual_seed(1)))
    u = manifold.random_tangent(x, generator=generator)
    expected = ne.Sphere(2).projx(x + u / 2)
    torch.testing.assert_close(manifold.retr(x, u), expected)
    assert manifold.retr(x[:, None], u[None]).shape == (4, 4, 3)


def test_geoopt_is_not_imported():
    """Neither by the package nor by `manifold_of` of our own parameters."""
    code = (
        "import sys, torch, noneuclid as ne\n"
        "p = ne.ManifoldParameter(ne.Sphere(2).random(3), ne.Sphere(2))\n"
        "assert ne.manifold_of(p) is not None and ne.manifold_of(torch.zeros(2)) is None\n"
        "assert 'geoopt' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# -- parameters and optimizers ---------------------------------------------------------------------


def test_manifold_of_a_geoopt_parameter():
    source = geoopt.Stiefel()
    wide = geoopt.ManifoldParameter(torch.eye(4)[:, :2], manifold=source)
    again = geoopt.ManifoldParameter(torch.eye(4)[:, :2].expand(5, 4, 2), manifold=source)
    assert ne.manifold_of(wide) is ne.from_geoopt(source, (4, 2))
    assert ne.manifold_of(again) is ne.manifold_of(wide)
    line = geoopt.ManifoldParameter(torch.zeros(2, 5))
    assert ne.manifold_of(line).same_as(ne.Euclidean(5))
    assert ne.manifold_of(geoopt.ManifoldParameter(torch.tensor(1.0))) is None
    assert ne.manifold_of(geoopt.ManifoldTensor(torch.eye(2), manifold=source)).dim == 1
    z = torch.zeros(2, 2, dtype=torch.complex64)
    parameter = geoopt.ManifoldParameter(z, manifold=geoopt.BoundedDomain())
    with pytest.raises(TypeError, match="view_as_real"):
        ne.manifold_of(parameter)


class Holder(nn.Module):
    """A module with a geoopt parameter on a learnable ball."""

    def __init__(self):
        super().__init__()
        self.ball = geoopt.PoincareBall(2.0, learnable=True)
        self.point = geoopt.ManifoldParameter(torch.full((4, 3), 0.1), manifold=self.ball)


def test_geoopt_parameters_are_copied_and_loaded():
    module = Holder()
    ne.manifold_of(module.point)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert type(other.point) is geoopt.ManifoldParameter
        assert other.point.manifold is other.ball
        assert ne.manifold_of(other.point).curvature.raw is other.ball.isp_c
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other = Holder()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert ne.manifold_of(other.point).same_as(ne.manifold_of(module.point))


TRAINED = {
    "ball": (geoopt.PoincareBall(2.0), 3),
    "hyperboloid": (geoopt.Lorentz(2.0), 4),
    "sphere": (geoopt.Sphere(), 4),
    "canonical": (geoopt.Stiefel(), (4, 2)),
    "euclidean": (geoopt.Stiefel(canonical=False), (4, 2)),
    "definite": (geoopt.SymmetricPositiveDefinite(), (3, 3)),
}


def step_until_near(optimizer, parameter, target):
    """Take 60 steps; return by which factor the squared ambient distance has fallen."""
    first = (parameter - target).square().sum().item()
    for _ in range(60):
        optimizer.zero_grad()
        (parameter - target).square().sum().backward()
        optimizer.step()
    return (parameter - target).square().sum().item() / first


@pytest.mark.parametrize("kind", ["adam", "momentum"])
@pytest.mark.parametrize("name", TRAINED)
def test_geoopts_optimizers_train_our_manifolds(name, kind):
    manifold = ne.from_geoopt(*TRAINED[name])
    target, start = manifold.random(2, dtype=torch.float64)
    wrapped = _outgoing.wrap(manifold)  # to_geoopt would give the original
    parameter = geoopt.ManifoldParameter(start.clone(), manifold=wrapped)
    if kind == "adam":
        optimizer = geoopt.optim.RiemannianAdam([parameter], lr=0.1)
    else:
        optimizer = geoopt.optim.RiemannianSGD([parameter], lr=0.02, momentum=0.9)
    assert step_until_near(optimizer, parameter, target) < 0.2
    assert bool(manifold.check_point(parameter.detach()))


@pytest.mark.parametrize("name", TRAINED)
def test_geoopts_sgd_takes_our_step(name):
    manifold = ne.from_geoopt(*TRAINED[name])
    x, target = manifold.random(2, dtype=torch.float64)
    parameter = geoopt.ManifoldParameter(x.clone(), manifold=_outgoing.wrap(manifold))
    (parameter * target).sum().backward()
    geoopt.optim.RiemannianSGD([parameter], lr=0.1).step()
    expected = manifold.retr(x, -0.1 * manifold.egrad2rgrad(x, target))
    assert torch.equal(parameter.data, expected)


@pytest.mark.parametrize("kind", ["adam", "momentum"])
@pytest.mark.parametrize("name", TRAINED)
def test_our_optimizers_train_geoopts_parameters(name, kind):
    source, shape = TRAINED[name]
    manifold = ne.from_geoopt(source, shape)
    target, start = manifold.random(2, dtype=torch.float64)
    parameter = geoopt.ManifoldParameter(start.clone(), manifold=source)
    twin = ne.ManifoldParameter(start.clone(), manifold)
    for each in (parameter, twin):
        if kind == "adam":
            optimizer = RiemannianAdam([each], lr=0.1)
        else:
            optimizer = RiemannianSGD([each], lr=0.02, momentum=0.9)
        assert step_until_near(optimizer, each, target) < 0.2
    assert type(parameter) is geoopt.ManifoldParameter
    assert bool(manifold.check_point(parameter.detach()))
    assert torch.equal(parameter.data, twin.data)


def test_our_optimizer_learns_geoopts_curvature():
    """One step moves geoopt's own parameter; a manifold that it is not given is warned of."""
    module = Holder()
    before = module.ball.isp_c.item()
    optimizer = RiemannianSGD(module.parameters(), lr=0.1)
    ne.manifold_of(module.point).dist0(module.point).sum().backward()
    optimizer.step()
    assert module.ball.isp_c.item() != before
    assert bool(ne.manifold_of(module.point).check_point(module.point.detach()).all())
    with pytest.warns(UserWarning, match="was not given"):
        RiemannianSGD([module.point], lr=0.1)


def test_the_guide_runs():
    """The code of docs/geoopt.md, in one piece."""
    page = Path(__file__).resolve().parents[2] / "docs" / "geoopt.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    names = {}
    for block in blocks:
        exec(block, names)
    assert names["x"].shape == (100, 5, 2)
    assert repr(names["B"]) == "PoincareBall(3, curvature=-2, learnable=True)"
