"""The contrastive loss: against cross entropy, known similarities, masks, and two real views."""

import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

import noneuclid as ne
from noneuclid.layers import Lift
from noneuclid.losses import ContrastiveLoss
from noneuclid.numerics import tolerance

SPACES = ["E4", "H4(-0.7)", "B4", "S4(2)", "K4(0)", "H3 x S2(0.5) x E2"]


@pytest.mark.parametrize("signature", SPACES)
def test_is_the_cross_entropy(signature: str, dtype: torch.dtype) -> None:
    """Both ways round, of minus distance over temperature, one pair at a time."""
    space = ne.manifold(signature)
    x, y = space.random(2, 5, dtype=dtype)
    logits = torch.stack([torch.stack([-space.dist(a, b) for b in y]) for a in x]) / 0.2
    target = torch.arange(5)
    expected = (F.cross_entropy(logits, target) + F.cross_entropy(logits.mT, target)) / 2
    loss = ContrastiveLoss(space, 0.2, dtype=dtype)
    allowed = 20 * tolerance(dtype)
    torch.testing.assert_close(loss(x, y), expected, atol=allowed, rtol=allowed)


def test_inner_products() -> None:
    """On the hyperboloid <x, y>_L, on the sphere the cosine, on R^n x.y less half the squares."""
    for signature in ("H4(-0.5)", "S4", "E4", "K4(0)", "B4", "P4(2)", "H2(-3) x S2"):
        space = ne.manifold(signature)
        x, y = space.random(2, 6, dtype=torch.float64)
        logits = ContrastiveLoss(space, 0.5, similarity="inner").double().logits(x, y)
        chords = sum(
            _half_chord(f, a, b)
            for f, a, b in zip(
                getattr(space, "factors", [space]),
                space.split(x) if hasattr(space, "factors") else [x],
                space.split(y) if hasattr(space, "factors") else [y],
                strict=True,
            )
        )
        torch.testing.assert_close(logits, -2 * chords, atol=1e-7, rtol=1e-7)


