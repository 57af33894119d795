"""Other libraries' operations, called as ours are: (K, *arguments) -> result, differentiable in K.

A peer computes in the points' dtype with its curvature stored in that dtype. Where a library lacks
an operation or a model there is no peer.
"""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from noneuclid.manifolds import HomogeneousManifold, Lorentz, Sphere

Function = Callable[..., Tensor]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it is built on torch.jit, which torch deprecates
    try:
        import geoopt
    except ImportError:
        geoopt = None


def geoopt_operation(
    manifold: HomogeneousManifold, operation: str, dtype: torch.dtype
) -> Function | None:
    """Return geoopt's operation on the same model, or None where it has none."""
    if geoopt is None:
        return None
    name = "weighted_midpoint" if operation == "midpoint" else operation
    if isinstance(manifold, Sphere) and float(manifold.curvature) != 1:
        return None  # its sphere is the unit sphere
    if not hasattr(_peer_class(manifold), name):
        return None

    def call(curvature: Tensor, *arguments: Tensor) -> Tensor:
        peer = _with_curvature(manifold, curvature, dtype)
        if name == "weighted_midpoint":
            *points, weights = arguments
            return peer.weighted_midpoint(
                torch.stack(points), weights=weights, reducedim=[0], posweight=True
            )
        return getattr(peer, name)(*arguments)

    return call


def _peer_class(manifold: HomogeneousManifold) -> type:
    if isinstance(manifold, Sphere):
        return geoopt.Sphere
    return geoopt.Lorentz if isinstance(manifold, Lorentz) else geoopt.Stereographic


def _with_curvature(
    manifold: HomogeneousManifold, curvature: Tensor, dtype: torch.dtype
) -> nn.Module:
    """Return the peer's manifold with its curvature parameter replaced by a tensor of the graph.

    The ball is geoopt's Stereographic with K < 0: its PoincareBall has the same formulas behind a
    softplus, which would add a rounding of K.
    """
    if isinstance(manifold, Sphere):
        return geoopt.Sphere()
    k = curvature[0].to(dtype)
    hyperboloid = isinstance(manifold, Lorentz)
    peer = geoopt.Lorentz() if hyperboloid else geoopt.Stereographic()
    del peer._parameters["k"]
    peer.k = -1 / k if hyperboloid else k  # its hyperboloid takes the squared radius
    return peer
