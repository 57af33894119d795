"""L-BFGS, conjugate gradients and the trust region reach known minima to the last digits.

The bars: a relative gap of 1e-12 in the loss and a gradient of 1e-7, or 1e-10 where the method does
not rest on differences of the loss; within a number of evaluations of about twice what they take.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch

import noneuclid as ne
from noneuclid.optim import (
    RiemannianConjugateGradient,
    RiemannianLBFGS,
    RiemannianTrustRegion,
)


class Problem(NamedTuple):
    x: ne.ManifoldParameter
    loss: Callable[[torch.Tensor], torch.Tensor]
    minimum: float


def rayleigh() -> Problem:
    """The lowest eigenvalue of a symmetric matrix: x^T A x on the sphere in R^50."""
    S = ne.Sphere(49)
    A = torch.randn(50, 50, dtype=torch.float64)
    A = A + A.T
    lowest = float(torch.linalg.eigvalsh(A)[0])
    x = ne.ManifoldParameter(S.random(1, dtype=torch.float64), S)
    return Problem(x, lambda x: (x @ A * x).sum(), lowest)


def frechet(signature: str) -> Problem:
    """The Frechet mean of 20 points."""
    M = ne.manifold(signature)
    origin = M.origin(20, dtype=torch.float64)
    points = M.expmap(origin, 0.4 * M.random_tangent(origin))

    def loss(x: torch.Tensor) -> torch.Tensor:
        return M.dist2(x, points).sum() / 2

    x = ne.ManifoldParameter(points[:1].clone(), M)
    return Problem(x, loss, float(loss(M.frechet_mean(points))))


def tree(signature: str) -> Problem:
    """A binary tree of 7 nodes in the hyperbolic plane: sum of (d^2 / D^2 - 1)^2 over pairs.

    The minimum is that of a long reference run; both models have it.
    """
    M = ne.manifold(signature)
    ancestors = [[i] for i in range(7)]
    for line in ancestors:
        while line[-1]:
            line.append((line[-1] - 1) // 2)
    i, j = torch.triu_indices(7, 7, 1)
    distances = torch.tensor(
        [len(set(ancestors[a]) ^ set(ancestors[b])) for a, b in zip(i, j, strict=True)],
        dtype=torch.float64,
    )
    angles = torch.tensor([0.1, 0.0, 3.0, 0.8, -0.8, 2.3, 3.9], dtype=torch.float64)
    radii = torch.tensor([0.1, 0.6, 0.6, 1.2, 1.2, 1.2, 1.2], dtype=torch.float64)
    frame = torch.stack([radii * angles.cos(), radii * angles.sin()], dim=-1)
    x = ne.ManifoldParameter(M.expmap0(M.from_frame(frame)), M)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return (M.dist2(x[i], x[j]) / distances**2 - 1).square().sum()

    return Problem(x, loss, 0.213008266144528)


PROBLEMS = {
    "rayleigh": rayleigh,
    "mean on H5": lambda: frechet("H5"),
    "mean on S5": lambda: frechet("S5"),
    "mean on H3 x S3 x E3": lambda: frechet("H3 x S3 x E3"),
    "tree in H2": lambda: tree("H2"),
    "tree in B2": lambda: tree("B2"),
}
FAST = {"tolerance_change": 0, "max_iter": 400, "max_eval": 1000}
METHODS: dict[str, tuple[Any, dict[str, Any], float]] = {
    "lbfgs": (RiemannianLBFGS, {**FAST, "line_search_fn": "strong_wolfe"}, 1e-7),
    "lbfgs-approximate": (RiemannianLBFGS, {**FAST, "line_search_fn": "approximate_wolfe"}, 1e-10),
    "cg": (RiemannianConjugateGradient, FAST, 1e-7),
    "cg-approximate": (
        RiemannianConjugateGradient,
        {**FAST, "beta": "hager-zhang", "line_search_fn": "approximate_wolfe"},
        1e-10,
    ),
    "trust-region": (RiemannianTrustRegion, {"max_iter": 100}, 1e-10),
}
EVALUATIONS = {  # of the Rayleigh quotient, of a mean, of the tree
    "lbfgs": (120, 30, 120),
    "lbfgs-approximate": (120, 30, 120),
    "cg": (400, 100, 400),
    "cg-approximate": (400, 80, 600),
    "trust-region": (40, 15, 40),
}


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("method", METHODS)
def test_reaches_the_minimum(name: str, method: str) -> None:
    x, loss, minimum = PROBLEMS[name]()
    cls, options, bar = METHODS[method]
    optimizer = cls([x], tolerance_grad=bar / 2, **options)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss(x)
        if optimizer.closure_calls_backward:
            value.backward()
        return value

    optimizer.step(closure)
    x.grad = None
    value = loss(x)
    value.backward()
    place = x.detach()
    gradient = x.manifold.egrad2rgrad(place, x.grad)
    assert abs(value.item() - minimum) <= 1e-12 * abs(minimum)
    assert float(x.manifold.inner(place, gradient).sum()) ** 0.5 <= bar
    assert x.manifold.check_point(place).all()
    most = dict(zip(("rayleigh", "mean", "tree"), EVALUATIONS[method], strict=True))
    assert optimizer.state[x]["func_evals"] <= most[name.split()[0]]
