"""The curvatures of a tagger's manifolds, by the place of the factor."""

from torch import nn

from noneuclid.layers.coupling import CurvatureMixture
from noneuclid.manifolds import Curvature
from noneuclid.manifolds.product import factors_of


def curvatures(model: nn.Module) -> dict[str, float]:
    """Return K of each factor and expert: "K particle 1 Lorentz", "K jet 2 Sphere", ..."""
    network = getattr(model, "network", model)
    spaces = {"particle": "space", "jet": "jet_space"} if hasattr(network, "space") else {}
    if not spaces and hasattr(network, "manifold"):
        spaces = {"particle": "manifold"}
    experts = [
        expert.first.manifold_out
        for mixture in model.modules()
        if isinstance(mixture, CurvatureMixture)
        for expert in mixture.experts
    ]
    factors = {
        f"K {place} {number} {type(factor).__name__}": float(factor.curvature)
        for place, name in spaces.items()
        for number, factor in enumerate(factors_of(getattr(network, name)), start=1)
        if isinstance(getattr(factor, "curvature", None), Curvature)
    }
    return factors | {
        f"K expert {number}": float(space.curvature) for number, space in enumerate(experts, 1)
    }
