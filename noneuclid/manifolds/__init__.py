"""Manifolds: the contract, the spaces of constant curvature, products, maps between models."""

from noneuclid.manifolds._base import Manifold
from noneuclid.manifolds._curvature import Curvature
from noneuclid.manifolds._geodesic import GeodesicManifold, HomogeneousManifold
from noneuclid.manifolds._isometry import Isometry
from noneuclid.manifolds._space_form import SpaceForm
from noneuclid.manifolds.adapters import from_geoopt, to_geoopt
from noneuclid.manifolds.checked import Checked, OffManifoldError
from noneuclid.manifolds.euclidean import Euclidean
from noneuclid.manifolds.isometries import isometry, register_isometry
from noneuclid.manifolds.lorentz import Lorentz
from noneuclid.manifolds.parameter import ManifoldParameter, manifold_of, restore_marks
from noneuclid.manifolds.product import Product
from noneuclid.manifolds.signature import manifold
from noneuclid.manifolds.sphere import Sphere
from noneuclid.manifolds.stereographic import (
    GyrovectorSpace,
    PoincareBall,
    SphereProjection,
    Stereographic,
)

__all__ = [
    "Checked",
    "Curvature",
    "Euclidean",
    "GeodesicManifold",
    "GyrovectorSpace",
    "HomogeneousManifold",
    "Isometry",
    "Lorentz",
    "Manifold",
    "ManifoldParameter",
    "OffManifoldError",
    "PoincareBall",
    "Product",
    "SpaceForm",
    "Sphere",
    "SphereProjection",
    "Stereographic",
    "from_geoopt",
    "isometry",
    "manifold",
    "manifold_of",
    "register_isometry",
    "restore_marks",
    "to_geoopt",
]
