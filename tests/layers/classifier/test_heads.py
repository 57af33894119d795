"""What the laws of layers do not say of classifier heads: choice, clipping, loss, directions."""

import math

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import (
    BusemannClassifier,
    HyperplaneClassifier,
    IdealPrototypeClassifier,
    PrototypeClassifier,
    make_classifier,
)
from noneuclid.layers.classifier._separated import separated_directions
from noneuclid.layers.classifier.ideal import retreat
from noneuclid.optim import RiemannianSGD

HEADS = {
    "hyperplane": HyperplaneClassifier,
    "busemann": BusemannClassifier,
    "prototype": PrototypeClassifier,
    "ideal": IdealPrototypeClassifier,
}


def around(manifold, radius, count=6):
    c = torch.randn(count, manifold.dim, dtype=torch.float64)
    c = radius * c / c.norm(dim=-1, keepdim=True)
    return manifold.expmap0(manifold.from_frame(c))


@pytest.mark.parametrize("name", HEADS)
def test_heads_by_name(name):
    head = make_classifier(ne.Lorentz(3), 4, head=name, clip=1.5)
    assert type(head) is HEADS[name]
    assert head(ne.Lorentz(3).random(2, 5)).shape == (2, 5, 4)
    assert head(ne.Lorentz(3).random()).shape == (4,)
    assert "classes=4, clip=1.5" in repr(head)


def test_what_is_refused():
    with pytest.raises(ValueError, match="hyperplane, busemann, prototype, ideal, got 'linear'"):
        make_classifier(ne.Lorentz(3), 4, head="linear")
    with pytest.raises(ValueError, match="at least one class, got 0"):
        BusemannClassifier(ne.Lorentz(3), 0)
    with pytest.raises(ValueError, match="clip is a distance > 0 or None, got -1"):
        PrototypeClassifier(ne.Lorentz(3), 2, clip=-1.0)
    with pytest.raises(ValueError, match="those of 3 classes"):
        IdealPrototypeClassifier(ne.Lorentz(1), 3)
    with pytest.raises(TypeError, match="manifold with an origin"):
        HyperplaneClassifier(3, 2)


@pytest.mark.parametrize("signature", ["H3(-0.7)", "S3(0.4)", "K3(0)", "E3"])
@pytest.mark.parametrize("name", HEADS)
def test_clipping_keeps_the_direction(name, signature):
    """Logits beyond the distance are those at it, along the geodesic; within, nothing changes."""
    manifold = ne.manifold(signature)
    plain = make_classifier(manifold, 3, head=name, dtype=torch.float64)
    clipped = make_classifier(manifold, 3, head=name, clip=0.8, dtype=torch.float64)
    clipped.load_state_dict(plain.state_dict())
    near = around(manifold, 0.79)
    torch.testing.assert_close(clipped(near), plain(near))
    c = manifold.to_frame(manifold.logmap0(near)) / 0.79
    beyond, far, edge = (manifold.expmap0(manifold.from_frame(r * c)) for r in (0.81, 2.0, 0.8))
    torch.testing.assert_close(clipped(beyond), plain(edge))
    torch.testing.assert_close(clipped(far), plain(edge))


def test_clipping_is_by_factor():
    product = ne.manifold("H2 x E2")
    head = HyperplaneClassifier(product, 3, clip=1.0, dtype=torch.float64)
    hyperbolic, flat = around(product.factors[0], 5.0), around(product.factors[1], 0.5)
    shorter = around(product.factors[0], 1.0)
    shorter = product.factors[0].expmap0(product.factors[0].logmap0(hyperbolic) / 5)
    expected = head(product.join([shorter, flat]))
    torch.testing.assert_close(head(product.join([hyperbolic, flat])), expected)


def test_fresh_prototypes():
    """Marked points, at the radius of activations on every factor."""
    product = ne.manifold("H16(-9) x S16(4)")
    head = PrototypeClassifier(product, 300)
    assert ne.manifold_of(head.prototypes) is product
    parts = zip(product.factors, product.split(head.prototypes), (1 / 3, 1 / 2), strict=True)
    for factor, part, radius in parts:
        assert factor.dist0(part).square().mean().sqrt().item() == pytest.approx(radius, rel=0.1)


