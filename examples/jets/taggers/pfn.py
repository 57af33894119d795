"""Particle flow network: the deep set of jet physics."""

import torch
from torch import Tensor, nn

from taggers.sizes import fit
from taggers.tagger import Tagger


class ParticleFlowNetwork(Tagger):
    """F(sum over particles of Phi(features)), Phi and F MLPs of three linear maps each.

    Args:
        in_features: F.
        classes: number of logits.
        width: of the hidden layers of Phi and the first of F; the sum is twice as wide.
        head: width of the second hidden layer of F.

    Source: [komiske2019energy] section 3, with the proportions of its networks, 100-100-256 and
    100-100-100, in small.
    """

    def __init__(self, in_features: int, classes: int, width: int, head: int) -> None:
        super().__init__()
        self.phi = nn.Sequential(
            nn.Linear(in_features, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 2 * width),
            nn.ReLU(),
        )
        self.f = nn.Sequential(
            nn.Linear(2 * width, width),
            nn.ReLU(),
            nn.Linear(width, head),
            nn.ReLU(),
            nn.Linear(head, classes),
        )

    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes)."""
        return self.f(torch.where(mask[..., None], self.phi(features), 0).sum(1))


def build(in_features: int, classes: int, parameters: int) -> Tagger:
    """Build the tagger."""
    return fit(
        lambda width, head: ParticleFlowNetwork(in_features, classes, width, head),
        parameters,
        ratio=1,
    )
