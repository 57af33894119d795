"""PM-Transformer and its Euclidean baseline."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

import noneuclid as ne
from noneuclid.models import EuclideanTransformer, PMTransformer
from noneuclid.models._budget import count_parameters
from noneuclid.models.pm_transformer.feed_forward import FeedForward
from noneuclid.models.pm_transformer.options import Options
from noneuclid.optim import RiemannianAdam

SIGNATURES = ["E8", "H4* x E4", "H4* x S4*", "K4(0)* x B4"]
SMALL = {"layers": 2, "heads": 2, "ffn_ratio": 2, "pair_widths": (6,)}


def batch(n: int = 5, slots: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Return features, mask and momenta of jets of 1, 2, ... particles."""
    mask = torch.arange(slots) < torch.arange(1, n + 1)[:, None]
    momenta = torch.randn(n, slots, 4)
    momenta[..., 3] = 1.01 * momenta[..., :3].square().sum(-1).sqrt()
    return 2 * torch.randn(n, slots, 7), mask, momenta


def perturbed(model: nn.Module) -> nn.Module:
    """Move parameters off their initial values: fresh biases are 0, which would hide padding."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ne.manifold_of(parameter) is None and not name.endswith("raw"):
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def models() -> list[nn.Module]:
    """Return one model for each signature, and the baseline."""
    curved = [PMTransformer(7, 2, s, s, **SMALL) for s in SIGNATURES]
    return [perturbed(m) for m in [*curved, EuclideanTransformer(7, 2, dim=8, **SMALL)]]


@pytest.mark.parametrize("model", models(), ids=[*SIGNATURES, "plain"])
def test_padding_and_the_rest_of_the_batch_change_nothing(model: nn.Module) -> None:
    """In evaluation; in training, padding alone changes nothing either."""
    model = copy.deepcopy(model)
    features, mask, momenta = batch()
    state = copy.deepcopy(model.state_dict())
    for train in (True, False):
        logits = model.train(train)(features, mask, momenta)
        assert logits.shape == (5, 2)
        for filler in (float("nan"), 1e20):
            model.load_state_dict(state)
            filled = [torch.where(mask[..., None], t, filler) for t in (features, momenta)]
            torch.testing.assert_close(model(filled[0], mask, filled[1]), logits)
        model.load_state_dict(state)
        wide = [torch.cat([t, torch.ones_like(t[:, :3])], dim=1) for t in (features, momenta)]
        more = torch.cat([mask, torch.zeros(5, 3, dtype=torch.bool)], dim=1)
        torch.testing.assert_close(model(wide[0], more, wide[1]), logits, atol=1e-5, rtol=1e-5)
        model.load_state_dict(state)
    alone = [model(*(t[i : i + 1] for t in (features, mask, momenta))) for i in range(5)]
    torch.testing.assert_close(torch.cat(alone), logits, atol=1e-5, rtol=1e-5)
    short = [model(*(t[i : i + 1, : i + 1] for t in (features, mask, momenta))) for i in range(5)]
    torch.testing.assert_close(torch.cat(short), logits, atol=1e-5, rtol=1e-5)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    turned = model(features[:, order], mask[:, order], momenta[:, order])
    torch.testing.assert_close(turned, logits, atol=1e-5, rtol=1e-5)
    assert torch.isfinite(model(features, torch.zeros_like(mask), momenta)).all()


@pytest.mark.parametrize("model", models(), ids=[*SIGNATURES, "plain"])
def test_gradients_reach_everything(model: nn.Module) -> None:
    """Padding that is NaN poisons no gradient; every parameter has one."""
    features, mask, momenta = batch(8, 8)
    features[~mask], momenta[~mask] = float("nan"), float("nan")
    model(features, mask, momenta).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def flat_weights(model: PMTransformer) -> dict[str, Tensor]:
    """Return the state of the Euclidean twin from a PM-Transformer on one flat factor each."""
    state = model.state_dict()
    shared = ("embed.", "pairs.", "head.")
    flat = {name: value for name, value in state.items() if name.startswith(shared)}

    def put(prefix: str, parameters: dict[str, Tensor]) -> None:
        flat.update({f"{prefix}.{name}": value for name, value in parameters.items()})

    put("lift", model.lift.flat_parameters())
    flat["token"] = model.token
    for kind in ("blocks", "class_blocks"):
        for i, block in enumerate(getattr(model, kind)):
            prefix = f"{kind}.{i}"
            put(f"{prefix}.norm1", block.norm1.flat_parameters())
            put(f"{prefix}.norm2", block.norm2.flat_parameters())
            attention = block.attention.flat_parameters()
            for name, value in attention.items():
                flat[f"{prefix}.{name.replace('in_proj_', 'in_proj.')}"] = value
            put(f"{prefix}.ffn.0", dict(block.ffn.up[0].named_parameters()))
            put(f"{prefix}.ffn.3", dict(block.ffn.down[0].named_parameters()))
    maps = [step for step in model.jet.maps[0] if isinstance(step, nn.Linear)]
    for i, step in enumerate(maps):
        put(f"jet.{2 * i}", dict(step.named_parameters()))
    put(f"jet.{2 * len(maps)}", model.jet.lifts[0].flat_parameters())
    put(f"jet.{2 * len(maps) + 2}", model.jet.ends[0].flat_parameters())
    return flat


def test_one_flat_factor_is_the_plain_transformer() -> None:
    """With particle="E" and jet="E" and the same weights, residuals of weight 1."""
    model = perturbed(PMTransformer(7, 2, "E8", "E8", **SMALL)).double().eval()
    with torch.no_grad():
        for block in [*model.blocks, *model.class_blocks]:
            block.residual1.log_weight.zero_()
            block.residual2.log_weight.zero_()
    twin = EuclideanTransformer(7, 2, dim=8, hidden=16, **SMALL).double().eval()
    twin.load_state_dict(flat_weights(model))
    features, mask, momenta = batch()
    features = features.double()
    found = model(features, mask, momenta)
    torch.testing.assert_close(found, twin(features, mask, momenta), atol=1e-9, rtol=1e-9)
    assert found.std() > 1e-3


@pytest.mark.parametrize("preset", ["1k", "5k", "25k"])
@pytest.mark.parametrize("signature", ["E", "H x E", "H* x S*"])
def test_presets(preset: str, signature: str) -> None:
    """Every geometry meets the budget within 2 %, as the baseline does."""
    parameters = {"1k": 1_000, "5k": 5_000, "25k": 25_000}[preset]
    for model in (
        PMTransformer(7, 2, signature, signature, preset=preset),
        EuclideanTransformer(7, 2, preset=preset),
    ):
        assert abs(count_parameters(model) - parameters) <= 0.02 * parameters


@pytest.mark.parametrize(
    "choices",
    [
        {"score": "transported"},
        {"score": "lorentz", "split": "lorentz"},
        {"score": "distance"},
        {"residual": "midpoint"},
        {"residual": "lorentz"},
        {"coupling": "sun"},
        {"coupling": "mean", "coupling_period": 1},
        {"coupling": "none"},
        {"pair_widths": None},
        {"head": "hyperplane"},
        {"head": "busemann"},
        {"head": "prototype"},
        {"activation": torch.relu, "dropout": 0.1},
    ],
    ids=lambda choices: ", ".join(choices),
)
def test_every_choice(choices: dict) -> None:
    """The ablations build, run and train a step."""
    model = PMTransformer(7, 3, "H4* x E4", "B3 x S3", **{**SMALL, **choices})
    features, mask, momenta = batch()
    optimizer = RiemannianAdam(model.parameters(), lr=1e-3)
    model(features, mask, momenta).square().sum().backward()
    optimizer.step()
    logits = model(features, mask, momenta)
    assert logits.shape == (5, 3)
    assert torch.isfinite(logits).all()


def test_what_fresh_blocks_start_from() -> None:
    """Residuals share out one unit; orthogonal maps, but for queries and keys that are sharper."""
    model = PMTransformer(7, 2, "H8(-4) x E4", "E8", **{**SMALL, "layers": 3, "class_layers": 2})
    for block in [*model.blocks, *model.class_blocks]:
        for residual in (block.residual1, block.residual2):
            torch.testing.assert_close(residual.log_weight.exp(), torch.full((2,), 10**-0.5))
        for part, dim, radius in zip(block.attention.parts, (8, 4), (0.5, 1.0), strict=True):
            unit = torch.eye(dim)
            for weight, gain in zip(part.in_proj_weight.split(dim), (1, 1, 0), strict=True):
                size = dim / radius**2 if gain else 1.0
                torch.testing.assert_close(weight @ weight.mT, size * unit, atol=1e-4, rtol=1e-4)


def test_dropout_acts_in_training_on_particles_alone() -> None:
    """In attention and feed-forward maps of the particle blocks, never of the class blocks."""
    model = PMTransformer(7, 2, "H4 x E4", "H4", dropout=0.3, **SMALL)
    for blocks, p in ((model.blocks, 0.3), (model.class_blocks, 0.0)):
        assert [(b.attention.options.dropout, b.ffn.dropout.p) for b in blocks] == [(p, p)] * len(
            blocks
        )
    given = batch()
    assert not model(*given).equal(model(*given))
    assert model.eval()(*given).equal(model(*given))


@pytest.mark.parametrize("size", [(2, 0), (0, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("train", [True, False])
def test_sets_and_batches_of_next_to_nothing(size: tuple[int, int], train: bool) -> None:
    """No slot, no jet, or one jet of one particle: finite logits, gradients and statistics."""
    model = PMTransformer(7, 2, "H4* x E4", "S4*", **SMALL).train(train)
    features, momenta = torch.randn(*size, 7, requires_grad=True), torch.rand(*size, 4)
    for mask in (None, torch.ones(size, dtype=torch.bool), torch.zeros(size, dtype=torch.bool)):
        logits = model(features, mask, momenta)
        assert logits.shape == (size[0], 2)
        logits.sum().backward()
        found = [logits, *model.buffers(), *(p.grad for p in model.parameters())]
        assert all(torch.isfinite(t).all() for t in found if t is not None)


def test_copies() -> None:
    """deepcopy, pickle and state dict give the same model, marks included."""
    model = PMTransformer(7, 2, "H4* x S4", "H4*", **SMALL).eval()
    given = batch()
    logits = model(*given)
    loaded = PMTransformer(7, 2, "H4* x S4", "H4*", **SMALL).eval()
    loaded.load_state_dict(model.state_dict())
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        assert other(*given).equal(logits)
        assert ne.manifold_of(other.token).same_as(model.space)


def test_attention_weights_of_the_plain_block() -> None:
    """They are the ones of the block's attention: sums of the values by them are what it gives."""
    torch.manual_seed(0)
    block = EuclideanTransformer(7, 2, dim=8, **SMALL).blocks[0].double().eval()
    x, bias = torch.randn(3, 6, 8).double(), torch.randn(3, block.heads, 6, 6).double()
    mask = torch.arange(6) < torch.tensor([6, 3, 1])[:, None]
    weights = block.attention_weights(x, x, mask, bias)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert (weights.movedim(-1, 1)[~mask] == 0).all()
    values = block._projected(x, x)[2]
    given = block.out_proj((weights @ values).transpose(1, 2).flatten(-2))
    torch.testing.assert_close(given, block._attend(x, x, mask, bias))
    without = block.attention_weights(x, x, mask)
    torch.testing.assert_close(without, block.attention_weights(x, x, mask, 0 * bias))


