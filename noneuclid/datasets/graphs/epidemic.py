"""An epidemic on a tree: labels that follow from the tree, features that only hint at them."""

import numpy as np
import torch

from noneuclid.datasets.graphs.graph import Graph, make_graph


def disease(
    n: int = 1044, *, branching: tuple[int, int] = (3, 8),
    infection: tuple[float, float] = (0.5, 1.0), dim: int = 11, noise: float = 1.0, seed: int = 0,
) -> Graph:  # fmt: skip
    """Let an epidemic run down a random tree from its root; ``y`` = 1 where it came.

    A node of the tree has a uniform number of children in ``branching``, level by level until there
    are n. Node i has a susceptibility s_i uniform in [0, 1]. The root is infected; a neighbour i of
    an infected node is infected before that one recovers with probability p_i = low + (high - low)
    s_i, where (low, high) = ``infection``: the final state of susceptible - infected - recovered
    dynamics on a tree, where no node can be reached on two ways. ``x``: s_i, then ``dim`` - 1
    columns s_i + noise N(0, 1). Sign -1.

    The idea is that of [chami2019hyperbolic]; their rates are not published, and in their files the
    features alone give the labels away. Here a node below a healthy one is healthy, whatever it is.

    Raises:
        ValueError: The numbers of children or the probabilities are not ordered ranges.
    """
    low, high = infection
    if not 1 <= branching[0] <= branching[1] or not 0 <= low <= high <= 1 or dim < 1 or n < 1:
        raise ValueError(
            "branching must be an ordered pair >= 1, infection one in [0, 1], dim and n >= 1, "
            f"got {branching}, {infection}, {dim} and {n}"
        )
    rng = np.random.default_rng(seed)
    parent = np.repeat(np.arange(n), rng.integers(branching[0], branching[1] + 1, size=n))[: n - 1]
    susceptibility = rng.random(n)
    reached = rng.random(n) < low + (high - low) * susceptibility
    reached[0] = True
    for child, above in enumerate(parent, start=1):  # a parent comes before its children
        reached[child] &= reached[above]
    hints = susceptibility[:, None] + noise * rng.standard_normal((n, dim - 1))
    x = np.concatenate([susceptibility[:, None], hints], axis=1).astype(np.float32)
    return make_graph(
        np.stack([parent, np.arange(1, n)], axis=1), n, x=torch.from_numpy(x),
        y=torch.from_numpy(reached.astype(np.int64)), name="disease", curvature_signs=(-1,),
    )  # fmt: skip
