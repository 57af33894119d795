"""Models: thin compositions of layers, and the Euclidean twins they are compared with."""

from noneuclid.models._budget import count_parameters, fit_widths
from noneuclid.models.euclidean_mlp import EuclideanMLP
from noneuclid.models.euclidean_transformer import EuclideanTransformer
from noneuclid.models.hyperbolic_transformer import HyperbolicTransformer
from noneuclid.models.pm_mlp import PMMLP
from noneuclid.models.pm_transformer import PMTransformer

__all__ = [
    "PMMLP",
    "EuclideanMLP",
    "EuclideanTransformer",
    "HyperbolicTransformer",
    "PMTransformer",
    "count_parameters",
    "fit_widths",
]
