"""Models without memory, and models that start again."""

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.models import PMMLP, EuclideanMLP, EuclideanTransformer, PMTransformer
from noneuclid.models.particles import MaskedBatchNorm

SIZES = {"dim": 8, "layers": 2, "heads": 2, "pair_widths": (6,)}
BUILDERS = {
    "PMMLP": lambda **where: PMMLP(7, 2, "H8(-2)* x S4* x E2", **where),
    "EuclideanMLP": lambda **where: EuclideanMLP(7, 2, width=8, **where),
    "PMTransformer": lambda **where: PMTransformer(
        7, 2, "H(-9)* x E", "K(0)*", head="busemann", **SIZES, **where
    ),
    "EuclideanTransformer": lambda **where: EuclideanTransformer(7, 2, **SIZES, **where),
}
every_model = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
LARGE = 32  # numbers of which the norm varies little from one draw to the next


def fill(model: nn.Module) -> None:
    """Put into every tensor what fresh memory may hold."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.fill_(77)


def assert_like(model: nn.Module, fresh: nn.Module) -> None:
    """Nothing is left of what stood there, and values are of the size of a fresh model's."""
    expected = fresh.state_dict()
    for name, value in model.state_dict().items():
        assert not (value == 77).any(), name
        if value.numel() >= LARGE or not expected[name].any() or name.endswith("raw"):
            sizes = value.double().norm(), expected[name].double().norm()
            torch.testing.assert_close(*sizes, rtol=0.4, atol=1e-6, msg=f"{name}: {sizes}")
    marks = [{n for n, p in m.named_parameters() if ne.manifold_of(p)} for m in (model, fresh)]
    assert marks[0] == marks[1]


def assert_runs(model: nn.Module) -> None:
    given = [torch.randn(3, 4, 7), torch.ones(3, 4, dtype=torch.bool)]
    if hasattr(model, "pairs"):
        given.append(torch.tensor([1.0, 2.0, 3.0, 5.0]) * torch.rand(3, 4, 1))
    assert torch.isfinite(model.eval()(*given)).all()


@every_model
def test_from_the_meta_device(build) -> None:
    """Shapes first, with curvatures there or on the CPU; then memory, then numbers."""
    for outside in (True, False):
        if outside:
            with torch.device("meta"):
                model = build()
        else:
            model = build(device="meta")
        assert all(p.is_meta for n, p in model.named_parameters() if not n.endswith("raw"))
        model.to_empty(device="cpu")
        fill(model)
        model.reset_parameters()
        assert_like(model, build())
        assert_runs(model)


@every_model
def test_a_fresh_start(build) -> None:
    """After training: other numbers of the same size, curvatures where they began."""
    model = build()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fill(model)
    model.reset_parameters()
    assert_like(model, build())
    drawn = [name for name, value in build().state_dict().items() if not value.equal(before[name])]
    assert drawn
    assert not any(model.state_dict()[name].equal(before[name]) for name in drawn)
    norms = [module for module in model.modules() if isinstance(module, MaskedBatchNorm)]
    assert all(not norm.running_mean.any() for norm in norms)
