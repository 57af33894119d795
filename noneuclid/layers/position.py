"""Where in a sequence a point stands: rotations that depend on it, points that are added."""

import torch
import torch.nn.functional as F
from torch import Tensor

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._initial import SMALL, draw_points
from noneuclid.layers._normal import to_normal, translate
from noneuclid.manifolds import Euclidean, HomogeneousManifold, ManifoldParameter, SpaceForm
from noneuclid.manifolds.product import factors_of


class HopePosition(TangentLayer):
    """HoPE: turn the point at place p of a sequence about the origin, by angles p base^(-2k/dim).

    On each factor by itself, coordinates k and k + floor(dim/2), in the orthonormal frame at the
    origin, turn together by the angle p base^(-2k/dim), k = 0, 1, ..., floor(dim/2) - 1; the last
    coordinate of an odd dimension stays. A rotation is a motion of the space, so every distance
    from the origin, every time coordinate, and all distances at one place stay; the inner product
    and the distance of a query at i and a key at j depend on i and j by i - j alone.

    Args:
        manifold: where input and output live.
        base: the slowest coordinates turn once in about 2 pi base places.

    Shapes: x (*, n, S), positions (*, n) or (n,), numbers, 0, 1, ..., n - 1 by default
    -> (*, n, S). No parameters.

    Raises:
        ValueError: `base` is not positive.

    Flat limit: rotary position embedding, the same rotations; there is no torch.nn twin.
    Source: [he2025helm] for HoPE on the hyperboloid; [su2024roformer] section 3.2 for the angles.
    """

    def __init__(self, manifold: HomogeneousManifold, *, base: float = 10_000.0) -> None:
        super().__init__(manifold, manifold)
        if not base > 0:
            raise ValueError(f"base must be a positive number, got {base}")
        self.base = base

    def forward(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        """Turn points (*, n, S)."""
        self.manifold_in._check(x)
        factors = factors_of(self.manifold_in)
        if not all(isinstance(factor, SpaceForm | Euclidean) for factor in factors):
            return super().forward(x, positions)
        # A rotation about the origin is the same matrix on the coordinates of every model; the
        # leading ones of the hyperboloid and the sphere do not change.
        dims, leads = [], []
        for factor in factors:
            dims.append(factor.dim)
            leads.append(factor.point_shape[0] - factor.dim)
        return self._turn(x, positions, dims, leads)

    def tangent(self, c: Tensor, positions: Tensor | None = None) -> Tensor:
        """Turn normal coordinates (*, n, dim)."""
        dims = [factor.dim for factor in factors_of(self.manifold_in)]
        return self._turn(c, positions, dims, [0] * len(dims))

    def _turn(
        self, x: Tensor, positions: Tensor | None, dims: list[int], leads: list[int]
    ) -> Tensor:
        """Turn each factor's last `dim` coordinates and pass its first `lead` ones on."""
        if positions is None:
            positions = torch.arange(x.shape[-2], device=x.device)
        parts: list[Tensor] = []
        start = 0
        for dim, lead in zip(dims, leads, strict=True):
            half = dim // 2
            sizes = [lead, half, half, dim - 2 * half]
            first, a, b, rest = x.narrow(-1, start, lead + dim).split(sizes, dim=-1)
            cosine, sine = self._angles(positions, dim, x.dtype)
            parts += [first, cosine * a - sine * b, sine * a + cosine * b, rest]
            start += lead + dim
        return torch.cat(parts, dim=-1)

    def _angles(self, positions: Tensor, dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return cosines and sines, (*, n, floor(dim/2)); float64 keeps far places apart."""
        k = torch.arange(dim // 2, device=positions.device, dtype=torch.float64)
        angles = positions[..., None].to(torch.float64) * self.base ** (-2 * k / dim)
        return angles.cos().to(dtype), angles.sin().to(dtype)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return nothing: the angles are given."""
        return {}

    def extra_repr(self) -> str:
        """Return the manifold and the base."""
        return f"{self.manifold_in!r}, base={self.base:g}"


class LearnedPosition(TangentLayer):
    """y_p = x_p (+) w_p: Moebius addition of a learned point for each place of a sequence.

    Args:
        manifold: where input and output live.
        max_length: how many places have a point.
        device, dtype: of the parameters.

    Shapes: x (*, n, S), positions (*, n) or (n,), integers below `max_length`, 0, 1, ..., n - 1 by
    default -> (*, n, S). Parameters: `weight` (max_length, S), points.

    Raises:
        ValueError: `max_length` < 1; in `forward`, a sequence longer than `max_length`.

    Initial values: wrapped normal of rms radius 0.1 min(1, |K|^-1/2) on each factor.

    Flat limit: x_p + w_p, an embedding of places added to that of tokens.
    Source: [ganea2018hyperbolic] Eq. (28) for the translation.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        max_length: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, manifold)
        if max_length < 1:
            raise ValueError(f"max_length must be at least 1, got {max_length}")
        self.max_length = max_length
        empty = torch.empty(max_length, *manifold.point_shape, device=device, dtype=dtype)
        self.weight = ManifoldParameter(empty, manifold)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw fresh points near the origin."""
        draw_points(self.weight, self.manifold_in, SMALL)

    def tangent(self, c: Tensor, positions: Tensor | None = None) -> Tensor:
        """Return the normal coordinates of x (+) w."""
        length = c.shape[-2]
        if positions is None and length > self.max_length:
            raise ValueError(
                f"a sequence of {length} points is longer than max_length={self.max_length};"
                " build LearnedPosition with a larger one"
            )
        points = self.weight[:length] if positions is None else F.embedding(positions, self.weight)
        return translate(self.manifold_in, c, to_normal(self.manifold_in, points).to(c.dtype))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the points in normal coordinates."""
        return {"weight": to_normal(self.manifold_in, self.weight)}

    def extra_repr(self) -> str:
        """Return the manifold and the number of places."""
        return f"{self.manifold_in!r}, max_length={self.max_length}"
