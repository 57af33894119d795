"""PM-MLP and its Euclidean baseline."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import noneuclid as ne
from noneuclid.layers import MobiusLinear
from noneuclid.models import PMMLP, EuclideanMLP
from noneuclid.models._budget import count_parameters
from noneuclid.optim import RiemannianAdam

SIGNATURES = ["E8", "H8*", "S8*", "B4 x E4", "H4* x S4*", "P4 x K4(0)* x E2"]


def batch(n: int = 5, slots: int = 6) -> tuple[Tensor, Tensor]:
    features = 3 * torch.randn(n, slots, 7)
    mask = torch.arange(slots) < torch.arange(1, n + 1)[:, None]
    return features, mask


def models() -> list[torch.nn.Module]:
    """Return models off their initial values: fresh biases are 0, which would hide padding."""
    found = [*(PMMLP(7, 2, s) for s in SIGNATURES), EuclideanMLP(7, 2, width=8)]
    with torch.no_grad():
        for model in found:
            for parameter in model.particles.parameters():
                if ne.manifold_of(parameter) is None:
                    parameter.add_(0.1 * torch.randn_like(parameter))
    return found


@pytest.mark.parametrize("model", models(), ids=[*SIGNATURES, "plain"])
def test_padding_and_the_rest_of_the_batch_change_nothing(model: torch.nn.Module) -> None:
    """In training and evaluation alike: there are no statistics over the batch."""
    features, mask = batch()
    logits = model(features, mask=mask)
    assert logits.shape == (5, 2)
    for filler in (float("nan"), 1e20):
        filled = torch.where(mask[..., None], features, filler)
        assert model(filled, mask=mask).equal(logits)
    wide = torch.cat([features, torch.ones(5, 3, 7)], dim=1)
    more = torch.cat([mask, torch.zeros(5, 3, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(model(wide, mask=more), logits)
    alone = torch.cat([model(features[i : i + 1], mask=mask[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(alone, logits)
    short = torch.cat([model(features[i : i + 1, : i + 1]) for i in range(5)])
    torch.testing.assert_close(short, logits)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(model(features[:, order], mask=mask[:, order]), logits)
    assert torch.isfinite(model(features, mask=torch.zeros_like(mask))).all()


@pytest.mark.parametrize("signature", SIGNATURES)
def test_gradients_reach_everything(signature: str) -> None:
    """Padding that is NaN poisons no gradient; every parameter has one."""
    model = PMMLP(7, 2, signature)
    features, mask = batch(32)
    features[~mask] = float("nan")
    with torch.no_grad():  # x (+) o is x whatever K is: with b at o no gradient reaches K
        for layer in model.particles.modules():
            if isinstance(layer, MobiusLinear):
                space = layer.manifold_out
                layer.bias.copy_(space.expmap0(space.from_frame(0.3 * torch.randn(space.dim))))
    model(features, mask=mask).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def toy(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sets of two kinds: the spread of one feature differs, its mean does not."""
    labels = torch.arange(n) % 2
    features = torch.randn(n, 10, 7)
    features[..., 0] *= (1 + 1.5 * labels)[:, None]
    mask = torch.rand(n, 10) < 0.8
    mask[:, 0] = True
    return features, mask, labels


@pytest.mark.parametrize("signature", ["E16", "H16*", "S16*", "H8* x S8*"])
def test_learns_and_does_not_collapse(signature: str) -> None:
    """Every geometry, the sphere included, learns a separable set."""
    features, mask, labels = toy(512)
    model = PMMLP(7, 2, signature)
    optimizer = RiemannianAdam(model.parameters(), lr=1e-2)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(features, mask=mask), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    features, mask, labels = toy(512)
    right = (model(features, mask=mask).argmax(-1) == labels).float().mean()
    assert right > 0.85


@pytest.mark.parametrize("parameters", [1000, 4600])
@pytest.mark.parametrize("signature", ["E", "H*", "S*", "H* x E", "H* x S*"])
def test_parameter_budget(signature: str, parameters: int) -> None:
    """Models of one budget are within 2 % of it, whatever their geometry."""
    for model in (
        PMMLP(7, 2, signature, parameters=parameters),
        EuclideanMLP(7, 2, parameters=parameters),
    ):
        assert abs(count_parameters(model) - parameters) <= 0.02 * parameters


