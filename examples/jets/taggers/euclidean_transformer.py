"""The Euclidean twin of PM-Transformer."""

from typing import Any

from torch import Tensor

from noneuclid.models import EuclideanTransformer
from taggers.sizes import nearest_transformer
from taggers.tagger import Tagger

FURTHER = (
    "layers",
    "class_layers",
    "heads",
    "ffn_ratio",
    "embed_layers",
    "pair_widths",
    "jet_layers",
)


class EuclideanTransformerTagger(Tagger):
    """`noneuclid.models.EuclideanTransformer`."""

    def __init__(self, network: EuclideanTransformer) -> None:
        super().__init__()
        self.network = network
        self.uses_momenta = network.pairs is not None

    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes)."""
        return self.network(features, mask, momenta)


def build(
    in_features: int,
    classes: int,
    parameters: int,
    jet_dim: int | None = None,
    dropout: float = 0.0,
    **sizes: Any,
) -> Tagger:
    """Build the tagger.

    Options:
        jet_dim: width of the jet's vector; None: that of the tokens.
        dropout: of attention weights and feed-forward maps.
        sizes: fields of `noneuclid.models.particles.Sizes`, in place of the preset's.
    """
    network = EuclideanTransformer(
        in_features,
        classes,
        jet_dim=jet_dim,
        preset=nearest_transformer(parameters),
        parameters=parameters,
        dropout=dropout,
        **sizes,
    )
    return EuclideanTransformerTagger(network)
