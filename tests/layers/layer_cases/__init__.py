"""A case for every public layer: how it is built on a manifold, its flat twin, its slow oracle.

One module for each family; its `CASES` gives, for (class, variant), the function that builds the
case on a manifold.
"""

from layer_cases import basic, concat, coupling, dropout, linear, norm, pooling, residual
from layer_cases.case import Builder, Case, coordinates, points
from noneuclid.layers import Layer

CASES: dict[tuple[type[Layer], str], Builder] = {
    **basic.CASES,
    **concat.CASES,
    **coupling.CASES,
    **dropout.CASES,
    **linear.CASES,
    **norm.CASES,
    **pooling.CASES,
    **residual.CASES,
}

__all__ = ["CASES", "Builder", "Case", "coordinates", "points"]
