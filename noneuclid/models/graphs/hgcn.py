"""HGCN: hyperbolic graph convolutions one after another."""

from typing import Any

import torch

from noneuclid.layers.graph import HGCNConv
from noneuclid.models.graphs._convolutions import Convolutions


class HGCN(Convolutions):
    """The hyperbolic graph convolutional network, on any geometry.

    Args:
        in_features: F.
        signature: of the space of the points, such as "H16*"; widths may be left out where `dim`
            gives them.
        dim: dimension of the factors that leave their own out.
        layers: how many `HGCNConv`, with a ReLU on the tangent space between them.
        dropout: of features, and of normal coordinates between the layers.
        activated: whether a ReLU follows the last layer too, which helps to predict links.
        options: of `HGCNConv`: `aggregation`, `attention`, `normalization`, `cached`, ...

    All layers share the curvatures of the signature.
    Source: [chami2019hyperbolic].
    """

    def __init__(
        self,
        in_features: int,
        signature: str = "H16*",
        *,
        dim: int | None = None,
        layers: int = 2,
        dropout: float = 0.0,
        activated: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            in_features,
            signature,
            dim,
            layers,
            dropout,
            torch.relu,
            activated,
            lambda before, after: HGCNConv(before, after, **options),
        )
