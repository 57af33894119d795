"""Problems on manifolds whose least value is known by other means than descent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optim_tree as tree
import torch
from torch import Tensor

import noneuclid as ne
from noneuclid.manifolds import Manifold


@dataclass(frozen=True)
class Problem:
    """A loss on a manifold, with the least value it can have.

    Attributes:
        manifold: where the point lives.
        loss: of one point, a positive scalar whose steepest second derivative is about 1 to 2.
        start: the first point, float64.
        least: the loss at the solution.
        geoopt: makes geoopt's manifold of the same metric.
        pymanopt: name and arguments of pymanopt's; empty where it has none.
    """

    manifold: Manifold
    loss: Callable[[Tensor], Tensor]
    start: Tensor
    least: float
    geoopt: Callable[[], Any]
    pymanopt: tuple[Any, ...] = ()


def _geoopt(name: str) -> Callable[[], Any]:
    import geoopt

    return getattr(geoopt, name)


def rayleigh(seed: int, n: int = 100) -> Problem:
    """The smallest eigenvalue, 0.1, of a matrix whose others lie from 0.2 to 1.1."""
    source = torch.Generator().manual_seed(seed)
    values = torch.linspace(0.2, 1.1, n, dtype=torch.float64)
    values[0] = 0.1
    basis, _ = torch.linalg.qr(torch.randn(n, n, generator=source, dtype=torch.float64))
    matrix = (basis * values) @ basis.mT
    matrix = (matrix + matrix.mT) / 2
    manifold = ne.Sphere(n - 1)
    return Problem(
        manifold,
        lambda x: (x @ matrix * x).sum(),
        manifold.random(1, generator=source, dtype=torch.float64),
        float(torch.linalg.eigvalsh(matrix)[0]),
        _geoopt("Sphere"),
        ("Sphere", n),
    )


def _mean(
    manifold: Any, spread: float, geoopt: str, pymanopt: tuple[Any, ...], seed: int
) -> Problem:
    source = torch.Generator().manual_seed(seed)
    origin = manifold.origin(dtype=torch.float64)
    points = origin.expand(50, *origin.shape)
    away = manifold.random_tangent(points, generator=source)
    points = manifold.expmap(points, spread * away / manifold.dim**0.5)
    first = manifold.random_tangent(points[:1], generator=source)
    start = manifold.expmap(points[:1], first / (2 * manifold.norm(points[:1], first)[..., None]))
    least = manifold.frechet_mean(points)

    def loss(x: Tensor) -> Tensor:
        return manifold.dist2(x, points).mean() / 2

    return Problem(manifold, loss, start, float(loss(least)), _geoopt(geoopt), pymanopt)


def mean_lorentz(seed: int) -> Problem:
    """The Frechet mean of 50 points on the hyperboloid H^8, 1.5 from the origin or so."""
    return _mean(ne.Lorentz(8), 1.5, "Lorentz", (), seed)


def mean_ball(seed: int) -> Problem:
    """The Frechet mean of 50 points on the Poincare ball H^8, 1.5 from the origin or so."""
    return _mean(ne.PoincareBall(8), 1.5, "PoincareBall", ("PoincareBall", 8), seed)


def mean_sphere(seed: int) -> Problem:
    """The Frechet mean of 50 points on S^8, 0.7 from a pole or so."""
    return _mean(ne.Sphere(8), 0.7, "Sphere", ("Sphere", 9), seed)


def procrustes(seed: int, n: int = 10, p: int = 4) -> Problem:
    """The isometry X of R^4 into R^10 with X C nearest to B; the singular value decomposition."""
    source = torch.Generator().manual_seed(seed)
    columns = torch.randn(p, 40, generator=source, dtype=torch.float64)
    manifold = ne.from_geoopt(_geoopt("EuclideanStiefel")(), (n, p))
    truth, _ = torch.linalg.qr(torch.randn(n, p, generator=source, dtype=torch.float64))
    noise = torch.randn(n, 40, generator=source, dtype=torch.float64)
    target = truth @ columns + 0.3 * noise
    first, _ = torch.linalg.qr(torch.randn(n, p, generator=source, dtype=torch.float64))

    def loss(x: Tensor) -> Tensor:
        return (x @ columns - target).square().sum() / 80

    left, _, right = torch.linalg.svd(target @ columns.mT, full_matrices=False)
    least = float(loss(left @ right))
    pymanopt = ("Stiefel", n, p)
    return Problem(manifold, loss, first[None], least, _geoopt("EuclideanStiefel"), pymanopt)


def mean_spd(seed: int, n: int = 5) -> Problem:
    """The mean of 20 positive matrices 5 x 5 in the affine-invariant metric; a fixed point."""
    source = torch.Generator().manual_seed(seed)
    factors = torch.randn(20, n, 2 * n, generator=source, dtype=torch.float64)
    matrices = factors @ factors.mT / (2 * n)
    manifold = ne.from_geoopt(_geoopt("SymmetricPositiveDefinite")(), (n, n))

    def loss(x: Tensor) -> Tensor:
        lower = torch.linalg.cholesky(x)
        half = torch.linalg.solve_triangular(lower, matrices, upper=False)
        return _logarithms(torch.linalg.solve_triangular(lower, half.mT, upper=False)) / 2

    least = float(loss(_karcher(matrices)))
    start = torch.eye(n, dtype=torch.float64)[None] * 3
    start[0, 0, 0] = 0.3
    return Problem(
        manifold, loss, start, least, _geoopt("SymmetricPositiveDefinite"),
        ("SymmetricPositiveDefinite", n),
    )  # fmt: skip


def _logarithms(whitened: Tensor) -> Tensor:
    whitened = (whitened + whitened.mT) / 2
    return torch.linalg.eigvalsh(whitened).log().square().sum(-1).mean()


def _karcher(matrices: Tensor) -> Tensor:
    """Iterate X <- X^1/2 exp(mean log(X^-1/2 A X^-1/2)) X^1/2 from the arithmetic mean."""
    x = matrices.mean(0)
    for _ in range(200):
        root, inverse = _function(x, torch.sqrt), _function(x, torch.rsqrt)
        mean = _function(inverse @ matrices @ inverse, torch.log).mean(0)
        x = root @ _function(mean, torch.exp) @ root
        if float(mean.abs().max()) < 1e-15:
            break
    return x


def _function(matrix: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
    return vectors * function(values)[..., None, :] @ vectors.mT


def tree_embedding(seed: int) -> Problem:
    """The binary tree of 15 nodes in H^2 with the least squared relative error of distances."""
    return Problem(
        tree.MANIFOLD,
        tree.loss,
        tree.layout(seed),
        tree.LEAST,
        _geoopt("PoincareBall"),
        ("PoincareBall", 2, 15),
    )


PROBLEMS: dict[str, Callable[[int], Problem]] = {
    "Rayleigh quotient, S^99": rayleigh,
    "Frechet mean, Lorentz 8": mean_lorentz,
    "Frechet mean, ball 8": mean_ball,
    "Frechet mean, S^8": mean_sphere,
    "Procrustes, Stiefel 10 x 4": procrustes,
    "tree of 15 nodes, H^2": tree_embedding,
    "mean, SPD 5": mean_spd,
}
