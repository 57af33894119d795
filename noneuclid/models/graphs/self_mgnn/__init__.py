"""SelfMGNN and its parts."""

from noneuclid.models.graphs.self_mgnn.dual_contrast import DualContrast
from noneuclid.models.graphs.self_mgnn.projector import RiemannianProjector
from noneuclid.models.graphs.self_mgnn.self_mgnn import SelfMGNN

__all__ = ["DualContrast", "RiemannianProjector", "SelfMGNN"]
