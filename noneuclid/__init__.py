"""noneuclid: deep learning on Riemannian manifolds, exact to the edge of the number format.

    import noneuclid as ne
    H = ne.Lorentz(16)
    P = ne.manifold("H16 x S4(2.0) x E32")
"""

from noneuclid._version import __version__
from noneuclid.manifolds import (
    Checked,
    Curvature,
    Euclidean,
    GeodesicManifold,
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
    isometry,
    manifold,
    manifold_of,
    random_isometry,
    register_isometry,
    restore_marks,
)

__all__ = [
    "Checked",
    "Curvature",
    "Euclidean",
    "GeodesicManifold",
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
    "isometry",
    "manifold",
    "manifold_of",
    "random_isometry",
    "register_isometry",
    "restore_marks",
]
