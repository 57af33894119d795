"""Every tagger: its size, its inputs, and what padding does to it."""

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from noneuclid.models import count_parameters

OURS = ("observables", "mlp", "euclidean-mlp", "pm-mlp", "pfn", "euclidean-transformer",
        "pm-transformer", "routed-transformer")  # fmt: skip
FOREIGN = {"particlenet": "weaver", "part": "weaver", "lgatr": "lgatr"}
SIGNATURES = ("E", "H*", "S", "B", "P", "K(0)*", "H x E", "S* x E", "H x H", "E x E", "H x S x E")


@pytest.fixture
def taggers(jets_example: Path) -> Any:
    return importlib.import_module("taggers")


def build(taggers: Any, name: str, **options: Any) -> torch.nn.Module:
    if name in FOREIGN:
        pytest.importorskip(FOREIGN[name])
    torch.manual_seed(0)
    return taggers.build_tagger(name, **options)


def some_jets(particles: int = 12, features: int = 7) -> tuple[torch.Tensor, ...]:
    """Return features, mask and momenta of six jets, one of a particle and one of none."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(particles) < torch.tensor([particles, 9, 8, 5, 1, 0])[:, None]
    direction = torch.randn(6, particles, 3, generator=generator)
    energy = 1.01 * direction.square().sum(-1, keepdim=True).sqrt()
    momenta = 20 * torch.cat([direction, energy], dim=-1) * mask[..., None]
    return torch.randn(6, particles, features, generator=generator) * mask[..., None], mask, momenta


def test_there_is_a_test_for_each(taggers: Any) -> None:
    assert set(taggers.TAGGERS) == {*OURS, *FOREIGN}


@pytest.mark.parametrize("size", ["1k", "5k", "45k"])
@pytest.mark.parametrize("name", [*OURS, *FOREIGN])
def test_size_is_met_within_two_percent(taggers: Any, name: str, size: str) -> None:
    tagger = build(taggers, name, parameters=size, in_features=13, classes=5)
    budget = taggers.PRESETS[size]
    assert abs(count_parameters(tagger) - budget) <= 0.02 * budget


@pytest.mark.parametrize("signature", SIGNATURES)
def test_every_signature_meets_the_size(taggers: Any, signature: str) -> None:
    for name, budget in (("pm-mlp", 1_000), ("pm-transformer", 5_000)):
        tagger = build(taggers, name, parameters=budget, signature=signature)
        assert abs(count_parameters(tagger) - budget) <= 0.02 * budget


@pytest.mark.parametrize("name", [*OURS, *FOREIGN])
def test_padding_changes_nothing(taggers: Any, name: str) -> None:
    """What stands in padded slots, NaN included, and how many there are."""
    tagger = build(taggers, name, parameters=5_000).eval()
    features, mask, momenta = some_jets()
    logits = tagger(features, mask=mask, momenta=momenta)
    assert logits.shape == (6, 2)
    assert logits.isfinite().all()  # one particle, or none
    wider = [
        torch.nn.functional.pad(part, (0, 0, 0, 4), value=float("nan"))
        for part in (features, momenta)
    ]
    again = tagger(wider[0], mask=torch.nn.functional.pad(mask, (0, 4)), momenta=wider[1])
    torch.testing.assert_close(again, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OURS)
def test_padding_changes_nothing_in_training(taggers: Any, name: str) -> None:
    """Batch statistics are those of real particles (not so in weaver's networks)."""
    tagger = build(taggers, name, parameters=5_000).train()
    features, mask, momenta = some_jets()
    logits = tagger(features, mask=mask, momenta=momenta)
    longer = torch.nn.functional.pad(features, (0, 0, 0, 4), value=float("nan"))
    p4 = torch.nn.functional.pad(momenta, (0, 0, 0, 4), value=float("nan"))
    again = tagger(longer, mask=torch.nn.functional.pad(mask, (0, 4)), momenta=p4)
    torch.testing.assert_close(again, logits, rtol=1e-4, atol=1e-5)
    again.square().sum().backward()  # NaN times 0 is NaN, in a gradient as well
    assert all(p.grad.isfinite().all() for p in tagger.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", [*OURS, *FOREIGN])
def test_gradients_reach_every_parameter(taggers: Any, name: str) -> None:
    """DistributedDataParallel would wait for those they do not reach."""
    tagger = build(taggers, name, parameters=5_000).train()
    features, mask, momenta = some_jets()
    tagger(features, mask=mask, momenta=momenta).square().sum().backward()
    missing = [n for n, p in tagger.named_parameters() if p.requires_grad and p.grad is None]
    assert not missing
    assert all(p.grad.isfinite().all() for p in tagger.parameters() if p.grad is not None)


def test_recipe_builds_the_same_tagger(taggers: Any) -> None:
    options = {"signature": "H* x S", "score": "distance", "layers": 1, "coupling": "sun"}
    tagger = build(taggers, "pm-transformer", parameters="5k", classes=3, **options)
    assert tagger.recipe["parameters"] == 5_000
    again = taggers.build_tagger(**tagger.recipe)
    again.load_state_dict(tagger.state_dict())
    features, mask, momenta = some_jets()
    assert torch.equal(
        again.eval()(features, mask, momenta), tagger.eval()(features, mask, momenta)
    )


def test_jets_choose_their_geometry(taggers: Any) -> None:
    """The logits are those of the experts, weighed jet by jet by what `gates` says."""
    tagger = build(taggers, "routed-transformer", parameters=5_000, experts=[-2.0, 0.5, 1.0],
                   top_k=2).eval()  # fmt: skip
    jets = some_jets()
    found = tagger.gates(*jets)
    torch.testing.assert_close(found.curvatures, torch.tensor([-2.0, 0.5, 1.0]))
    assert torch.equal((found.weights > 0).sum(-1), torch.full((6,), 2))
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(6))
    assert not torch.allclose(found.weights[0], found.weights[1])  # each jet for itself
    expected = (found.weights * torch.tensor([-2.0, 0.5, 1.0])).sum(-1)
    torch.testing.assert_close(found.mean_curvature(), expected)
    network = tagger.network
    token = network.token_of(*jets)
    own = torch.stack([expert.tangent(token) for expert in network.jet.mixture.experts], -2)
    mixed = (found.weights[..., None] * own).sum(-2)
    torch.testing.assert_close(network.head(mixed), tagger(*jets))


def test_all_experts_work_unless_told(taggers: Any) -> None:
    tagger = build(taggers, "routed-transformer", parameters=1_000).train()
    assert (tagger.gates(*some_jets()).weights > 0).all()
    with pytest.raises(ValueError, match="at least two experts"):
        build(taggers, "routed-transformer", parameters=1_000, experts=[-1.0])


def test_observables_are_those_of_the_reader(
    taggers: Any, write_shard: Any, tmp_path: Path
) -> None:
    from noneuclid.datasets import load_jets

    jets = load_jets(write_shard(tmp_path / "a.npz"), max_particles=16)
    own = importlib.import_module("taggers.observables").observables(jets.momenta, jets.mask)
    torch.testing.assert_close(own[:, :3], jets.observables[:, :3], rtol=1e-3, atol=0.2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet", {}, "unknown tagger 'resnet': give one of observables, mlp"),
        ("pfn", {"parameters": "3k"}, "unknown preset '3k': give one of 1k, 5k"),
        ("pfn", {"signature": "H x E"}, "pfn has no option 'signature': it has none"),
        ("pm-transformer", {"layer": 3}, "has no option 'layer': it has signature, jet_signature"),
        ("pm-transformer", {"layers": 0}, "layers must be at least 1, got 0"),
        ("pm-transformer", {"signature": "Q"}, "unknown manifold 'Q'"),
        ("pm-transformer", {"score": "dot"}, "score must be one of"),
        ("pm-transformer", {"activation": "tanh"}, "activation must be one of gelu"),
        ("pm-mlp", {"parameters": 20}, "give more, or fewer factors or layers"),
    ],
)
def test_errors_say_what_to_do(
    taggers: Any, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        taggers.build_tagger(name, **options)


@pytest.mark.parametrize(("name", "package"), FOREIGN.items())
def test_missing_package_is_named(
    taggers: Any, name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [m for m in sys.modules if m.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install 'noneuclid\[taggers\]'"):
        taggers.build_tagger(name, parameters="1k")


def test_wrong_shapes_are_refused(taggers: Any) -> None:
    tagger = build(taggers, "observables", parameters="1k")
    features, mask, momenta = some_jets()
    with pytest.raises(ValueError, match="needs momenta"):
        tagger(features, mask=mask)
    with pytest.raises(ValueError, match="mask must be a bool tensor"):
        tagger(features, mask=mask.float(), momenta=momenta)
    with pytest.raises(ValueError, match="momenta must be of shape"):
        tagger(features, mask=mask, momenta=momenta[..., :3])
