"""A case for every public layer: how it is built on a manifold, its flat twin, its slow oracle.

One module for each family; its `CASES` gives, for (class, variant), the function that builds the
case on a manifold.
"""

from layer_cases import (
    attention,
    basic,
    classifier,
    concat,
    convolution,
    coupling,
    dropout,
    linear,
    norm,
    pooling,
    position,
    recurrent,
    residual,
    token,
)
from layer_cases.case import Builder, Case, anywhere, coordinates, points
from noneuclid.layers import Layer

CASES: dict[tuple[type[Layer], str], Builder] = {
    **attention.CASES,
    **basic.CASES,
    **classifier.CASES,
    **concat.CASES,
    **convolution.CASES,
    **coupling.CASES,
    **dropout.CASES,
    **linear.CASES,
    **norm.CASES,
    **pooling.CASES,
    **position.CASES,
    **recurrent.CASES,
    **residual.CASES,
    **token.CASES,
}

__all__ = ["CASES", "Builder", "Case", "anywhere", "coordinates", "points"]
