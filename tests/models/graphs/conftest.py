"""A small graph with two blocks of nodes, which graph models learn."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor


@dataclass(frozen=True)
class Blocks:
    """Two blocks of 20 nodes, dense inside; features hint at the block of a node."""

    x: Tensor
    edges: Tensor
    y: Tensor

    @property
    def edge_index(self) -> Tensor:
        return torch.cat([self.edges, self.edges.flip(1)]).T.contiguous()


@pytest.fixture
def blocks() -> Blocks:
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(40) // 20
    chance = torch.where(y[:, None] == y, 0.4, 0.02)
    edges = (torch.rand(40, 40, generator=draw).triu(1) > 1 - chance).nonzero()
    hint = torch.stack([y == 0, y == 1], dim=1).float()
    x = torch.cat([hint, torch.zeros(40, 4)], dim=1)
    return Blocks(x + 0.7 * torch.randn(40, 6, generator=draw), edges, y)
