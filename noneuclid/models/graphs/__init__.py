"""Graph models: encoders, decoders, self-supervised learning; loaded on first use."""

try:
    import torch_geometric  # noqa: F401
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise ImportError(
        "noneuclid.models.graphs needs torch-geometric: pip install 'noneuclid[graphs]'"
    ) from error

from noneuclid.models.graphs.decoders import FermiDiracDecoder, NodeDecoder
from noneuclid.models.graphs.dgi import DGI
from noneuclid.models.graphs.diffusion import diffusion
from noneuclid.models.graphs.encoder import GraphData, GraphEncoder, SelfSupervised
from noneuclid.models.graphs.euclidean import EuclideanEncoder, gat, gcn, mlp, sgc
from noneuclid.models.graphs.fitting import Edges, GraphModel, LinkPredictor, NodeClassifier, Recipe
from noneuclid.models.graphs.grace import GRACE
from noneuclid.models.graphs.graph_mae import GraphMAE
from noneuclid.models.graphs.hgcn import HGCN
from noneuclid.models.graphs.hnn import HNN
from noneuclid.models.graphs.kappa_gcn import KappaGCN
from noneuclid.models.graphs.lorentz_gcn import LorentzGCN
from noneuclid.models.graphs.motif_rgc import KernelFeatures, MotifRGC
from noneuclid.models.graphs.pretraining import Pretraining
from noneuclid.models.graphs.self_mgnn import DualContrast, RiemannianProjector, SelfMGNN

__all__ = [
    "DGI",
    "GRACE",
    "HGCN",
    "HNN",
    "DualContrast",
    "Edges",
    "EuclideanEncoder",
    "FermiDiracDecoder",
    "GraphData",
    "GraphEncoder",
    "GraphMAE",
    "GraphModel",
    "KappaGCN",
    "KernelFeatures",
    "LinkPredictor",
    "LorentzGCN",
    "MotifRGC",
    "NodeClassifier",
    "NodeDecoder",
    "Pretraining",
    "Recipe",
    "RiemannianProjector",
    "SelfMGNN",
    "SelfSupervised",
    "diffusion",
    "gat",
    "gcn",
    "mlp",
    "sgc",
]
