"""geoopt's Siegel spaces, complex symmetric matrices, through their real view."""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from noneuclid.manifolds.adapters._definite import (
    cholesky,
    definite_violation,
    project_definite,
    symmetric_normal,
    whiten,
)
from noneuclid.manifolds.adapters._wrapper import Wrapper, across, relative, square_side
from noneuclid.numerics import symmetric_expm1, symmetric_part


class _Siegel(Wrapper):
    """Both models: u = l s l^T with <u, u> = `weight` |s|^2, l from `_frame`, s complex symmetric.

    `transp` carries s unchanged, from frame to frame: an isometry. geoopt's own leaves u unchanged
    and has neither exponential map nor logarithm; its Finsler metrics change its `dist` alone.
    """

    retraction_order = 1
    weight: int

    def __init__(self, source: nn.Module, shape: tuple[int, ...]) -> None:
        side = square_side(shape, type(source).__name__)
        super().__init__(source, shape)
        self.point_shape = (side, side, 2)
        self.dim = side * (side + 1)

    def _constructor(self) -> str:
        return f"{type(self.source).__name__}()"

    @abstractmethod
    def _frame(self, z: Tensor) -> Tensor:
        """Return l, lower triangular and complex: (*, n, n)."""

    @abstractmethod
    def _move(self, z: Tensor, s: Tensor) -> Tensor:
        """Return the retraction of l s l^T at z."""

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return _real_view(symmetric_part(_complex(across(x, u))))

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        frame = self._frame(_complex(x))
        s, t = whiten(frame, _complex(u)), whiten(frame, _complex(v))
        return self.weight * (s * _bar(t)).real.sum((-1, -2))

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        frame = self._frame(_complex(x))
        s = _bar(frame).mT @ symmetric_part(_complex(g)) @ _bar(frame) / self.weight
        return _real_view(symmetric_part(frame @ s @ frame.mT))

    def _retr(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        z = _complex(self._projx(x, dtype))
        s = symmetric_part(whiten(self._frame(z), _complex(u)))
        return self._projx(_real_view(self._move(z, s)), dtype)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        here, there = self._frame(_complex(x)), self._frame(_complex(y))
        s = whiten(here, _complex(v))
        return _real_view(symmetric_part(there @ s @ there.mT))

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        normal = self._normal(size, generator, device) * 0.5**1.5
        x, log_y = symmetric_part(normal[..., 0]), symmetric_part(normal[..., 1])
        one = torch.eye(self.shape[0], dtype=torch.float64, device=device)
        y = one + symmetric_expm1(log_y, math.inf)
        return self._projx(_real_view(self._from_half(torch.complex(x, y))), dtype).to(dtype)

    @abstractmethod
    def _from_half(self, z: Tensor) -> Tensor:
        """Return the point of this model for one of the upper half space."""

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        normal = self._normal(x.shape[:-3], generator, x.device)
        s = torch.complex(symmetric_normal(normal[..., 0]), symmetric_normal(normal[..., 1]))
        frame = self._frame(_complex(x.to(torch.float64)))
        return _real_view(symmetric_part(frame @ (s / self.weight**0.5) @ frame.mT))

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        z = _complex(u.to(torch.float64))
        return relative(z - z.mT, z)


class UpperHalf(_Siegel):
    """Z = X + iY with Y positive definite, <u, v> = Re tr Y^-1 u Y^-1 v-bar.

    Points are the real view (*, n, n, 2) of the complex matrices, as by `torch.view_as_real`. The
    retraction at (X, Y) is X + U, Y + V + V Y^-1 V / 2, which cannot leave the space; geoopt's
    x + u does, and is then moved onto the boundary. `random`: geoopt's law, exp of a symmetric
    matrix for Y.

    Repaired: geoopt's `proju` is the gradient, not the projection.

    Source: [siegel1943symplectic], [lopez2021symmetric].
    """

    weight = 1

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return torch.stack([symmetric_part(x[..., 0]), project_definite(x[..., 1], dtype)], -1)

    def _frame(self, z: Tensor) -> Tensor:
        return torch.complex(cholesky(z.imag), torch.zeros_like(z.imag))

    def _move(self, z: Tensor, s: Tensor) -> Tensor:
        frame = self._frame(z)
        return z + frame @ (s + 0.5j * (s.imag @ s.imag)) @ frame.mT

    def _from_half(self, z: Tensor) -> Tensor:
        return z

    def _violation(self, x: Tensor) -> Tensor:
        z = _complex(x.to(torch.float64))
        return torch.maximum(relative(z - z.mT, z), definite_violation(x[..., 1]))


class BoundedDomain(_Siegel):
    """Z with A = 1 - Z Z-bar positive definite, <u, v> = 4 Re tr A^-1 u A-bar^-1 v-bar.

    Points are the real view (*, n, n, 2), as on `UpperHalf`, to which the Cayley transform is an
    isometry. The retraction is that of the upper half space at i, carried to 0 by the Cayley
    transform and to Z by the motion that takes 0 there. `projx` divides by the largest singular
    value where it reaches 1 - 4 n eps.

    Repaired: geoopt's metric has A and A-bar exchanged, which is invariant under no motion, and
    lacks the factor 4 of its own `dist`; its gradient has A on both sides; its `proju` is that
    gradient.

    Source: [siegel1943symplectic], [lopez2021symmetric].
    """

    weight = 4

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        z = symmetric_part(_complex(x))
        step = 4 * self.shape[0] * torch.finfo(dtype).eps
        top = torch.linalg.svdvals(z)[..., :1, None]
        outside = top > 1 - step
        shrink = torch.where(outside, (1 - 2 * step) / torch.where(outside, top, 1), 1)
        return _real_view(torch.where(outside, symmetric_part(z * shrink), z))

    def _frame(self, z: Tensor) -> Tensor:
        one = torch.eye(self.shape[0], dtype=z.dtype, device=z.device)
        return cholesky(one - z @ _bar(z))

    def _move(self, z: Tensor, s: Tensor) -> Tensor:
        one = torch.eye(self.shape[0], dtype=z.dtype, device=z.device)
        half = s.real + s.real @ s.real
        w = self._from_half(torch.complex(-2 * s.imag, 2 * half) + 1j * one)
        alpha = torch.linalg.solve_triangular(_bar(self._frame(z)).mT, one.expand_as(z), upper=True)
        beta = z @ _bar(alpha)
        return _over(alpha @ w + beta, _bar(beta) @ w + _bar(alpha))

    def _from_half(self, z: Tensor) -> Tensor:
        one = torch.eye(self.shape[0], dtype=z.dtype, device=z.device)
        return _over(z - 1j * one, z + 1j * one)

    def _violation(self, x: Tensor) -> Tensor:
        z = _complex(x.to(torch.float64).nan_to_num(0.0, 0.0, 0.0))
        top = torch.linalg.svdvals(symmetric_part(z))[..., 0]
        return torch.maximum(relative(z - z.mT, z), (top >= 1).to(top))


def _over(a: Tensor, b: Tensor) -> Tensor:
    """Return a b^-1; `left=False` of torch conjugates lazily, which fails under vmap."""
    return torch.linalg.solve(b.mT, a.mT).mT


def _bar(z: Tensor) -> Tensor:
    """Return the conjugate, neither lazily nor by torch's function without a batching rule."""
    return torch.complex(z.real, -z.imag)


def _complex(x: Tensor) -> Tensor:
    return torch.complex(x[..., 0], x[..., 1])


def _real_view(z: Tensor) -> Tensor:
    return torch.stack([z.real, z.imag], -1)
