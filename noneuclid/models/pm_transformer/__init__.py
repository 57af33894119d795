"""PM-Transformer: particles as points of a product of manifolds that attend to each other."""

from noneuclid.models.pm_transformer.pm_transformer import PMTransformer

__all__ = ["PMTransformer"]
