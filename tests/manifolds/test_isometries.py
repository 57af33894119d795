"""Maps between models: distances, tangent maps, inverses, errors."""

import itertools

import pytest
import torch

import noneuclid as ne
from noneuclid.manifolds.isometries import _REGISTRY
from noneuclid.numerics import tolerance
from noneuclid.testing.samples import resolution

_SIGN = {ne.Lorentz: -1, ne.PoincareBall: -1, ne.Sphere: 1, ne.SphereProjection: 1}


def _curvature(source, target):
    signs = {_SIGN[cls] for cls in (source, target) if cls in _SIGN}
    return next(iter(signs), 0) * 0.7


def _build(cls, dim, curvature):
    if cls is ne.Euclidean:
        return cls(dim)
    if cls is ne.Product:
        return None
    return cls(dim, curvature)


PAIRS = [
    (_build(a, dim, _curvature(a, b)), _build(b, dim, _curvature(a, b)))
    for (a, b), dim in itertools.product(_REGISTRY, (1, 3))
    if ne.Product not in (a, b)
]
PAIRS.append((ne.manifold("H2 x S2 x E1"), ne.manifold("B2 x P2 x K1(0)")))


def test_all_pairs_of_a_geometry_are_registered():
    for family in (
        (ne.Lorentz, ne.PoincareBall, ne.Stereographic),
        (ne.Sphere, ne.SphereProjection, ne.Stereographic),
        (ne.Euclidean, ne.Stereographic),
    ):
        assert set(itertools.permutations(family, 2)) <= set(_REGISTRY)


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=repr)
def test_isometry(source, target, dtype, generator):
    to, back = ne.isometry(source, target), ne.isometry(target, source)
    x, y = (source.random(16, generator=generator, dtype=dtype) for _ in range(2))
    a, b = to(x), to(y)
    assert a.dtype == dtype
    assert a.shape == (16, *target.point_shape)
    assert target.check_point(a).all()
    error = 16 * (resolution(source, x, y) + resolution(target, a, b))
    d = source.dist(x, y)
    assert ((target.dist(a, b) - d).abs() <= tolerance(dtype) * d + error).all()
    assert (source.dist(back(a), x) <= error).all()
    origin = to(source.origin(dtype=dtype))
    assert torch.equal(origin, target.origin(dtype=dtype))


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=repr)
def test_tangent_map(source, target, generator):
    """It keeps lengths, and exp after it is the map after exp; frames go to frames."""
    to = ne.isometry(source, target)
    x = source.random(8, generator=generator, dtype=torch.float64)
    v = 0.3 * source.random_tangent(x, generator=generator)
    image = to.tangent(x, v)
    assert target.check_vector(to(x), image).all()
    torch.testing.assert_close(target.norm(to(x), image), source.norm(x, v), rtol=1e-9, atol=1e-12)
    gap = target.dist(target.expmap(to(x), image), to(source.expmap(x, v)))
    assert (gap < 1e-8).all()
    frame = torch.eye(source.dim, dtype=torch.float64)
    moved = to.tangent(source.origin(dtype=torch.float64), source.from_frame(frame))
    torch.testing.assert_close(target.to_frame(moved), frame)


def test_far_points_keep_their_radius():
    """A hyperboloid point at radius 12 becomes a float32 ball point at radius 12."""
    source, target = ne.Lorentz(2), ne.PoincareBall(2)
    x = source.expmap0(torch.tensor([[0.0, 12.0, 0.0]]))
    image = ne.isometry(source, target)(x)
    # one bit of the ball's coordinate is 6e-8 e^12 / 4 = 2.5e-3 in distance
    assert abs(float(target.dist0(image)) - 12) < 5e-3


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        (ne.Lorentz(3), ne.PoincareBall(4), "dimensions 3 and 4"),
        (ne.Lorentz(3), ne.PoincareBall(3, -2.0), "curvatures -1 and -2"),
        (ne.Lorentz(3), ne.Lorentz(3, -2.0), "not isometric"),
        (ne.Lorentz(3), ne.Sphere(3), "no isometry from Lorentz to Sphere"),
        (ne.Stereographic(3, 1.0), ne.Lorentz(3), "curvatures 1 and -1"),
        (ne.Euclidean(3), ne.Stereographic(3, 0.5), "curvatures 0 and 0.5"),
    ],
)
def test_errors(source, target, words):
    with pytest.raises(ValueError, match=words):
        ne.isometry(source, target)


def test_products_need_as_many_factors():
    with pytest.raises(ValueError, match=r"factors|argument"):
        ne.isometry(ne.manifold("H2 x H2"), ne.manifold("B2 x B1 x B1"))


def test_registering():
    with pytest.raises(TypeError, match="manifold classes"):
        ne.register_isometry(int, ne.Lorentz)
    with pytest.raises(ValueError, match="is registered"):
        ne.register_isometry(ne.Lorentz, ne.PoincareBall)
    with pytest.raises(ValueError, match=r"\(\*, 4\)"):
        ne.isometry(ne.Lorentz(3), ne.PoincareBall(3))(torch.zeros(2, 3))


def test_random_isometries_differ_and_repeat():
    manifold = ne.Lorentz(3)
    x = manifold.random(4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    images = [
        manifold.random_isometry(torch.Generator().manual_seed(seed))(x) for seed in (1, 1, 2)
    ]
    assert torch.equal(images[0], images[1])
    assert (manifold.dist(images[0], images[2]) > 1e-3).any()
