"""Readers of real data: jets from simulated samples, Top Tagging and JetClass files.

Graphs are in ``noneuclid.datasets.graphs``, which is imported by itself.
"""

from noneuclid.datasets.jets import Jets, load_jets
from noneuclid.datasets.loader import JetLoader
from noneuclid.datasets.normalization import FeatureNormalization
from noneuclid.datasets.splits import JetSplits, open_jets
from noneuclid.datasets.streams import JetStream

__all__ = [
    "FeatureNormalization",
    "JetLoader",
    "JetSplits",
    "JetStream",
    "Jets",
    "load_jets",
    "open_jets",
]
