"""Every public manifold obeys every law of its tier, in float32 and float64."""

import inspect
import shutil

import pytest
import torch

import noneuclid as ne
from noneuclid.manifolds import Manifold
from noneuclid.testing import LawViolation, check_manifold, manifold_laws
from noneuclid.testing.laws_torch import compiled_equals_eager

INSTANCES = [
    ne.Euclidean(1),
    ne.Euclidean(4),
    ne.Lorentz(1, -100.0),
    ne.Lorentz(4),
    ne.Lorentz(3, -0.5, learnable=True),
    ne.PoincareBall(1, -1e-4),
    ne.PoincareBall(4),
    ne.PoincareBall(3, -3.0, learnable=True),
    ne.Sphere(1, 50.0),
    ne.Sphere(3),
    ne.Sphere(2, 0.01, learnable=True),
    ne.SphereProjection(1, 20.0),
    ne.SphereProjection(3, 0.7, learnable=True),
    ne.Stereographic(1, -2.0),
    ne.Stereographic(3, 0.0, learnable=True),
    ne.Stereographic(2, 1.5, learnable=True),
    ne.manifold("H3 x S2(2.0) x E2"),
    ne.manifold("K2(0)* x B1(-3) x H2(-0.1)*"),
]
ONE_PER_FAMILY = {type(manifold): manifold for manifold in INSTANCES}


def concrete_manifolds() -> set[type]:
    """Return the public classes of the package that are finished manifolds."""
    found = (getattr(ne, name) for name in ne.__all__)
    return {
        thing
        for thing in found
        if inspect.isclass(thing) and issubclass(thing, Manifold) and not inspect.isabstract(thing)
    }


def marks(name: str, manifold: Manifold) -> list:
    """Graph capture takes long: one instance a family is compiled in the gate, one exported.

    So do Hessians in forward over reverse mode: two families; gradgradcheck is in the gate for all.
    """
    again = name == "compiles_in_one_graph" and manifold is not ONE_PER_FAMILY[type(manifold)]
    again |= name == "exports" and manifold is not ONE_PER_FAMILY[ne.Product]
    hessian_families = (ne.Lorentz, ne.Stereographic)
    again |= name == "hessians_are_right" and not any(
        manifold is ONE_PER_FAMILY[family] for family in hessian_families
    )
    return [pytest.mark.slow] if again else []


def cases() -> list:
    return [
        pytest.param(
            manifold,
            dtype,
            check,
            id=f"{name}-{manifold!r}-{str(dtype)[6:]}",
            marks=marks(name, manifold),
        )
        for manifold in INSTANCES
        for dtype in (torch.float32, torch.float64)
        for name, check in manifold_laws(manifold, dtype)
    ]


@pytest.mark.parametrize(("manifold", "dtype", "check"), cases())
def test_law(manifold, dtype, check, generator):
    check(manifold, dtype, generator)


def test_every_public_manifold_is_tested_twice():
    """The classes under test are the classes exported, each in at least two shapes."""
    counts = {cls: sum(type(m) is cls for m in INSTANCES) for cls in concrete_manifolds()}
    assert set(ONE_PER_FAMILY) == concrete_manifolds()
    assert min(counts.values()) >= 2, counts
    assert {m.dim for m in INSTANCES} >= {1, 2, 3, 4}
    for cls in concrete_manifolds() - {ne.Euclidean}:
        assert any(list(m.parameters()) for m in INSTANCES if type(m) is cls), cls


@pytest.mark.slow
@pytest.mark.parametrize("manifold", ONE_PER_FAMILY.values(), ids=repr)
def test_inductor_equals_eager(manifold, dtype, generator):
    """The compiler's own code, not only its graph, gives the eager numbers."""
    if not any(shutil.which(name) for name in ("g++", "c++", "clang++")):
        pytest.skip("no C++ compiler on the path: inductor cannot build its kernels")
    compiled_equals_eager(manifold, dtype, generator, "inductor")


def test_check_manifold_names_what_is_broken(monkeypatch):
    """A violation says which law, which manifold, which dtype, the numbers and the worst index."""
    monkeypatch.setattr(ne.Sphere, "_transp", lambda self, x, y, v: self._proju(y, v + 0 * x))
    with pytest.raises(LawViolation, match=r"maps_at_the_origin_are_the_generic_ones") as caught:
        check_manifold(ne.Sphere(2), torch.float64)
    for word in ("Sphere(2, curvature=1)", "torch.float64", "exceeds", "at index"):
        assert word in str(caught.value)


def test_laws_depend_on_the_tier():
    names = {name for name, _ in manifold_laws(ne.Euclidean(2))}
    assert "transport_is_parallel" in names
    assert "curvature_scales" not in names
    assert "log_is_shorter_beyond_the_injectivity_radius" not in names
    sphere = {name for name, _ in manifold_laws(ne.Sphere(2))}
    assert {"curvature_scales", "log_is_shorter_beyond_the_injectivity_radius"} <= sphere
    single = {name for name, _ in manifold_laws(ne.Sphere(2), torch.float32)}
    assert "gradients_are_right" in sphere - single
