"""The transformer encoder on hyperbolic space."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import noneuclid as ne
from noneuclid.layers import Drop, MidpointPool
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.models import HyperbolicTransformer, count_parameters
from noneuclid.models._encoder_sizes import ENCODER_PRESETS
from noneuclid.models.particles import PRESETS
from noneuclid.optim import RiemannianAdam
from noneuclid.testing.check_layer import check_layer

KINDS = ["softmax", "linear"]
SIGNATURES = ["H4*", "B4(-1.3)*", "H4* x E4"]


def sets(manifold: Any, slots: int = 5) -> tuple[Tensor, Tensor]:
    """Return points and a mask: of one point, of none, of some and of all."""
    mask = torch.arange(slots) < torch.tensor([1, 0, 3, slots])[:, None]
    with torch.no_grad():
        return from_normal(manifold, 0.7 * torch.randn(4, slots, manifold.dim)), mask


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("attention", KINDS)
def test_laws(attention: str, signature: str) -> None:
    """Those of every layer: padding, rows, copies, extremes, 16 bits, one graph, permutation."""
    m = ne.manifold(signature)
    compiled = signature == "H4*"
    layers = 1 if compiled else 2
    model = HyperbolicTransformer(m, layers=layers, heads=2, ffn_ratio=2, attention=attention)
    x, mask = sets(m)
    check_layer(model, x, mask=mask, permutes=True, compiled=compiled)


def slow(
    c: Tensor, layers: int, sharpness: float, mask: Tensor | None = None, **p: Tensor
) -> Tensor:
    """Return a pre-norm transformer of one head with scores -|q - k|^2, by torch alone."""

    def norm(c: Tensor, name: str) -> Tensor:
        return nn.functional.layer_norm(c, c.shape[-1:], p[f"{name}_weight"], p[f"{name}_bias"])

    def added(c: Tensor, y: Tensor, name: str) -> Tensor:
        s, a = p[f"{name}_log_weight"].exp(), p[f"{name}_log_scale"].exp()
        return a * (c + s * y) / (1 + s)

    for i in range(layers):
        block, at = f"blocks_{i}", f"blocks_{i}_attention_parts_0"
        projected = norm(c, f"{block}_norm1") @ p[f"{at}_in_proj_weight"].mT
        q, k, v = (projected + p[f"{at}_in_proj_bias"]).chunk(3, dim=-1)
        weights = torch.softmax(-sharpness * torch.cdist(q, k).square(), dim=-1)
        y = weights @ v @ p[f"{at}_out_proj_weight"].mT + p[f"{at}_out_proj_bias"]
        c = added(c, y, f"{block}_sum1")
        h = norm(c, f"{block}_norm2")
        for step in ("up", "down"):
            matrix, bias = (p[f"{block}_{step}_parts_0_{kind}"] for kind in ("weight", "bias"))
            h = h @ matrix[:, 1:].mT + matrix[:, 0] + bias
            h = torch.relu(h) if step == "up" else h
        c = added(c, h, f"{block}_sum2")
    return norm(c, "norm")


@pytest.mark.parametrize("positions", [False, True])
def test_flat_limit(positions: bool) -> None:
    """At K = 0 it is the plain transformer with the same parameters."""
    m = ne.manifold("K4(0)")
    model = HyperbolicTransformer(m, layers=2, heads=1, ffn_ratio=2, positions=positions).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    c = torch.randn(3, 5, 4, dtype=torch.float64)
    named = {name.replace(".", "_"): p.detach() for name, p in model.flat_parameters().items()}
    start = c if model.position is None else model.position.tangent(c)
    assert start.equal(c) is not positions
    y = to_normal(m, model(from_normal(m, c)))
    torch.testing.assert_close(y, slow(start, 2, 4**-0.5, **named), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("attention", KINDS)
def test_points_stay_near_the_radius_they_come_in_at(attention: str) -> None:
    """Through 12 blocks, and gradients of the first block are of the size of the last one's."""
    m = ne.manifold("H32")
    model = HyperbolicTransformer(m, layers=12, heads=4, attention=attention)
    c = torch.randn(8, 16, 32) / 32**0.5
    radii = [1.0]
    for block in model.blocks:
        for residual in (block.sum1, block.sum2):
            torch.testing.assert_close(residual.log_weight.exp(), torch.tensor([24**-0.5]))
        c = block(c, None)
        radii.append(float(c.detach().square().sum(-1).mean().sqrt()))
    assert min(radii) > 0.3, radii
    assert max(radii) < 3, radii
    c.square().sum().backward()
    sizes = [float(block.up.parts[0].weight.grad.norm()) for block in model.blocks]
    assert max(sizes) < 30 * min(sizes), sizes


