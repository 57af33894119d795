"""PM-MLP: a set network with particles on a product of manifolds."""

from torch import Tensor

from noneuclid.models import PMMLP
from taggers.tagger import Tagger


class PMMLPTagger(Tagger):
    """`noneuclid.models.PMMLP`."""

    def __init__(self, network: PMMLP) -> None:
        super().__init__()
        self.network = network

    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes)."""
        return self.network(features, mask)


def build(
    in_features: int,
    classes: int,
    parameters: int,
    signature: str = "H x E",
    layers: int = 3,
    norm: bool = True,
) -> Tagger:
    """Build the tagger.

    Options:
        signature: the product, without widths.
        layers: linear maps of a particle, the lift included.
        norm: whether a layer norm ends the particle embedding.
    """
    return PMMLPTagger(
        PMMLP(in_features, classes, signature, layers=layers, norm=norm, parameters=parameters)
    )
