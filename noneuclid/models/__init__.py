"""Models: thin compositions of layers, and the Euclidean twins they are compared with."""

from noneuclid.models.euclidean_mlp import EuclideanMLP
from noneuclid.models.pm_mlp import PMMLP

__all__ = ["PMMLP", "EuclideanMLP"]
