"""Cases of learned points in front of a sequence."""

import torch
from torch import Tensor

from layer_cases.case import Builder, Case
from noneuclid.layers import ClassToken, Layer
from noneuclid.manifolds import HomogeneousManifold


def _slow_tokens(layer: ClassToken, x: Tensor) -> Tensor:
    return torch.stack([torch.stack([*layer.tokens, *row]) for row in x])


def _flat_tokens(c: Tensor, tokens: Tensor) -> Tensor:
    return torch.stack([torch.cat([tokens, row]) for row in c])


def class_token(m: HomogeneousManifold) -> Case:
    """Two of them."""
    claims = {"uses_curvature": False}
    return Case(ClassToken(m, 2), _flat_tokens, _slow_tokens, slots=3, claims=claims)


CASES: dict[tuple[type[Layer], str], Builder] = {(ClassToken, ""): class_token}
