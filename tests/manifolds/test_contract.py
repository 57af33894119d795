"""The contract of a manifold class: final methods, abstract tiers, private formulas."""

import inspect

import pytest
import torch

import noneuclid as ne

TIERS = (ne.Manifold, ne.GeodesicManifold, ne.HomogeneousManifold)
FINAL = sorted(
    name
    for tier in TIERS
    for name, member in vars(tier).items()
    if getattr(member, "__final__", False)
)


def test_public_methods_are_final():
    """Every public method of a tier that has a formula of the same name is final."""
    for tier in TIERS:
        for name, member in vars(tier).items():
            if inspect.isfunction(member) and hasattr(tier, f"_{name}"):
                assert getattr(member, "__final__", False), f"{tier.__name__}.{name}"
    for name in ("expmap", "logmap", "dist", "dist2", "cdist", "transp", "expmap0", "norm"):
        assert name in FINAL


@pytest.mark.parametrize("name", FINAL)
@pytest.mark.parametrize("base", [ne.HomogeneousManifold, ne.SpaceForm], ids=lambda b: b.__name__)
def test_overriding_a_final_method_is_an_error(name, base):
    with pytest.raises(TypeError, match=rf"Mine\.{name} overrides .* supply .* Mine\._{name} "):
        type("Mine", (base,), {name: lambda self, *tensors: tensors[0]})


@pytest.mark.parametrize("cls", [ne.Euclidean, ne.Sphere, ne.PoincareBall, ne.Product])
def test_concrete_classes_are_final(cls):
    with pytest.raises(TypeError, match=f"Mine subclasses {cls.__name__}, which is final; wrap it"):
        type("Mine", (cls,), {})


def test_formulas_may_be_supplied():
    mine = type("Mine", (ne.HomogeneousManifold,), {"_expmap": lambda self, x, u, dtype: x + u})
    assert inspect.isabstract(mine)


@pytest.mark.parametrize("tier", TIERS)
def test_tiers_are_abstract(tier):
    assert inspect.isabstract(tier)
    with pytest.raises(TypeError, match="abstract"):
        tier()


def test_a_lower_tier_has_no_higher_methods():
    """A capability is a type: what a tier lacks is absent, not an error when called."""
    assert not hasattr(ne.Manifold, "expmap")
    assert not hasattr(ne.GeodesicManifold, "expmap0")
    assert hasattr(ne.HomogeneousManifold, "transp0back")


@pytest.mark.parametrize("method", ["dist", "expmap", "transp", "projx"])
def test_messages_say_what_to_do(method):
    manifold = ne.Lorentz(16)
    wrong = [torch.zeros(3, 16)] * {"projx": 1, "transp": 3}.get(method, 2)
    with pytest.raises(
        ValueError, match=r"Lorentz expects .* \(\*, 17\), got \(3, 16\); put batch"
    ):
        getattr(manifold, method)(*wrong)
    whole = [torch.zeros(3, 17, dtype=torch.int32)] * len(wrong)
    with pytest.raises(TypeError, match=r"floating-point .* torch.int32; convert"):
        getattr(manifold, method)(*whole)


def test_products_check_their_factors():
    with pytest.raises(ValueError, match="at least one factor"):
        ne.Product()
    with pytest.raises(TypeError, match="origin, got Linear"):
        ne.Product(torch.nn.Linear(2, 2))
    product = ne.manifold("H2 x E3")
    with pytest.raises(ValueError, match="join expects 2 parts, got 1"):
        product.join([torch.zeros(3)])
    with pytest.raises(ValueError, match="dim >= 2, got 1"):
        product.like(1)


def test_products_split_and_join(generator):
    product = ne.manifold("H2 x S1 x E3")
    x = product.random(2, 4, generator=generator)
    parts = product.split(x)
    assert [part.shape[-1] for part in parts] == [3, 2, 3]
    assert torch.equal(product.join(parts), x)
    assert all(f.check_point(p).all() for f, p in zip(product.factors, parts, strict=True))
    assert [factor.dim for factor in product.like(8).factors] == [3, 3, 2]
    y = product.random(2, 4, generator=generator)
    squares = [
        f.dist2(p, q) for f, p, q in zip(product.factors, parts, product.split(y), strict=True)
    ]
    torch.testing.assert_close(product.dist2(x, y), sum(squares))


def test_gyrovector_identities(generator):
    """Left cancellation, scalar law, gyration and coaddition, on K of each sign."""
    for manifold in (ne.PoincareBall(3), ne.Stereographic(3, 0.0), ne.SphereProjection(3, 0.1)):
        x, y, z = (manifold.random(8, generator=generator, dtype=torch.float64) / 3 for _ in "xyz")
        add = manifold.mobius_add
        torch.testing.assert_close(add(-x, add(x, y)), y)
        turned = manifold.gyration(x, y, z)
        torch.testing.assert_close(add(x, add(y, z)), add(add(x, y), turned))
        torch.testing.assert_close(manifold.coadd(x, y), manifold.coadd(y, x))
        torch.testing.assert_close(manifold.mobius_scalar_mul(2.0, x), add(x, x))
        torch.testing.assert_close(manifold.mobius_matvec(2 * torch.eye(3).double(), x), add(x, x))
        torch.testing.assert_close(
            manifold.lambda_x(x) ** 2 * (z * z).sum(-1), manifold.inner(x, z)
        )
        wide = manifold.mobius_matvec(torch.ones(5, 3).double(), x)
        assert wide.shape == (8, 5)


def test_autocast_rounds_nothing():
    """A product under autocast would come out in 16 bits."""
    ball = ne.PoincareBall(3)
    x, matrix = ball.random(4), torch.eye(3) * 0.5
    motion = ball.random_isometry(dtype=torch.float32)
    expected = ball.mobius_matvec(matrix, x), motion(x)
    with torch.autocast("cpu", torch.bfloat16):
        came = ball.mobius_matvec(matrix, x), motion(x)
    assert all(torch.equal(a, b) for a, b in zip(came, expected, strict=True))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ne.Lorentz(3, torch.tensor(-1.0)), TypeError, "learnable=True"),
        (lambda: ne.Lorentz(3, ne.Lorentz(2).curvature, learnable=True), ValueError, "contradicts"),
        (lambda: ne.Lorentz(True), ValueError, "integer dim"),
        (lambda: ne.PoincareBall(2).dist(None, torch.zeros(2)), TypeError, "expects tensors"),
        (
            lambda: ne.manifold("H3 x B3").join([torch.zeros(3), torch.zeros(4)]),
            ValueError,
            "widths",
        ),
        (
            lambda: ne.Sphere(2).midpoint(torch.ones(4, 3), torch.ones(3)),
            ValueError,
            "expects weights",
        ),
        (
            lambda: ne.PoincareBall(2).mobius_matvec(torch.eye(3), torch.zeros(2)),
            ValueError,
            "matrix",
        ),
        (lambda: ne.Checked(None), TypeError, "manifold"),
    ],
)
def test_bad_arguments_get_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_pure_time_vector_is_not_tangent():
    H = ne.Lorentz(3)
    assert not H.check_vector(H.origin(), torch.tensor([5.0, 0.0, 0.0, 0.0]))