def test_parameters_of_a_class():
    """dim + 2 numbers for each class of the Busemann head."""
    head = BusemannClassifier(ne.PoincareBall(8), 5)
    assert sum(p.numel() for p in head.parameters()) == 5 * (8 + 2)


@pytest.mark.parametrize(("count", "dim"), [(1, 3), (2, 1), (3, 2), (4, 3), (3, 8), (7, 2), (9, 3)])
def test_directions_are_as_far_apart_as_they_can_be(count, dim):
    """Simplex and polygon: the best there is; nine in space: 66 degrees of 70.5, the best known."""
    v = separated_directions(count, dim)
    assert v.shape == (count, dim)
    torch.testing.assert_close(v.norm(dim=-1), torch.ones(count, dtype=torch.float64))
    if count > 1:
        largest = float((v @ v.mT - 2 * torch.eye(count)).max())
        best = -1 / (count - 1) if count <= dim + 1 else math.cos(2 * math.pi / count)
        best = math.cos(math.radians(66)) if (count, dim) == (9, 3) else best
        assert largest < best + 1e-12
    torch.testing.assert_close(separated_directions(count, dim), v, rtol=0, atol=0)


def test_the_loss_of_ideal_prototypes_against_literature():
    """On the unit ball 2 log|p - z| - (1 + f) log(1 - |z|^2)."""
    head = IdealPrototypeClassifier(ne.PoincareBall(3), 4, dtype=torch.float64)
    z = ne.PoincareBall(3).random(5, dtype=torch.float64)
    target = torch.tensor([0, 1, 2, 3, 0])
    p, gap = head.direction[target], 1 - z.square().sum(-1)
    expected = 2 * (p - z).norm(dim=-1).log() - (1 + 1.7) * gap.log()
    torch.testing.assert_close(head.loss(z, target, weight=1.7), expected.mean())


@pytest.mark.parametrize("signature", ["H3(-0.7)", "K3(-0.7)", "K3(0)", "K3(1.1)", "S3(1.1)"])
def test_retreat_by_its_definition(signature):
    """-(2/K) log cos_K(d/2), d^2/4 at K = 0, near the origin and far out."""
    manifold = ne.manifold(signature)
    K = float(manifold.curvature)
    for d in (1e-5, 0.3, 2.5):
        if K < 0:
            expected = -2 / K * math.log1p(2 * math.sinh(math.sqrt(-K) * d / 4) ** 2)
        elif K > 0:
            expected = -2 / K * math.log1p(-2 * math.sin(math.sqrt(K) * d / 4) ** 2)
        else:
            expected = d * d / 4
        rest = torch.full((6,), expected, dtype=torch.float64)
        found = retreat(manifold, around(manifold, d))
        torch.testing.assert_close(found, rest, rtol=1e-12, atol=0)


def test_the_loss_holds_points_back():
    """Gradient steps from the origin end at 2 artanh(1/f) from it, in the right direction."""
    ball = ne.PoincareBall(2)
    head = IdealPrototypeClassifier(ball, 3, dtype=torch.float64)
    target = torch.arange(3)
    x = ne.ManifoldParameter(ball.origin(3, dtype=torch.float64), ball)
    optimizer = RiemannianSGD([x], lr=1.0)
    for _ in range(60):
        optimizer.zero_grad()
        head.loss(x, target, weight=2.0).backward()
        optimizer.step()
    assert bool((head(x).argmax(-1) == target).all())
    expected = torch.full((3,), 2 * math.atanh(0.5), dtype=torch.float64)
    torch.testing.assert_close(ball.dist0(x.detach()), expected, rtol=1e-3, atol=0)


def test_a_line_has_two_classes():
    head = IdealPrototypeClassifier(ne.Lorentz(1), 2, dtype=torch.float64)
    logits = head(around(ne.Lorentz(1), 1.3))
    torch.testing.assert_close(logits.sum(-1), torch.zeros(6, dtype=torch.float64))
    torch.testing.assert_close(logits.abs(), torch.full((6, 2), 1.3, dtype=torch.float64))