@pytest.mark.parametrize(
    ("attention", "signature"),
    [
        pytest.param(kind, signature, marks=[] if signature == kept else pytest.mark.slow)
        for kind, kept in zip(KINDS, ("H4* x E4", "H4*"), strict=True)
        for signature in SIGNATURES
    ],
)
def test_learns_under_autocast(attention: str, signature: str) -> None:
    """Sets of two spreads, in bfloat16; nothing becomes NaN."""
    m = ne.manifold(signature)
    model = nn.Sequential(
        HyperbolicTransformer(m, layers=1, heads=2, ffn_ratio=1, attention=attention),
        MidpointPool(m),
        Drop(m, 2),
    )
    labels = torch.arange(64) % 2
    c = torch.randn(64, 6, m.dim) / m.dim**0.5
    x = from_normal(m, (0.3 + 1.2 * labels)[:, None, None] * c + 0.2).detach()
    optimizer = RiemannianAdam(model.parameters(), lr=2e-2)
    losses = []
    for _ in range(40):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(model(x).float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        assert all(torch.isfinite(p).all() for p in model.parameters())
    assert losses[-1] < 0.5, losses[::10]


def test_places_matter_with_positions_only() -> None:
    """A set in another order gives the outputs in that order; a sequence does not."""
    m = ne.manifold("H4")
    x, _ = sets(m)
    order = torch.tensor([3, 0, 4, 1, 2])
    for positions in (False, True):
        model = HyperbolicTransformer(m, heads=2, positions=positions).eval()
        same = torch.allclose(model(x[:, order]), model(x)[:, order], atol=1e-4)
        assert same is not positions


def test_reset_and_dropout() -> None:
    """Fresh parameters everywhere; dropout acts in training only."""
    m = ne.manifold("H4")
    model = HyperbolicTransformer(m, heads=2, dropout=0.5)
    other = copy.deepcopy(model)
    other.reset_parameters()
    x, mask = sets(m)
    assert not torch.allclose(model.eval()(x, mask), other.eval()(x, mask))
    assert model(x, mask).equal(model(x, mask))
    assert not model.train()(x, mask).equal(model(x, mask))


@pytest.mark.parametrize("attention", KINDS)
@pytest.mark.parametrize(("preset", "signature"), [("1k", "H* x S"), ("5k", "B"), ("25k", "H")])
def test_presets_meet_their_budget(preset: str, signature: str, attention: str) -> None:
    """Within 2 %, on one factor and on two."""
    budget, sizes = ENCODER_PRESETS[preset]
    model = HyperbolicTransformer(signature, preset=preset, attention=attention, device="meta")
    assert abs(count_parameters(model) - budget) <= 0.02 * budget
    assert (len(model.blocks), model.sizes) == (sizes.layers, sizes)


def test_presets_are_those_of_the_particle_transformers() -> None:
    """Names, budgets, depths and heads."""
    shapes = [
        {name: (n, s.layers, s.heads) for name, (n, s) in table.items()}
        for table in (ENCODER_PRESETS, PRESETS)
    ]
    assert shapes[0] == shapes[1]


def test_budget_and_signature() -> None:
    """A budget instead of a preset; a signature with its widths; a hidden width."""
    model = HyperbolicTransformer("H", parameters=3000, layers=1, heads=2)
    assert abs(count_parameters(model) - 3000) <= 60
    x, mask = sets(model.manifold_in)
    assert model.manifold_out.check_point(model(x, mask)).all()
    wide = HyperbolicTransformer("H8 x E8", heads=2, hidden=5).blocks[0].up.manifold_out
    assert [factor.dim for factor in wide.factors] == [5, 5]


@pytest.mark.parametrize("given", [{"preset": "1k"}, {"parameters": 900}])
def test_a_budget_wants_a_signature(given: dict[str, Any]) -> None:
    """Its widths cannot be changed when the manifold is made already."""
    with pytest.raises(ValueError, match="give a signature that leaves them out"):
        HyperbolicTransformer(ne.Lorentz(4), **given)
    with pytest.raises(ValueError, match="and no hidden"):
        HyperbolicTransformer("H", hidden=4, **given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "3k"}, "unknown preset '3k'"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"layers": 0}, "layers must be at least 1"),
        ({"ffn_ratio": 0}, "ffn_ratio must be at least 1"),
        ({"heads": 3}, "heads must divide"),
        ({"attention": "flash"}, "attention must be"),
        ({"attention": "linear", "dropout": 0.1}, "no weights that dropout"),
    ],
)
def test_errors(options: dict[str, Any], message: str) -> None:
    """Wrong arguments are named."""
    with pytest.raises(ValueError, match=message):
        HyperbolicTransformer(ne.Lorentz(4), **options)