def test_embedding_of_jets() -> None:
    """Jets are points of their manifold."""
    model = PMTransformer(7, 2, "H4 x E4", "B3 x S3", **SMALL).eval()
    points = model.embed_jets(*batch())
    assert points.shape == (5, *model.jet_space.point_shape)
    assert model.jet_space.check_point(points).all()


def test_compiles_in_one_graph() -> None:
    """Forward and backward, with the curvature learned."""
    model = PMTransformer(7, 2, "H4* x E4", "H4*", **SMALL).eval()
    given = batch()
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    expected = model(*given)
    found = compiled(*given)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    names, parameters = zip(*model.named_parameters(), strict=True)
    pairs = [torch.autograd.grad(y.square().sum(), parameters) for y in (found, expected)]
    for name, a, b in zip(names, *pairs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("signature", ["H6", "H6 x E6", "H6 x E4"])
def test_feed_forward_maps_compute_their_activation_again(signature: str) -> None:
    """One hidden row is kept for each point, not two; gradients are those of the plain formula."""
    space = ne.manifold(signature)
    layer = FeedForward(space, 5, Options(), 0.0)
    c = torch.randn(40, space.dim, requires_grad=True)
    kept: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        found = layer(c)
    own = {p.untyped_storage().data_ptr() for p in [c, *layer.parameters()]}
    hidden = 4 * 40 * 5 * space.dim
    assert sum(size for place, size in kept.items() if place not in own) < 1.7 * hidden
    parameters = [c, *layer.parameters()]
    again = torch.autograd.grad(found.square().sum(), parameters)

    def plain(c: Tensor) -> Tensor:
        return layer(c).square().sum()

    torch.testing.assert_close(again[0], torch.func.grad(plain)(c.detach()))


def test_errors() -> None:
    """Wrong arguments are named."""
    model = PMTransformer(7, 2, "E4", "E4", **{**SMALL, "heads": 1})
    features, mask, momenta = batch()
    with pytest.raises(ValueError, match=r"features of shape \(B, P, 7\), got \(5, 6, 6\)"):
        model(features[..., :6], mask, momenta)
    with pytest.raises(ValueError, match=r"mask must be a bool tensor of shape \(5, 6\)"):
        model(features, mask.float(), momenta)
    with pytest.raises(ValueError, match="momenta"):
        model(features, mask)
    with pytest.raises(ValueError, match="unknown preset '3k'"):
        PMTransformer(7, 2, preset="3k")
    with pytest.raises(ValueError, match="not both"):
        PMTransformer(7, 2, preset="1k", dim=4)
    with pytest.raises(ValueError, match="not both"):
        EuclideanTransformer(7, 2)
    with pytest.raises(ValueError, match="coupling must be one of"):
        PMTransformer(7, 2, "E4", "E4", coupling="v3")
    with pytest.raises(ValueError, match="heads"):
        PMTransformer(7, 2, "E5 x H5", "E5", heads=2)
    with pytest.raises(TypeError, match="width"):
        PMTransformer(7, 2, "E4", "E4", width=3)
