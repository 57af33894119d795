"""The tree of the convergence benchmark, and the least value of its embedding.

    python benchmarks/optim_tree.py     # find the least value again: about a minute

The least value is the best of many descents in normal coordinates by torch.optim.LBFGS, which is
none of the optimizers compared.
"""

import itertools
import math

import torch
from torch import Tensor

import noneuclid as ne

DEPTH, RESTARTS, SEED = 3, 30, 1234
NODES = 2 ** (DEPTH + 1) - 1
MANIFOLD = ne.PoincareBall(2)
LEAST = 0.08073616525876898  # of 29 of 30 descents from SEED on, to 1e-14


def _parents(node: int) -> list[int]:
    """Return a node and its ancestors; the root is 1, the children of k are 2 k and 2 k + 1."""
    return [node >> up for up in range(node.bit_length())]


def _length(a: int, b: int) -> int:
    """Return the number of edges between two nodes."""
    mine, other = set(_parents(a)), set(_parents(b))
    return len(mine ^ other)


_PAIRS = torch.tensor(list(itertools.combinations(range(NODES), 2))).T
_LENGTHS = torch.tensor([float(_length(a + 1, b + 1)) for a, b in _PAIRS.T.tolist()]).double()


def loss(x: Tensor) -> Tensor:
    """Return a fifth of the sum of (distance / length - 1)^2 over all pairs of nodes.

    Args:
        x: (NODES, 2), on the ball; an edge has length 1.
    """
    first, second = _PAIRS
    return (MANIFOLD.dist(x[first], x[second]) / _LENGTHS - 1).square().sum() / 5


def layout(seed: int, noise: float = 0.1) -> Tensor:
    """Return the tree drawn in sectors, half an edge from level to level, with noise."""
    source = torch.Generator().manual_seed(seed)
    places = []
    for node in range(1, NODES + 1):
        level = node.bit_length() - 1
        angle = 2 * math.pi * (node - 2**level + 0.5) / 2**level
        places.append([level * math.cos(angle) / 2, level * math.sin(angle) / 2])
    places = torch.tensor(places, dtype=torch.float64)
    places += noise * torch.randn(places.shape, generator=source, dtype=torch.float64)
    return MANIFOLD.expmap0(places)


def descend(start: Tensor, evaluations: int = 5000) -> float:
    """Return where torch's L-BFGS ends in normal coordinates at the origin."""
    places = torch.nn.Parameter(MANIFOLD.logmap0(start))
    optimizer = torch.optim.LBFGS(
        [places], max_iter=evaluations, max_eval=evaluations, history_size=50,
        tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(MANIFOLD.expmap0(places))
        value.backward()
        return value

    for _ in range(3):  # a new memory each time, against noise in the last one
        optimizer.step(closure)
        optimizer.state.clear()
    return float(loss(MANIFOLD.expmap0(places.detach())))


def main() -> None:
    found = {}
    for restart in range(RESTARTS):
        noise = 0.1 if restart % 2 else 1.0
        found[SEED + restart] = descend(layout(SEED + restart, noise))
        print(f"seed {SEED + restart}, noise {noise}: {found[SEED + restart]:.17g}", flush=True)
    best = min(found, key=lambda seed: found[seed])
    print(f"LEAST = {found[best]:.17g}  # seed {best}")


if __name__ == "__main__":
    main()
