"""MultiheadAttention: its torch.nn twin, options, masks, derivatives, errors."""

import pytest
import torch
from layer_cases.case import coordinates, points
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import noneuclid as ne
from noneuclid.layers import MultiheadAttention
from noneuclid.layers._ambient import from_ambient, to_ambient

MANIFOLDS = ["E8", "H8(-0.7)*", "B8(-1.3)*", "S8(0.5)*", "K8(0)*", "H4 x E4"]


def perturbed(layer: MultiheadAttention) -> MultiheadAttention:
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "curvature" not in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return layer


def inputs(signature: str, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Points that ask (2, 3, S) and points that are asked (2, 5, S)."""
    m = ne.manifold(signature).to(dtype)
    with torch.no_grad():
        return (
            points(m, 0.3 * torch.randn(2, 3, m.dim, dtype=dtype)),
            points(m, 0.3 * torch.randn(2, 5, m.dim, dtype=dtype)),
        )


@pytest.mark.parametrize("signature", ["K8(0)", "E8"])
@pytest.mark.parametrize("split", ["beta", "lorentz"])
def test_flat_limit_is_the_twin(signature: str, split: str) -> None:
    """On flat space it is torch's attention: same weights, padding, bias and order."""
    m = ne.manifold(signature)
    layer = perturbed(MultiheadAttention(m, 4, split=split))
    twin = nn.MultiheadAttention(8, 4, batch_first=True)
    twin.load_state_dict(layer.flat_parameters())
    c, context = torch.randn(6, 7, 8), torch.randn(6, 5, 8)
    mask = torch.rand(6, 5) < 0.6
    mask[:, 0] = True
    bias = torch.randn(6, 4, 7, 5)
    x, y = points(m, c), points(m, context)
    hidden = torch.zeros(6, 5).masked_fill(~mask, -torch.inf)
    expected, weights = twin(
        c,
        context,
        context,
        key_padding_mask=hidden,
        attn_mask=bias.flatten(0, 1),
        average_attn_weights=False,
    )
    close = {"atol": 1e-6, "rtol": 1e-6}
    given = {"mask": mask, "bias": bias}
    torch.testing.assert_close(coordinates(m, layer(x, y, **given)), expected, **close)
    torch.testing.assert_close(layer.attention_weights(x, y, **given), weights, **close)
    order = torch.full((7, 7), -torch.inf).triu(1)
    expected, _ = twin(c, c, c, attn_mask=order)
    torch.testing.assert_close(coordinates(m, layer(x, causal=True)), expected, **close)


@pytest.mark.parametrize("signature", MANIFOLDS)
@pytest.mark.parametrize("score", ["tangent", "transported", "lorentz", "squared distance"])
def test_math_is_fused(signature: str, score: str) -> None:
    """Both ways give the same, in value and gradient, with every kind of mask."""
    x, y = inputs(signature)
    fused = perturbed(MultiheadAttention(ne.manifold(signature), 2, score=score))
    math = MultiheadAttention(ne.manifold(signature), 2, score=score, attention="math")
    math.load_state_dict(fused.state_dict())
    mask = torch.tensor([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0]], dtype=torch.bool)
    bias = torch.randn(2, 1, 3, 5)
    found = []
    for layer in (fused, math):
        leaf, term = x.clone().requires_grad_(), bias.clone().requires_grad_()
        out = layer(leaf, y, mask=mask, bias=term, causal=True)
        found.append((out, *torch.autograd.grad(out.square().sum(), (leaf, term))))
    torch.testing.assert_close(*found, atol=2e-5, rtol=2e-4)
    origin = fused.manifold_out.origin(3)
    assert torch.equal(found[0][0][1], origin)
    assert torch.equal(found[1][0][1], origin)


def test_order_and_padding_leave_rows_without_a_key() -> None:
    """Where padding hides all keys up to its own, a query gives the origin and finite gradients."""
    x, _ = inputs("H8(-0.7)*")
    layer = perturbed(MultiheadAttention(ne.manifold("H8(-0.7)*"), 2))
    mask = torch.tensor([[0, 1, 1], [1, 1, 1]], dtype=torch.bool)
    leaf = x.requires_grad_()
    out = layer(leaf, mask=mask, causal=True)
    assert torch.equal(out[0, 0], layer.manifold_out.origin())
    assert not torch.equal(out[0, 1], layer.manifold_out.origin())
    gradients = torch.autograd.grad(out.sum(), [leaf, *layer.parameters()])
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    nothing = layer(x, x[:, :0])
    assert torch.equal(nothing, layer.manifold_out.origin(2, 3))