def _half_chord(space: ne.HomogeneousManifold, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if isinstance(space, ne.Lorentz):
        return 1 / space.curvature() - x[:, 1:] @ y[:, 1:].mT + x[:, :1] @ y[:, :1].mT
    if isinstance(space, ne.Sphere):
        return 1 / space.curvature() - x @ y.mT
    distance = torch.stack([torch.stack([space.dist(a, b) for b in y]) for a in x])
    K = float(space.curvature) if hasattr(space, "curvature") else 0.0
    if K == 0:
        return distance**2 / 2
    cosine = torch.cos(math.sqrt(K) * distance) if K > 0 else torch.cosh(math.sqrt(-K) * distance)
    return (1 - cosine) / K


@pytest.mark.parametrize("similarity", ["distance", "inner"])
def test_masks(similarity: str) -> None:
    """Rows that are not there change nothing, whatever stands in them."""
    space = ne.manifold("H3 x S2")
    loss = ContrastiveLoss(space, similarity=similarity, reduction="none")
    x, y = space.random(2, 6)
    mask = torch.tensor([True, False, True, True, False, True])
    x[~mask], y[~mask] = float("nan"), 1e30
    x.requires_grad_()
    values = loss(x, y, mask)
    torch.testing.assert_close(values[mask], loss(x[mask], y[mask]))
    assert not values[~mask].any()
    (gradient,) = torch.autograd.grad(values.sum(), x)
    assert torch.isfinite(gradient).all()
    mean = ContrastiveLoss(space, similarity=similarity)
    torch.testing.assert_close(mean(x, y, mask), values.sum() / 4)
    assert mean(x, y, torch.zeros(6, dtype=torch.bool)) == 0


def test_one_object_and_none() -> None:
    """There is nothing to mistake them for."""
    space = ne.Lorentz(3)
    x = space.random(1)
    assert ContrastiveLoss(space)(x, space.random(1)) == 0
    assert ContrastiveLoss(space)(x[:0], x[:0]) == 0


@pytest.mark.parametrize("similarity", ["distance", "inner"])
@pytest.mark.parametrize("signature", SPACES)
def test_coincident_views(signature: str, similarity: str, dtype: torch.dtype) -> None:
    """All rows the same: log n, with finite gradients."""
    space = ne.manifold(signature)
    x = space.random(1, dtype=dtype).repeat(4, 1).requires_grad_()
    loss = ContrastiveLoss(space, similarity=similarity).to(dtype)
    value = loss(x, x)
    torch.testing.assert_close(value, torch.tensor(math.log(4), dtype=dtype))
    for gradient in torch.autograd.grad(value, [x, *loss.parameters()]):
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("similarity", ["distance", "inner"])
def test_gradients(similarity: str) -> None:
    """By the points, the temperature and the curvature."""
    space = ne.manifold("H2(-0.7)* x S2")
    loss = ContrastiveLoss(space, similarity=similarity).double()
    space.double()
    a, b = torch.randn(2, 3, 4, dtype=torch.float64)

    def f(a: torch.Tensor, b: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return loss(*(space.expmap0(space.from_frame(c)) for c in (a, b)))

    parameters = [p for p in loss.parameters() if p.requires_grad]
    assert len(parameters) == 2
    inputs = (a.requires_grad_(), b.requires_grad_(), *parameters)
    assert torch.autograd.gradcheck(f, inputs)


def test_scale() -> None:
    """It starts at one over the temperature, stays below its bound, and can always come back."""
    loss = ContrastiveLoss(ne.Lorentz(2), 0.05, max_scale=50.0)
    torch.testing.assert_close(loss.scale(), torch.tensor([20.0]))
    with torch.no_grad():
        loss.raw.fill_(8.0)
    assert 49 < loss.scale() < 50
    (gradient,) = torch.autograd.grad(loss.scale(), loss.raw)
    assert gradient > 0
    assert not ContrastiveLoss(ne.Lorentz(2), learnable=False).raw.requires_grad


def test_half_precision_and_compile() -> None:
    """16-bit points are compared in float32; one graph."""
    space = ne.manifold("H3 x E2")
    loss = ContrastiveLoss(space)
    x, y = space.random(2, 5)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, y), loss(x, y))
    half = loss(x.bfloat16(), y.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, loss(x, y), atol=0.3, rtol=0.1)


def test_two_halves_of_digits_find_each_other() -> None:
    """Upper and lower half of 64 handwritten digits, lifted to H8 x S4: retrieved by distance."""
    images = torch.tensor(load_digits().data[:64], dtype=torch.float32) / 16
    halves = [part - part.mean(0) for part in (images[:, :32], images[:, 32:])]
    space = ne.manifold("H8 x S4")
    lifts = torch.nn.ModuleList(Lift(32, space) for _ in range(2))
    loss = ContrastiveLoss(space)
    optimizer = torch.optim.Adam([*lifts.parameters(), *loss.parameters()], lr=0.01)

    def views() -> list[torch.Tensor]:
        return [lift(half) for lift, half in zip(lifts, halves, strict=True)]

    def share_found() -> float:
        nearest = space.cdist(*views()).argmin(-1)
        return (nearest == torch.arange(64)).double().mean().item()

    assert share_found() < 0.2
    for _ in range(100):
        optimizer.zero_grad()
        loss(*views()).backward()
        optimizer.step()
    assert share_found() > 0.8


def test_refusals() -> None:
    """Wrong arguments are named."""
    space = ne.Lorentz(2)
    with pytest.raises(ValueError, match="similarity must be"):
        ContrastiveLoss(space, similarity="cosine")
    for temperature in (0.0, -1.0, 0.001, math.nan):
        with pytest.raises(ValueError, match="1 / temperature must be in"):
            ContrastiveLoss(space, temperature)
    with pytest.raises(ValueError, match="two views of shape"):
        ContrastiveLoss(space)(space.origin(3), space.origin(2))
    with pytest.raises(ValueError, match="mask must be a bool tensor"):
        ContrastiveLoss(space)(space.origin(3), space.origin(3), torch.ones(3))
