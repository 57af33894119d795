"""The Euclidean twin of PM-MLP."""

from torch import Tensor

from noneuclid.models import EuclideanMLP
from taggers.tagger import Tagger


class EuclideanMLPTagger(Tagger):
    """`noneuclid.models.EuclideanMLP`: an MLP on each particle, their mean, an MLP."""

    def __init__(self, network: EuclideanMLP) -> None:
        super().__init__()
        self.network = network

    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes)."""
        return self.network(features, mask)


def build(in_features: int, classes: int, parameters: int, layers: int = 3) -> Tagger:
    """Build the tagger.

    Options:
        layers: linear maps of a particle.
    """
    return EuclideanMLPTagger(
        EuclideanMLP(in_features, classes, parameters=parameters, layers=layers)
    )
