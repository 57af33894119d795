"""Depth: through 24 fresh layers activations keep their radius, and gradients their size."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import noneuclid as ne
from noneuclid.layers import (
    Activation,
    Chain,
    Layer,
    Lift,
    Linear,
    Residual,
    SpaceRMSNorm,
    TangentLayerNorm,
)
from noneuclid.layers._normal import from_normal, initial_radius, to_normal
from noneuclid.manifolds import HomogeneousManifold

DEPTH, ROWS, FEATURES = 24, 64, 20
SIGNATURES = ("E32", "H32(-0.25)", "B32(-4)", "S32(4)", "P32(0.5)", "K32(-2)", "H32 x S32(2) x E32")
RADIUS = (0.1, 10.0)  # in units of min(1, |K|^-1/2), where fresh layers put their outputs
GRADIENT = (1e-2, 1e2)  # of the first layer's, over that of the last


def plain(m: HomogeneousManifold) -> Layer:
    """Return a linear map and a ReLU."""
    return Chain(Linear(m, m), Activation(m, torch.relu))


def normed(m: HomogeneousManifold) -> Layer:
    """Return a norm, a linear map and a ReLU.

    Not a LayerNorm: the mean that it takes from a ReLU's output costs a factor 1.2 in the gradient
    of every layer, on flat space too.
    """
    return Chain(SpaceRMSNorm(m), Linear(m, m), Activation(m, torch.relu))


def pre_norm(kind: str) -> Callable[[HomogeneousManifold], Layer]:
    """Return the builder of a pre-norm residual for a stack of this depth."""

    def build(m: HomogeneousManifold) -> Layer:
        return Residual(Chain(TangentLayerNorm(m), plain(m)), kind, gain=DEPTH**-0.5)

    return build


BLOCKS = {
    "plain": plain,
    "norm": normed,
    **{f"pre-norm {kind}": pre_norm(kind) for kind in ("mobius", "midpoint", "lorentz")},
}


def radii(m: HomogeneousManifold, x: Tensor) -> list[Tensor]:
    """Return the mean distance from the origin on every factor, over min(1, |K|^-1/2)."""
    factors = m.factors if isinstance(m, ne.Product) else [m]
    parts = to_normal(m, x).split([f.dim for f in factors], dim=-1)
    return [
        (part.square().sum(-1).sqrt().mean() / initial_radius(f)).detach()
        for f, part in zip(factors, parts, strict=True)
    ]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("signature", SIGNATURES)
def test_depth_keeps_radius_and_gradient(signature: str, block: str) -> None:
    """A user's stack of 24 fresh blocks neither saturates nor dies, forward or backward."""
    m = ne.manifold(signature)
    blocks = [BLOCKS[block](m) for _ in range(DEPTH)]
    c = to_normal(m, Lift(FEATURES, m)(torch.randn(ROWS, FEATURES)))
    inputs, sizes = [], []
    for layer in blocks:
        # Normal coordinates, the same units on every model, are what gradients are measured in.
        inputs.append(c)
        if not c.requires_grad:
            c.requires_grad_()
        x = layer(from_normal(m, c))
        sizes.append(radii(m, x))
        c = to_normal(m, x)
    gradients = torch.autograd.grad((torch.randn_like(c) * c).sum(), inputs)
    sizes = torch.tensor(sizes)
    assert bool(((sizes > RADIUS[0]) & (sizes < RADIUS[1])).all()), (sizes.amin(), sizes.amax())
    norms = torch.stack([g.square().sum().sqrt() for g in gradients])
    ratio = norms / norms[-1]
    assert bool(((ratio > GRADIENT[0]) & (ratio < GRADIENT[1])).all()), ratio


@pytest.mark.parametrize("signature", SIGNATURES)
def test_depth_keeps_variance(signature: str) -> None:
    """Points that differ at the first layer differ at the last: no collapse to one point."""
    m = ne.manifold(signature)
    steps = nn.Sequential(*(pre_norm("mobius")(m) for _ in range(DEPTH)))
    with torch.no_grad():
        x = Lift(FEATURES, m)(torch.randn(ROWS, FEATURES))
        before, after = (to_normal(m, y).var(0).sum() for y in (x, steps(x)))
    assert 0.05 < float(after / before) < 20
