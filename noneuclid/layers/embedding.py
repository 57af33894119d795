"""A table of points, looked up by index."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._initial import Law, draw_points, put_at_origin
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.manifolds import HomogeneousManifold, ManifoldParameter
from noneuclid.numerics import safe_norm


class Embedding(nn.Module):
    """A table of points: integers to points of `manifold`.

    The input is not a point, so this is a module and no `Layer`: it has a `manifold`, on which the
    first layer starts.

    Args:
        num_embeddings: rows of the table.
        manifold: where the points live.
        padding_idx: a row that is the origin and gets no gradient; counted from the end if < 0.
        sparse: whether the gradient holds the looked-up rows alone; the optimizers of
            `noneuclid.optim` then touch no other row, nor their state.
        max_radius: points further from the origin than this are read as the point at that
            distance on their geodesic from the origin; the table keeps them. None: no bound.
        law, scale: of the initial values.
        device, dtype: of the parameters.

    Shapes: (*) integers -> (*, S). Parameters: `weight` (num_embeddings, S), points.

    Raises:
        ValueError: `num_embeddings` < 1, `padding_idx` outside the table, `max_radius` or `scale`
            not positive, an unknown law. TypeError: no manifold with an origin.

    Initial values, with r = min(1, |K|^-1/2) of each factor and normal coordinates c there:
    "normal", a wrapped normal: c normal of standard deviation scale r / sqrt(dim), so that a fresh
    embedding has rms radius scale r; "uniform": c uniform in [-0.001 scale r, 0.001 scale r], next
    to the origin, as embeddings of trees and graphs start.

    Flat limit: torch.nn.Embedding with the normal coordinates of the points.
    Source: [nickel2017poincare] for points as embeddings and their uniform start.
    """

    def __init__(  # noqa: PLR0913 - the arguments of torch.nn.Embedding
        self,
        num_embeddings: int,
        manifold: HomogeneousManifold,
        *,
        padding_idx: int | None = None,
        sparse: bool = False,
        max_radius: float | None = None,
        law: Law = "normal",
        scale: float = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _check_options(num_embeddings, manifold, padding_idx, max_radius, law, scale)
        self.manifold = manifold
        self.num_embeddings = num_embeddings
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.sparse = sparse
        self.max_radius = max_radius
        self.law: Law = law
        self.scale = scale
        empty = torch.empty(num_embeddings, *manifold.point_shape, device=device, dtype=dtype)
        self.weight = ManifoldParameter(empty, manifold)
        self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls,
        points: Tensor,
        manifold: HomogeneousManifold,
        freeze: bool = True,
        **options: Any,
    ) -> "Embedding":
        """Return an embedding whose table is `points` (num_embeddings, S), taken as they are.

        Args:
            points: points of `manifold`; the row of `padding_idx` too is taken as it is.
            manifold: where they live.
            freeze: whether they get no gradient.
            options: `padding_idx`, `sparse`, `max_radius` as for the class.

        Raises:
            ValueError: `points` is not a matrix of points of `manifold`.
        """
        if points.dim() != 2 or tuple(points.shape[1:]) != manifold.point_shape:
            raise ValueError(
                f"from_pretrained expects points of shape (num_embeddings, *{manifold.point_shape})"
                f" on {manifold!r}, got {tuple(points.shape)}"
            )
        made = cls(len(points), manifold, device="meta", dtype=points.dtype, **options)
        made.weight = ManifoldParameter(points, manifold, requires_grad=not freeze)
        return made

    def reset_parameters(self) -> None:
        """Draw a fresh table."""
        draw_points(self.weight, self.manifold, self.scale, self.law)
        if self.padding_idx is not None:
            put_at_origin(self.weight.detach()[self.padding_idx], self.manifold)

    def forward(self, index: Tensor) -> Tensor:
        """Map integers (*) to points (*, S)."""
        x = F.embedding(index, self.weight, self.padding_idx, sparse=self.sparse)
        if self.max_radius is None:
            return x
        c = to_normal(self.manifold, x)
        radius = safe_norm(c)
        beyond = radius > self.max_radius
        shortened = c * (self.max_radius / torch.where(beyond, radius, self.max_radius))
        return torch.where(beyond, from_normal(self.manifold, shortened), x)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the weight of the flat twin, torch.nn.Embedding: the normal coordinates."""
        return {"weight": to_normal(self.manifold, self.weight)}

    def extra_repr(self) -> str:
        """Return the size and the options that are not the default."""
        options = {"padding_idx": None, "sparse": False, "max_radius": None}
        texts = [
            f"{name}={getattr(self, name)}"
            for name, usual in options.items()
            if getattr(self, name) != usual
        ]
        return ", ".join([f"{self.num_embeddings}, {self.manifold!r}", *texts])


def _check_options(
    num_embeddings: int,
    manifold: HomogeneousManifold,
    padding_idx: int | None,
    max_radius: float | None,
    law: str,
    scale: float,
) -> None:
    """Raise for arguments of `Embedding` that mean nothing."""
    if not isinstance(manifold, HomogeneousManifold):
        raise TypeError(
            "Embedding needs a manifold with an origin, such as noneuclid.Lorentz(16),"
            f" got {type(manifold).__name__}"
        )
    if num_embeddings < 1:
        raise ValueError(f"Embedding needs at least one row, got num_embeddings={num_embeddings}")
    if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
        raise ValueError(
            f"padding_idx must be a row of the table of {num_embeddings}, got {padding_idx}"
        )
    if max_radius is not None and not max_radius > 0:
        raise ValueError(f"max_radius must be a positive length or None, got {max_radius}")
    if law not in ("normal", "uniform"):
        raise ValueError(f"law must be 'normal' or 'uniform', got {law!r}")
    if not scale > 0:
        raise ValueError(f"scale must be positive, got {scale}")
