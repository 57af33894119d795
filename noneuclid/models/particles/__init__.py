"""What every particle transformer shares, curved or flat: inputs, pair bias, sizes."""

from noneuclid.models.particles.embedding import FeatureEmbedding
from noneuclid.models.particles.masked_norm import MaskedBatchNorm
from noneuclid.models.particles.pairs import PAIR_FEATURES, PairEmbedding, pair_features
from noneuclid.models.particles.sizes import LEARNING_RATES, PRESETS, Sizes

__all__ = [
    "LEARNING_RATES",
    "PAIR_FEATURES",
    "PRESETS",
    "FeatureEmbedding",
    "MaskedBatchNorm",
    "PairEmbedding",
    "Sizes",
    "pair_features",
]
