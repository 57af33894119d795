"""Muon: torch's own step on matrices, the polar factor on Stiefel, AdamW on everything else."""

from typing import Any

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.optim import RiemannianAdamW, RiemannianMuon

geoopt = pytest.importorskip("geoopt")
STIEFEL = ne.from_geoopt(geoopt.EuclideanStiefelExact(), (6, 3))


def run(optimizers: list[Any], pairs: list[tuple[nn.Parameter, nn.Parameter]]) -> None:
    for _ in range(5):
        for ours, theirs in pairs:
            ours.grad = torch.randn_like(ours)
            theirs.grad = ours.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for ours, theirs in pairs:
        assert torch.equal(ours.detach(), theirs.detach())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nesterov": False, "weight_decay": 0.0, "ns_steps": 3},
        {"adjust_lr_fn": "match_rms_adamw", "momentum": 0.5},
    ],
)
def test_matrices_take_torchs_step(options: dict[str, Any]) -> None:
    ours = nn.Parameter(torch.randn(6, 3, dtype=torch.float64))
    theirs = nn.Parameter(ours.detach().clone())
    optimizers = [
        RiemannianMuon([ours], 0.1, **options),
        torch.optim.Muon([theirs], 0.1, **options),
    ]
    run(optimizers, [(ours, theirs)])


def test_everything_else_takes_adamws_step() -> None:
    M = ne.Product(ne.Lorentz(3), ne.Euclidean(2))
    bias = nn.Parameter(torch.randn(5, dtype=torch.float64))
    points = ne.ManifoldParameter(M.random(4, dtype=torch.float64), M)
    flat = ne.ManifoldParameter(torch.randn(4, 3, dtype=torch.float64), ne.Euclidean(3))
    twins = [
        nn.Parameter(bias.detach().clone()),
        ne.ManifoldParameter(points.detach().clone(), M),
        ne.ManifoldParameter(flat.detach().clone(), ne.Euclidean(3)),
    ]
    ours = [bias, points, flat]
    muon = RiemannianMuon(ours, lr=0.5, adam_lr=0.02, weight_decay=0.1, betas=(0.8, 0.9))
    adam = RiemannianAdamW(twins, lr=0.02, weight_decay=0.1, betas=(0.8, 0.9))
    run([muon, adam], list(zip(ours, twins, strict=True)))


def test_the_first_step_on_stiefel_is_the_projected_polar_factor() -> None:
    start = STIEFEL.random(2, dtype=torch.float64)
    x = ne.ManifoldParameter(start.clone(), STIEFEL)
    x.grad = torch.randn_like(x)
    u = STIEFEL.egrad2rgrad(start, x.grad)
    left, _, right = torch.linalg.svd(u, full_matrices=False)
    expected = STIEFEL.retr(start, -0.1 * 2**0.5 * STIEFEL.proju(start, left @ right))
    RiemannianMuon([x], lr=0.1, weight_decay=0.0).step()
    torch.testing.assert_close(x.detach(), expected, rtol=1e-10, atol=1e-10)


def test_it_solves_procrustes() -> None:
    """min |x - a| over Stiefel is the polar factor of a."""
    a = torch.randn(6, 3, dtype=torch.float64)
    left, _, right = torch.linalg.svd(a, full_matrices=False)
    x = ne.ManifoldParameter(STIEFEL.random(dtype=torch.float64), STIEFEL)
    optimizer = RiemannianMuon([x], lr=0.3, weight_decay=0.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.93)
    for _ in range(300):
        optimizer.zero_grad()
        (x - a).square().sum().backward()
        optimizer.step()
        scheduler.step()
    torch.testing.assert_close(x.detach(), left @ right, rtol=0, atol=1e-6)


def test_what_is_refused() -> None:
    x = ne.ManifoldParameter(STIEFEL.random(), STIEFEL)
    with pytest.raises(ValueError, match="has none; put its parameters into a group"):
        RiemannianMuon([x])
    with pytest.raises(ValueError, match="not supported"):
        RiemannianMuon([x], weight_decay=0.0, adjust_lr_fn="none")
    with pytest.raises(ValueError, match="Invalid beta"):
        RiemannianMuon([x], weight_decay=0.0, betas=(1.0, 0.9))
