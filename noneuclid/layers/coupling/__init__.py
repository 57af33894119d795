"""Layers that let geometries work together: the factors of a product, or curvatures to choose from.

Rows (tokens) stay apart in all of them: what a row becomes depends on that row alone.
"""

from noneuclid.layers.coupling.curvature_mixture import CurvatureMixture
from noneuclid.layers.coupling.factor_coupling import FactorCoupling
from noneuclid.layers.coupling.inter_manifold_attention import InterManifoldAttention

__all__ = ["CurvatureMixture", "FactorCoupling", "InterManifoldAttention"]
