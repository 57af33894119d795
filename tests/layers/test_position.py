"""Positions: rotations that are motions and see differences of places; learned translations."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import Chain, HopePosition, LearnedPosition
from noneuclid.layers._normal import from_normal, to_normal

SIGNATURES = ["E5", "H5(-0.7)", "B5(-4)", "S5(2)", "P4", "K4(0)", "H3 x S2(0.5) x E1"]
every_signature = pytest.mark.parametrize("signature", SIGNATURES)


def _same_everywhere(m: ne.HomogeneousManifold, length: int) -> torch.Tensor:
    """Return one random point at every place: (length, S)."""
    c = 0.5 * torch.randn(m.dim, dtype=torch.float64)
    return from_normal(m, c).expand(length, -1)


@every_signature
def test_what_two_places_see_depends_on_their_difference(signature: str) -> None:
    """Inner products and distances between i and j are those between i + 3 and j + 3."""
    m = ne.manifold(signature)
    layer = HopePosition(m, base=50.0)
    q, k = layer(_same_everywhere(m, 8)), layer(_same_everywhere(m, 8))
    inner = to_normal(m, q) @ to_normal(m, k).mT
    distances = m.cdist(q, k)
    for table in (inner, distances):
        torch.testing.assert_close(table[3:, 3:], table[:-3, :-3], rtol=1e-10, atol=1e-10)
    if m.dim > 1:
        assert (distances[0, 1:] - distances[0, 0]).abs().min() > 1e-6


@every_signature
def test_a_rotation_is_a_motion(signature: str) -> None:
    """At one place all distances stay, and at every place those from the origin do."""
    m = ne.manifold(signature)
    x, y = (from_normal(m, torch.randn(6, m.dim, dtype=torch.float64)) for _ in range(2))
    layer = HopePosition(m)
    torch.testing.assert_close(m.dist(layer(x), layer(y)), m.dist(x, y))
    torch.testing.assert_close(m.dist0(layer(x)), m.dist0(x))
    assert layer(x)[0].equal(x[0])


def test_the_time_coordinate_is_untouched() -> None:
    """On the hyperboloid it is the same number, at radius 15 in float32."""
    H = ne.Lorentz(4)
    x = H.expmap0(H.from_frame(torch.full((3, 4), 7.5)))
    y = HopePosition(H)(x)
    assert y[:, 0].equal(x[:, 0])
    assert not y[1:, 1:].equal(x[1:, 1:])


def test_the_last_coordinate_of_an_odd_dimension_stays() -> None:
    """In each factor; a factor of dimension 1 is left alone."""
    P = ne.manifold("H3 x E1 x S5")
    x = P.random(7)
    moved = (HopePosition(P)(x) != x).any(0)
    assert moved.tolist() == [False, True, True, False, False, False, *[True] * 4, False]


@pytest.mark.parametrize("layer", [HopePosition, lambda m: LearnedPosition(m, 12)])
@pytest.mark.parametrize("signature", ["H4", "K4(0.5)", "H3 x S2"])
def test_given_places(signature: str, layer: type) -> None:
    """Places may be given: a part of a sequence, or other ones for every row."""
    m = ne.manifold(signature)
    made, x = layer(m), m.random(2, 9)
    places = torch.arange(9)
    torch.testing.assert_close(made(x[:, 4:], positions=places[4:]), made(x)[:, 4:])
    both = torch.stack([places, places.flip(0)])
    expected = torch.stack([made(x[0]), made(x[1].flip(0)).flip(0)])
    torch.testing.assert_close(made(x, positions=both), expected)


def test_far_places_stay_apart() -> None:
    """The angles of place 2^24 + 1 are not those of 2^24."""
    x = torch.ones(2, 2)
    y = HopePosition(ne.Euclidean(2))(x, positions=torch.tensor([2**24, 2**24 + 1]))
    angle = torch.atan2(y[:, 1], y[:, 0])
    torch.testing.assert_close(
        (angle[1] - angle[0]).remainder(2 * torch.pi).item(), 1.0, rtol=1e-4, atol=0
    )


def test_chain_takes_the_tangent_form() -> None:
    """Inside a chain coordinates are turned, which is the same map."""
    P = ne.manifold("H3 x S2 x E2").double()
    steps = [HopePosition(P), LearnedPosition(P, 5).double()]
    x = P.random(2, 4, dtype=torch.float64)
    torch.testing.assert_close(Chain(*steps)(x), steps[1](steps[0](x)), rtol=1e-9, atol=1e-9)


def test_refusals() -> None:
    """Sequences longer than the table, tables without a row, bases that are no scale."""
    H = ne.Lorentz(3)
    with pytest.raises(ValueError, match="6 points is longer than max_length=5"):
        LearnedPosition(H, 5)(H.random(2, 6))
    with pytest.raises(ValueError, match="max_length must be at least 1, got 0"):
        LearnedPosition(H, 0)
    with pytest.raises(ValueError, match="base must be a positive number"):
        HopePosition(H, base=0.0)


def test_fresh_points_are_marked_and_near() -> None:
    """They move points by a tenth of the radius of activations."""
    H = ne.Lorentz(16, -4.0)
    layer = LearnedPosition(H, 400)
    assert ne.manifold_of(layer.weight) is H
    radius = H.dist0(layer.weight).square().mean().sqrt().item()
    assert radius == pytest.approx(0.05, rel=0.1)
