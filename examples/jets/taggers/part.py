"""Particle Transformer (ParT): weaver-core's own network, sized to a budget."""

from typing import Any

import torch
from torch import Tensor, nn

from taggers.sizes import fit, transformer_sizes
from taggers.tagger import Tagger


class ParticleTransformerTagger(Tagger):
    """`weaver.nn.model.ParticleTransformer.ParticleTransformer`.

    Its attention needs one particle: a jet without any is shown as one at rest with features 0.
    Its batch norm of the features counts padded slots in training, so padding changes what is
    learned, but not what a trained network says.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.uses_momenta = network.pair_embed is not None

    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes)."""
        first = torch.arange(mask.shape[1], device=mask.device) == 0
        inside = mask | (first & ~mask.any(-1, keepdim=True))
        return self.network(features.mT, None if momenta is None else momenta.mT, inside[:, None])


def build(
    in_features: int,
    classes: int,
    parameters: int,
    version: int = 1,
    dropout: float = 0.0,
    layers: int | None = None,
    class_layers: int | None = None,
    heads: int | None = None,
) -> Tagger:
    """Build the tagger.

    Options:
        version: of weaver's network: 1, as published, 2 or 3.
        dropout: everywhere; weaver's own default, for networks of 2 million parameters, is 0.1.
        layers: particle blocks; None, here and below: those of our transformers of this budget.
        class_layers: class-attention blocks.
        heads: of every attention.

    Raises:
        ImportError: weaver-core is not installed.

    Source: [qu2022particle].
    """
    particle_transformer = _network()
    sizes = transformer_sizes(parameters)
    depth, last = layers or sizes.layers, class_layers or sizes.class_layers
    count = heads or sizes.heads
    block = {
        "ffn_ratio": sizes.ffn_ratio,
        "dropout": dropout,
        "attn_dropout": dropout,
        "activation_dropout": dropout,
    }

    def make(width: int, head: int) -> nn.Module:
        return particle_transformer(
            in_features,
            classes,
            embed_dims=sizes.embed_layers * (width,),
            pair_embed_dims=sizes.pair_widths,
            num_heads=count,
            num_layers=depth,
            block_params=block,
            num_cls_layers=last,
            cls_block_params=block | dict.fromkeys(list(block)[1:], 0.0),
            fc_params=[(head, 0.0)],
            version=version,
            trim=False,
        )

    return ParticleTransformerTagger(fit(make, parameters, widths=_multiples(count)))


def _multiples(heads: int) -> range:
    """Return the widths that the heads divide."""
    return range(max(2, heads), 513, heads)


def _network() -> Any:
    try:
        from weaver.nn.model.ParticleTransformer import ParticleTransformer
    except ImportError as error:
        raise ImportError(
            "part is a network of weaver-core: pip install 'noneuclid[taggers]'"
        ) from error
    return ParticleTransformer
