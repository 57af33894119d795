"""noneuclid: deep learning on Riemannian manifolds, exact to the edge of the number format.

Manifolds are at the top level (`import noneuclid as ne; ne.Lorentz(16)`); layers, optimizers and
models are imported from their packages (`from noneuclid.optim import RiemannianAdam`).
"""

from noneuclid import distributed
from noneuclid._version import __version__
from noneuclid.manifolds import (
    Checked,
    Curvature,
    Euclidean,
    GeodesicManifold,
    GyrovectorSpace,
    HomogeneousManifold,
    Isometry,
    Lorentz,
    Manifold,
    ManifoldParameter,
    OffManifoldError,
    PoincareBall,
    Product,
    SpaceForm,
    Sphere,
    SphereProjection,
    Stereographic,
    from_geoopt,
    isometry,
    manifold,
    manifold_of,
    register_isometry,
    restore_marks,
    to_geoopt,
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
    "__version__",
    "distributed",
    "from_geoopt",
    "isometry",
    "manifold",
    "manifold_of",
    "register_isometry",
    "restore_marks",
    "to_geoopt",
]
