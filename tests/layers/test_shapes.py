"""Points with too few or too many coordinates are refused in a sentence."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import (
    ClassToken,
    HopePosition,
    Layer,
    PrototypeClassifier,
    SpaceLayerNorm,
    SpaceRMSNorm,
)

BUILDERS = [
    ClassToken,
    HopePosition,
    SpaceLayerNorm,
    SpaceRMSNorm,
    lambda manifold: PrototypeClassifier(manifold, 3),
]


@pytest.mark.parametrize("signature", ["H4", "E4", "H3 x E2"])
@pytest.mark.parametrize("build", BUILDERS)
def test_wrong_number_of_coordinates(build, signature) -> None:
    """One too few, one too many."""
    layer: Layer = build(ne.manifold(signature))
    width = layer.manifold_in.point_shape[0]
    for wrong in (width - 1, width + 1):
        with pytest.raises(ValueError, match=f"{wrong}"):
            layer(torch.zeros(2, 5, wrong))
