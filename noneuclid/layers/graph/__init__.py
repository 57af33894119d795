"""Layers of graphs, on torch_geometric's message passing; loaded on first use."""

try:
    import torch_geometric  # noqa: F401
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise ImportError(
        "noneuclid.layers.graph needs torch-geometric: pip install 'noneuclid[graphs]'"
    ) from error

from noneuclid.layers.graph.attentional_concat import AttentionalConcat
from noneuclid.layers.graph.hgcn_conv import HGCNConv
from noneuclid.layers.graph.kappa_gcn_conv import KappaGCNConv
from noneuclid.layers.graph.lorentz_gcn_conv import LorentzGCNConv
from noneuclid.layers.graph.mixed_curvature_attention import MixedCurvatureAttention

__all__ = [
    "AttentionalConcat",
    "HGCNConv",
    "KappaGCNConv",
    "LorentzGCNConv",
    "MixedCurvatureAttention",
]
