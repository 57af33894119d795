"""geoopt's Stiefel manifold of orthonormal columns, with the Euclidean or the canonical metric."""

import torch
from torch import Tensor, nn

from noneuclid.manifolds.adapters._wrapper import Wrapper, across, largest, relative
from noneuclid.numerics import (
    symmetric_part,
    symmetric_sqrt1p,
    wants_derivatives,
    with_derivative_of,
)


class Stiefel(Wrapper):
    """n x p matrices with x^T x = 1; tangent vectors u have x^T u skew.

    <u, v> = tr u^T v (`EuclideanStiefel`, `EuclideanStiefelExact`) or tr u^T (1 - x x^T / 2) v
    (`CanonicalStiefel`). Retractions are geoopt's: QR, the geodesic of the Euclidean metric, and
    the Cayley transform. `transp` projects. `random`: the uniform law.

    Repaired: geoopt's canonical `proju` is u - x u^T x, which doubles the part x x^T u of tangent
    vectors, and its Cayley transform moves along that vector instead of u; both are right for
    ambient gradients only.

    Source: [edelman1998geometry] sections 2.2 to 2.4.
    """

    def __init__(self, source: nn.Module, shape: tuple[int, ...]) -> None:
        if len(shape) != 2 or shape[0] < shape[1]:
            raise ValueError(f"points of Stiefel are (n, p) with n >= p, got {shape}")
        super().__init__(source, shape)
        rows, columns = shape
        self.dim = rows * columns - columns * (columns + 1) // 2
        self.is_canonical = type(source).__name__ == "CanonicalStiefel"
        self.is_exact = type(source).__name__ == "EuclideanStiefelExact"
        self.retraction_order = float("inf") if self.is_exact else 2 if self.is_canonical else 1

    def _constructor(self) -> str:
        return f"{type(self.source).__name__}()"

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        left, sizes, right = torch.linalg.svd(x.detach(), full_matrices=False)
        near = self._violation(x.detach()) <= 4 * self.shape[0] * torch.finfo(dtype).eps
        value = torch.where(near[..., None, None], x.detach(), left @ right)
        if not wants_derivatives():
            return value
        # The singular vectors have no derivative where singular values meet, as on all points;
        # x (x^T x)^(-1/2) has. Its own value would square the condition of x.
        square = x.mT @ x
        one = torch.eye(self.shape[1], dtype=x.dtype, device=x.device)
        is_regular = sizes.square()[..., -1] > torch.finfo(x.dtype).eps * sizes.square()[..., 0]
        regular = torch.where(is_regular[..., None, None], square, one)
        root = symmetric_sqrt1p(regular - one)
        return with_derivative_of(value, torch.linalg.solve(root, x, left=False))

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return u - x @ symmetric_part(x.mT @ u)

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        ambient = across(x, u * v).sum((-1, -2))
        if not self.is_canonical:
            return ambient
        return ambient - ((x.mT @ u) * (x.mT @ v)).sum((-1, -2)) / 2

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return g - x @ g.mT @ x if self.is_canonical else self._proju(x, g)

    def _retr(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        x, u = torch.broadcast_tensors(x, u)
        if self.is_exact:
            return self._projx(_geodesic(x, u), dtype)
        if self.is_canonical:
            y = _cayley(x, u)
            # it keeps x^T x, rounding of the stored x included: half a Newton step towards 1
            return y + y @ (torch.eye(self.shape[1], dtype=x.dtype, device=x.device) - y.mT @ y) / 2
        q, r = torch.linalg.qr(x + u)
        return q * torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1, 1).unsqueeze(-2)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return self._proju(y, across(x, v))

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        return self._projx(self._normal(size, generator, device), dtype).to(dtype)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        u = self._proju(x, self._normal(x.shape[:-2], generator, x.device))
        if not self.is_canonical:
            return u
        return u + (2**0.5 - 1) * x @ (x.mT @ u)  # the skew part counts half in the metric

    def _violation(self, x: Tensor) -> Tensor:
        one = torch.eye(self.shape[1], dtype=x.dtype, device=x.device)
        return largest(x.mT @ x - one) / 2

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        return relative(symmetric_part(x.mT @ u), u)


def _cayley(x: Tensor, u: Tensor) -> Tensor:
    """Return (1 - W/2)^-1 (1 + W/2) x with W x = u, W skew."""
    half = u - x @ (x.mT @ u) / 2
    skew = half @ x.mT - x @ half.mT
    one = torch.eye(x.shape[-2], dtype=x.dtype, device=x.device)
    return torch.linalg.solve(one - skew / 2, x + skew @ x / 2)


def _geodesic(x: Tensor, u: Tensor) -> Tensor:
    """Return the geodesic of the Euclidean metric at time 1."""
    along, square = x.mT @ u, u.mT @ u
    one = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device).expand_as(square)
    above, below = torch.cat([along, -square], -1), torch.cat([one, along], -1)
    flow = torch.matrix_exp(torch.cat([above, below], -2))[..., : x.shape[-1]]
    return torch.cat([x, u], -1) @ flow @ torch.matrix_exp(-along)
