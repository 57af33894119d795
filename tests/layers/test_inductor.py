"""Compiled for this machine: one layer of each family and whole models, values and gradients."""

import pytest
import torch
from layer_cases import CASES, points
from torch import Tensor, nn

import noneuclid as ne
from noneuclid import layers
from noneuclid.models import PMMLP, PMTransformer

pytestmark = pytest.mark.slow  # the compiler of C++ takes most of a minute each

FAMILIES = (
    layers.Linear,
    layers.MultiheadAttention,
    layers.KernelAttention,
    layers.HyperplaneClassifier,
    layers.InterManifoldAttention,
    layers.TangentLayerNorm,
    layers.Concat,
    layers.Conv1d,
    layers.MidpointPool,
    layers.LearnedPosition,
    layers.GRU,
    layers.Residual,
    layers.Chain,
)
FIRST = {cls: build for (cls, _), build in reversed(CASES.items()) if cls in FAMILIES}


def assert_compiles(module: nn.Module, given: list[Tensor]) -> None:
    """One graph, whose values and gradients are the eager ones."""
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True)
    names, parameters = zip(*[("x", given[0]), *module.named_parameters()], strict=True)
    results = []
    for function in (compiled, module):
        y = function(*given)
        weight = torch.linspace(0.5, 1.5, y.numel()).reshape(y.shape).to(y.dtype)
        gradients = torch.autograd.grad((weight * y).sum(), parameters, allow_unused=True)
        results.append((y.detach(), *gradients))
    for name, a, b in zip(["y", *names], *results, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("cls", FAMILIES)
def test_layers(cls: type[layers.Layer]) -> None:
    """On a product of a learned hyperboloid and a plane."""
    found = FIRST[cls](ne.manifold("H3* x E2"))
    layer = found.layer.eval()
    m = layer.manifold_in
    x = points(m, 0.7 * torch.randn(*found.shape(4), m.dim)).detach().requires_grad_()
    assert_compiles(layer, [x])


@pytest.mark.parametrize("name", ["PMTransformer", "PMMLP"])
def test_models(name: str) -> None:
    """In evaluation, with padding."""
    features = torch.randn(4, 5, 7, requires_grad=True)
    mask = torch.arange(5) < torch.arange(1, 5)[:, None]
    if name == "PMMLP":
        assert_compiles(PMMLP(7, 2, "H4* x E4"), [features, mask])
        return
    sizes = {"layers": 2, "heads": 2, "ffn_ratio": 2, "pair_widths": (6,)}
    momenta = torch.randn(4, 5, 4)
    momenta[..., 3] = 1.01 * momenta[..., :3].norm(dim=-1)
    model = PMTransformer(7, 2, "H4* x E4", "H4*", **sizes).eval()
    assert_compiles(model, [features, mask, momenta])
