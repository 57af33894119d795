"""ParticleNet: weaver-core's own network, sized to a budget."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from taggers.sizes import fit
from taggers.tagger import Tagger

_FUSED = 250_000  # from this budget on blocks are fused, whose 128 channels are most of a small one


class ParticleNetTagger(Tagger):
    """`weaver.nn.model.ParticleNet.ParticleNet`.

    The last two features are the coordinates in which the first block looks for neighbours. Jets
    are widened to k + 1 slots, which the network's search needs. Three things are weaver's, and
    make it depend on padding: batch norms count padded slots in training; a particle with fewer
    than k others takes padded slots for neighbours; of neighbours equally far, which is common
    where angles are quantised, the width of the batch decides which are taken (logits move by
    1e-4 on the sample of this repository, where those of all other taggers move by rounding).
    """

    def __init__(self, network: nn.Module, neighbours: int) -> None:
        super().__init__()
        self.network, self.neighbours = network, neighbours

    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes)."""
        missing = max(0, self.neighbours + 1 - mask.shape[1])
        x = F.pad(features, (0, 0, 0, missing)).mT
        inside = F.pad(mask, (0, missing))[:, None]
        return self.network(x[:, -2:], x, inside)


def build(
    in_features: int,
    classes: int,
    parameters: int,
    neighbours: int = 7,
    blocks: int = 2,
    dropout: float = 0.0,
) -> Tagger:
    """Build the tagger.

    Options:
        neighbours: k of each particle.
        blocks: edge convolutions, each twice as wide as the one before.
        dropout: of the head.

    Raises:
        ImportError: weaver-core is not installed.

    Source: [qu2020jet]; the proportions are those of ParticleNet-Lite.
    """
    particle_net = _network()

    def make(width: int, head: int) -> nn.Module:
        return particle_net(
            in_features,
            classes,
            conv_params=[(neighbours, 3 * (width * 2**i,)) for i in range(blocks)],
            fc_params=[(head, dropout)],
            use_fusion=parameters >= _FUSED,
            trim=False,
        )

    return ParticleNetTagger(fit(make, parameters, ratio=4), neighbours)


def _network() -> Any:
    try:
        from weaver.nn.model.ParticleNet import ParticleNet
    except ImportError as error:
        raise ImportError(
            "particlenet is a network of weaver-core: pip install 'noneuclid[taggers]'"
        ) from error
    return ParticleNet
