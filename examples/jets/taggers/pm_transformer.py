"""PM-Transformer: particles as points of a product of manifolds that attend to each other."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from noneuclid.models import PMTransformer
from taggers.euclidean_transformer import FURTHER as SIZES
from taggers.sizes import nearest_transformer
from taggers.tagger import Tagger

ACTIVATIONS = {"gelu": F.gelu, "relu": torch.relu, "silu": F.silu}
FURTHER = ("score", "split", "residual", "coupling", "coupling_period", "dropout", *SIZES)


class PMTransformerTagger(Tagger):
    """`noneuclid.models.PMTransformer`."""

    def __init__(self, network: PMTransformer) -> None:
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
    signature: str = "H x E",
    jet_signature: str | None = None,
    jet_dim: int | None = None,
    head: str = "mlp",
    activation: str = "gelu",
    **choices: Any,
) -> Tagger:
    """Build the tagger.

    Options:
        signature: of the particles' product, without widths.
        jet_signature: of the jets' product; None: the same.
        jet_dim: dimension of each factor of the latter; None: that of the particles.
        head: "mlp", "hyperplane", "busemann" or "prototype".
        activation: "gelu", "relu" or "silu".
        choices: the ablations (score, split, residual, coupling, coupling_period, dropout) and the
            fields of `noneuclid.models.particles.Sizes`, in place of the preset's.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    network = PMTransformer(
        in_features,
        classes,
        particle=signature,
        jet=signature if jet_signature is None else jet_signature,
        jet_dim=jet_dim,
        preset=nearest_transformer(parameters),
        parameters=parameters,
        head=head,
        activation=ACTIVATIONS[activation],
        **choices,
    )
    return PMTransformerTagger(network)
