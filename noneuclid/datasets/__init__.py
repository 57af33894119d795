"""Readers of real data: jets from simulated samples, Top Tagging and JetClass files."""

from noneuclid.datasets.jets import Jets, load_jets

__all__ = ["Jets", "load_jets"]