@pytest.mark.parametrize("score", ["tangent", "squared distance"])
def test_math_has_all_derivatives(score: str) -> None:
    """Second derivatives and forward mode agree with differences of first ones."""
    m = ne.manifold("H4(-0.7)")
    layer = perturbed(MultiheadAttention(m, 2, score=score, attention="math")).double()
    c = 0.3 * torch.randn(1, 3, 4, dtype=torch.float64)
    assert torch.autograd.gradgradcheck(layer.tangent, c.clone().requires_grad_())
    v = torch.randn_like(c)
    _, derivative = torch.func.jvp(layer.tangent, (c,), (v,))
    step = 1e-6
    expected = (layer.tangent(c + step * v) - layer.tangent(c - step * v)) / (2 * step)
    torch.testing.assert_close(derivative, expected, atol=1e-7, rtol=1e-6)


def test_fused_names_the_way_to_second_derivatives() -> None:
    """The error says attention="math"."""
    layer = MultiheadAttention(ne.manifold("H4"), 2)
    c = torch.randn(1, 3, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer.tangent(c).square().sum(), c, create_graph=True)
    with pytest.raises(RuntimeError, match='attention="math"'):
        gradient.sum().backward()
    with pytest.raises(RuntimeError, match='attention="math"'):
        torch.func.jvp(layer.tangent, (c.detach(),), (c.detach(),))


@pytest.mark.parametrize("signature", ["E4", "H4(-0.7)", "B4", "S4(0.5)", "P4", "K4(-0.6)"])
@pytest.mark.parametrize("score", ["lorentz", "distance", "squared distance"])
def test_one_head_with_identities_commutes_with_motions(signature: str, score: str) -> None:
    """Scores by distances and midpoints know no origin: only the matrices do."""
    m = ne.manifold(signature)
    layer = MultiheadAttention(m, 1, score=score).double()
    with torch.no_grad():
        layer.parts[0].in_proj_weight.copy_(torch.eye(4).repeat(3, 1))
        layer.parts[0].out_proj.weight.copy_(torch.eye(4))
    x = points(m, 0.5 * torch.randn(2, 5, 4, dtype=torch.float64))
    motion = m.random_isometry(torch.Generator().manual_seed(5), dtype=torch.float64)
    torch.testing.assert_close(layer(motion(x)), motion(layer(x)), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("score", ["tangent", "transported", "lorentz", "distance"])
@pytest.mark.parametrize("split", ["beta", "lorentz"])
def test_rotations_within_a_head(score: str, split: str) -> None:
    """To turn values within their heads turns the outputs; to turn queries with keys does not."""
    m = ne.manifold("H4(-0.7)")
    layer = MultiheadAttention(m, 2, score=score, split=split).double()
    turned = MultiheadAttention(m, 2, score=score, split=split).double()
    turned.load_state_dict(layer.state_dict())
    turns = torch.block_diag(*torch.linalg.qr(torch.randn(2, 2, 2, dtype=torch.float64))[0])
    q, k, v = turned.parts[0].in_proj_weight.detach().split(4)
    with torch.no_grad():
        turned.parts[0].in_proj_weight.copy_(torch.cat([turns @ q, turns @ k, turns @ v]))
        weight = turned.parts[0].out_proj.weight
        weight.copy_(weight @ turns.mT)
    x = points(m, torch.randn(2, 5, 4, dtype=torch.float64))
    torch.testing.assert_close(turned(x), layer(x), atol=1e-10, rtol=1e-10)


def test_dropout_keeps_a_mean() -> None:
    """In training weights are dropped and the others are weights of a mean; in eval none is."""
    m = ne.manifold("H4")
    layer = MultiheadAttention(m, 1, dropout=0.5)
    c = torch.randn(1, 1, 4).expand(4, 6, 4)  # the mean of one point, whatever its weights
    with torch.no_grad():
        layer.parts[0].out_proj.weight.copy_(torch.eye(4))
    value = c @ layer.parts[0].in_proj_weight[8:].mT
    layer.train()
    out = layer.tangent(c)
    kept = out.abs().sum(-1) > 0  # a query may lose all its keys
    torch.testing.assert_close(out[kept], value[kept], atol=1e-5, rtol=1e-5)
    varied = torch.randn(4, 6, 4)
    assert not torch.equal(layer.tangent(varied), layer.tangent(varied))
    layer.eval()
    assert torch.equal(layer.tangent(varied), layer.tangent(varied))


def test_factors_attend_by_themselves() -> None:
    """On a product each factor has its own attention with all heads; weights are one table each."""
    P = ne.manifold("H4(-0.7) x E4")
    layer = perturbed(MultiheadAttention(P, 2))
    x, _ = inputs("H4(-0.7) x E4")
    alone = MultiheadAttention(ne.manifold("H4(-0.7)"), 2)
    alone.parts[0].load_state_dict(layer.parts[0].state_dict())
    first = P.split(x)[0]
    torch.testing.assert_close(P.split(layer(x))[0], alone(first))
    weights = layer.attention_weights(x)
    assert weights.shape == (2, 2, 2, 3, 3)
    torch.testing.assert_close(weights[:, 0], alone.attention_weights(first))


@pytest.mark.parametrize("score", ["tangent", "lorentz", "distance"])
def test_autocast(score: str) -> None:
    """Under bfloat16 autocast outputs and gradients are finite and near those without."""
    m = ne.manifold("H8(-0.7)* x S8")
    layer = MultiheadAttention(m, 2, score=score)
    x = points(m, 0.2 * torch.randn(3, 5, 16)).detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x, mask=torch.ones(3, 5, dtype=torch.bool))
    torch.testing.assert_close(y.float(), layer(x), atol=0.05, rtol=0.05)
    gradients = torch.autograd.grad(y.float().sum(), [x, *layer.parameters()], allow_unused=True)
    assert all(torch.isfinite(g).all() for g in gradients if g is not None)