def test_signatures_and_sizes() -> None:
    """Widths come from the signature, `dim` and `hidden`; curvatures are shared along the chain."""
    model = PMMLP(7, 3, "H x E4", dim=6, hidden=5, layers=4, norm=False)
    assert model.manifold.dims == (6, 4)
    assert model.particles.layers[0].manifold_out.dims == (5, 5)
    names = [type(layer).__name__ for layer in model.particles.layers]
    assert names == ["Lift"] + 3 * ["Activation", "Linear"] + ["FactorCoupling", "TangentMean"]
    assert model.embed(*batch()).shape == (5, 10)
    learned = PMMLP(7, 2, "H4*")
    raw = [name for name, _ in learned.named_parameters() if name.endswith("raw")]
    assert len(raw) == 1


def test_copies() -> None:
    """deepcopy, pickle and state dict give the same model, marks included."""
    model = PMMLP(7, 2, "H4* x S3")
    features, mask = batch()
    logits = model(features, mask=mask)
    loaded = PMMLP(7, 2, "H4* x S3")
    loaded.load_state_dict(model.state_dict())
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        assert other(features, mask=mask).equal(logits)
        assert [n for n, p in other.named_parameters() if ne.manifold_of(p) is not None] == [
            n for n, p in model.named_parameters() if ne.manifold_of(p) is not None
        ]


def test_compiles_in_one_graph() -> None:
    """Forward and backward, with a curvature learned."""
    model = PMMLP(7, 2, "H4* x E4", layers=2)
    features, mask = batch()
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    found, expected = compiled(features, mask), model(features, mask)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    names, parameters = zip(*model.named_parameters(), strict=True)
    pairs = [
        torch.autograd.grad(y.square().sum(), parameters, allow_unused=True)
        for y in (found, expected)
    ]
    for name, a, b in zip(names, *pairs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def test_errors() -> None:
    """Wrong arguments are named."""
    model = PMMLP(7, 2, "E4")
    features, mask = batch()
    with pytest.raises(ValueError, match=r"features of shape \(B, P, 7\), got \(5, 6, 6\)"):
        model(features[..., :6])
    with pytest.raises(ValueError, match=r"mask must be a bool tensor of shape \(5, 6\)"):
        model(features, mask=mask.float())
    with pytest.raises(ValueError, match="unknown manifold 'Q'"):
        PMMLP(7, 2, "Q4")
    with pytest.raises(ValueError, match="needs a dimension"):
        PMMLP(7, 2, "H x E")
    with pytest.raises(ValueError, match="not both"):
        PMMLP(7, 2, "H", dim=4, parameters=1000)
    with pytest.raises(ValueError, match="within 2 %"):
        PMMLP(7, 2, "H", parameters=20)
    with pytest.raises(ValueError, match="layers must be at least 1"):
        PMMLP(7, 2, "E4", layers=0)
    with pytest.raises(ValueError, match="not both"):
        EuclideanMLP(7, 2)


@pytest.mark.parametrize("model", [PMMLP(7, 2, "H4 x E4"), EuclideanMLP(7, 2, width=8)])
def test_sets_without_slots(model: torch.nn.Module) -> None:
    """A set without slots is one without particles."""
    empty = torch.zeros(2, 0, 7)
    absent = model(torch.ones(2, 3, 7), mask=torch.zeros(2, 3, dtype=torch.bool))
    torch.testing.assert_close(model(empty), absent)
    torch.testing.assert_close(model(empty, mask=torch.zeros(2, 0, dtype=torch.bool)), absent)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: PMMLP(7, 0), "classes"),
        (lambda: PMMLP(7, 2, head=0), "head"),
        (lambda: PMMLP(7, 2, "H", dim=0), "dim"),
        (lambda: PMMLP(7, 2, hidden=0), "hidden"),
        (lambda: EuclideanMLP(7, 0, width=8), "classes"),
        (lambda: EuclideanMLP(7, 2, width=0), "width"),
        (lambda: EuclideanMLP(7, 2, width=8, head=0), "head"),
    ],
)
def test_sizes_below_one(build: Callable[[], torch.nn.Module], name: str) -> None:
    """A size of 0 is an error and no model without outputs."""
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        build()


def test_the_baseline_refuses_a_float_mask() -> None:
    """In the sentence of PMMLP."""
    features, mask = batch()
    with pytest.raises(ValueError, match=r"mask must be a bool tensor of shape \(5, 6\)"):
        EuclideanMLP(7, 2, width=8)(features, mask=mask.float())
