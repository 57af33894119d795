"""Every preset trains on real jets under bfloat16 autocast: nothing overflows, the loss falls."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from noneuclid.datasets import Jets, load_jets
from noneuclid.layers import Drop, Lift, MidpointPool
from noneuclid.models import PMMLP, EuclideanTransformer, HyperbolicTransformer, PMTransformer
from noneuclid.models.hyperbolic_transformer import Kind
from noneuclid.models.particles import LEARNING_RATES
from noneuclid.optim import RiemannianAdam

SAMPLE = Path(__file__).parents[2] / "examples" / "jets" / "sample"
STEPS = {"1k": 2000, "5k": 2000, "25k": 2000, "250k": 200, "1M": 200, "2M": 200}


@pytest.fixture(scope="module")
def jets() -> Jets:
    """Return the training jets that lie in the repository."""
    return load_jets(SAMPLE, split="train", max_particles=32)


class Tagger(nn.Module):
    """Particles lifted to a manifold, the encoder between points, the midpoint of a jet's."""

    def __init__(self, preset: str, signature: str, attention: Kind) -> None:
        super().__init__()
        self.encoder = HyperbolicTransformer(signature, preset=preset, attention=attention)
        space = self.encoder.manifold_in
        self.lift, self.pool, self.drop = Lift(7, space), MidpointPool(space), Drop(space, 2)

    def forward(self, features: Tensor, mask: Tensor, momenta: Tensor) -> Tensor:
        return self.drop(self.pool(self.encoder(self.lift(features), mask), mask))


def train(model: nn.Module, jets: Jets, lr: float, steps: int, batch: int = 64) -> list[float]:
    """Take `steps` steps under autocast and return the losses; every parameter stays finite."""
    optimizer = RiemannianAdam(model.parameters(), lr=lr)
    made = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(steps):
        index = torch.randint(len(jets), (batch,), generator=made)
        part = jets.subset(index)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            given = [part.features, part.mask]
            logits = model(*given) if isinstance(model, PMMLP) else model(*given, part.momenta)
            loss = nn.functional.cross_entropy(logits.float(), part.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        assert all(torch.isfinite(p).all() for p in model.parameters()), f"step {len(losses)}"
    return losses


def assert_learned(losses: list[float]) -> None:
    start, end = (sum(part) / len(part) for part in (losses[:10], losses[-10:]))
    assert end < min(0.9 * start, 0.6), (start, end)


@pytest.mark.parametrize("signature", ["H* x E", "S* x K(0)*"])
def test_short(signature: str) -> None:
    """The smallest preset, sixty steps of short jets: every geometry learns, spheres too."""
    model = PMTransformer(7, 2, signature, signature, preset="1k")
    jets = load_jets(SAMPLE, split="train", max_particles=16)
    assert_learned(train(model, jets, LEARNING_RATES["1k"], 60))


@pytest.mark.slow
@pytest.mark.parametrize("signature", ["H* x E", "H* x S*", "K(0)* x B"])
@pytest.mark.parametrize("preset", STEPS)
def test_presets(preset: str, signature: str, jets: Jets) -> None:
    """2,000 steps up to 25k parameters, 200 above, at the preset's learning rate."""
    model = PMTransformer(7, 2, signature, signature, preset=preset, dropout=0.1)
    assert_learned(train(model, jets, LEARNING_RATES[preset], STEPS[preset]))


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["softmax", "linear"])
@pytest.mark.parametrize("preset", STEPS)
def test_encoder_presets(preset: str, attention: Kind, jets: Jets) -> None:
    """The encoder between points, as far and at the same rates."""
    model = Tagger(preset, "H*", attention)
    assert_learned(train(model, jets, LEARNING_RATES[preset], STEPS[preset]))


@pytest.mark.slow
def test_others(jets: Jets) -> None:
    """The baseline, and PM-MLP."""
    assert_learned(train(EuclideanTransformer(7, 2, preset="25k"), jets, 2e-3, 500))
    assert_learned(train(PMMLP(7, 2, "H* x S*", parameters=5000), jets, 5e-3, 2000))
