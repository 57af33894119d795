"""The plain MLP: the leading particles side by side in one vector."""

import torch
from torch import Tensor, nn

from taggers.sizes import fit
from taggers.tagger import Tagger


class FlatMLP(Tagger):
    """MLP of the features of the leading particles, in their order; missing ones are zeros.

    The network of trigger papers: fast, but what it learns of one slot it has to learn again for
    the next.
    """

    def __init__(
        self, in_features: int, classes: int, particles: int, width: int, head: int
    ) -> None:
        super().__init__()
        self.particles = particles
        self.network = nn.Sequential(
            nn.Linear(particles * in_features, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, head),
            nn.ReLU(),
            nn.Linear(head, classes),
        )

    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes)."""
        leading = features[:, : self.particles]
        missing = self.particles - leading.shape[1]
        return self.network(torch.nn.functional.pad(leading, (0, 0, 0, missing)).flatten(1))


def build(in_features: int, classes: int, parameters: int, particles: int = 16) -> Tagger:
    """Build the tagger.

    Options:
        particles: how many leading ones are seen.
    """
    return fit(
        lambda width, head: FlatMLP(in_features, classes, particles, width, head), parameters
    )