class Calls(TorchDispatchMode):
    """Record the name and the number of entries of what every operation returns."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.largest = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        self.names.add(function.__name__)
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, Tensor):
                self.largest = max(self.largest, tensor.numel())
        return out


@pytest.mark.parametrize("signature", ["H8(-0.7)", "S8", "K8(0)"])
@pytest.mark.parametrize("score", ["tangent", "transported", "lorentz", "distance"])
def test_no_table_of_pairs_and_dimensions(signature: str, score: str) -> None:
    """Forward and backward: a fused call for inner products, one table of scores for distances."""
    m = ne.manifold(signature)
    layer = MultiheadAttention(m, 2, score=score)
    B, H, N, d = 3, 2, 64, 4
    x = points(m, 0.3 * torch.randn(B, N, 8)).detach().requires_grad_()
    with Calls() as calls:
        layer(x, mask=torch.rand(B, N) < 0.7).sum().backward()
    fused = any("scaled_dot_product" in name for name in calls.names)
    assert fused is (score != "distance")
    rows = B * N * 3 * 8  # queries, keys and values
    assert rows < B * H * N * N < B * H * N * N * d / 2
    assert calls.largest <= (rows if fused else B * H * N * N), calls.largest


def test_a_fresh_layer_keeps_the_radius() -> None:
    """Outputs lie no farther out than the farthest point that is asked."""
    m = ne.manifold("H16")
    layer = MultiheadAttention(m, 4)
    c = torch.randn(8, 10, 16)
    c = c / c.norm(dim=-1, keepdim=True)
    radius = layer.tangent(c).norm(dim=-1)
    assert radius.max() <= 1.0
    assert radius.mean() >= 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "heads must divide .* got 3 heads for .* of dimension 8"),
        ({"heads": 0}, "got 0 heads"),
        ({"heads": 2, "score": "cosine"}, "score must be one of .* got 'cosine'"),
        ({"heads": 2, "split": "even"}, "split must be one of"),
        ({"heads": 2, "attention": "flash"}, "attention must be one of"),
        ({"heads": 2, "dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"heads": 2, "scale": 0.0}, "scale must be a positive number"),
    ],
)
def test_refused_options(options: dict, message: str) -> None:
    """The message says what was expected and what came."""
    with pytest.raises(ValueError, match=message):
        MultiheadAttention(ne.manifold("H8"), **options)


def test_refused_input() -> None:
    """A mask of another shape, and one point instead of a set."""
    layer = MultiheadAttention(ne.manifold("E8"), 2)
    x = torch.randn(2, 3, 8)
    with pytest.raises(ValueError, match=r"mask must be a bool tensor of shape \(2, 3\)"):
        layer(x, mask=torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"between sets of points \(B, n, S\)"):
        layer(x[0])


def test_the_mean_is_the_midpoint() -> None:
    """Ambient sums of heads of the beta split are midpoints in a space of curvature beta^2 K."""
    m = ne.manifold("B4(-0.7)")
    c, w = torch.randn(5, 4, dtype=torch.float64), torch.rand(5, dtype=torch.float64)
    bent = ne.PoincareBall(4, 4 * -0.7)
    X, T = to_ambient(m, c, bend=4.0)
    mean = from_ambient(m, (w @ X)[None], (w @ T)[None], bend=4.0)
    expected = coordinates(bent, bent.midpoint(points(bent, c), w))
    torch.testing.assert_close(mean[0], expected)
