"""The entailment loss: its values, its reductions, and a tree learned from its edges."""

import pytest
import torch

import noneuclid as ne
from noneuclid.losses import EntailmentCone, EntailmentLoss
from noneuclid.optim import RiemannianAdam


def test_values(generator: torch.Generator) -> None:
    """Positive pairs pay what is outside the cone, negative ones what is short of the margin."""
    H = ne.Lorentz(3)
    x, y = H.random(2, 50, generator=generator, dtype=torch.float64)
    entails = torch.arange(50) % 2 == 0
    violation = EntailmentCone(H)(x, y)
    expected = [
        max(0.0, v) if good else max(0.0, 0.5 - max(0.0, v))
        for v, good in zip(violation.tolist(), entails, strict=True)
    ]
    for reduction, value in [("none", expected), ("sum", sum(expected)),
                             ("mean", sum(expected) / 50)]:  # fmt: skip
        loss = EntailmentLoss(H, margin=0.5, reduction=reduction)
        torch.testing.assert_close(loss(x, y, entails), torch.tensor(value, dtype=torch.float64))
    torch.testing.assert_close(EntailmentLoss(H)(x, y), violation.relu().mean())


def test_no_pairs_and_half_precision() -> None:
    """No pairs cost 0; 16-bit points get a loss in float32."""
    H = ne.Lorentz(3)
    assert EntailmentLoss(H)(H.origin(0), H.origin(0)) == 0
    x = H.random(2, dtype=torch.bfloat16)
    assert EntailmentLoss(H)(x, x).dtype == torch.float32


def test_compiles() -> None:
    """In one graph, with equal values."""
    H = ne.Lorentz(3)
    loss, (x, y) = EntailmentLoss(H), H.random(2, 8)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, y), loss(x, y))


@pytest.mark.parametrize("signature", ["H2", "B2"])
def test_a_tree_is_learned(signature: str) -> None:
    """The ancestors of a binary tree of 15 nodes are told from the other pairs, from any start."""
    space = ne.manifold(signature)
    pairs = [(i, j) for i in range(15) for j in range(15) if i != j]
    entails = torch.tensor([_is_ancestor(i, j) for i, j in pairs])
    i, j = torch.tensor(pairs).T
    start = 0.5 * torch.randn(3, 15, 2)
    nodes = ne.ManifoldParameter(space.expmap0(space.from_frame(start)), space)
    loss = EntailmentLoss(space, margin=0.1, reduction="none")
    weight = torch.where(entails, 4.0, 1.0)
    optimizer = RiemannianAdam([nodes], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        (weight * loss(nodes[:, i], nodes[:, j], entails)).mean().backward()
        optimizer.step()
    found = loss.cone(nodes[:, i], nodes[:, j]) <= 0
    right = (found & entails).sum(-1)
    assert (2 * right / (found.sum(-1) + entails.sum())).mean() > 0.8  # F1


def _is_ancestor(i: int, j: int) -> bool:
    while j > i:
        j = (j - 1) // 2
    return i == j


def test_refusals() -> None:
    """Wrong arguments are named."""
    H = ne.Lorentz(2)
    with pytest.raises(ValueError, match="margin must be at least 0"):
        EntailmentLoss(H, margin=-1.0)
    with pytest.raises(ValueError, match="reduction must be"):
        EntailmentLoss(H, reduction="all")
    with pytest.raises(ValueError, match="entails must be a bool tensor"):
        EntailmentLoss(H)(H.origin(2), H.origin(2), torch.ones(2))
