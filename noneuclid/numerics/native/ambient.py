"""Rows read as points with ambient coordinates: what Python hands to `ambient.h`."""

from torch import Tensor

from noneuclid.numerics.native.tiles import address

MODELS = "stereographic", "hyperboloid", "direction"  # what rows are, as in ambient.h


def reading(rows: Tensor, curvature: Tensor, model: str, moves: bool) -> tuple[int, ...]:
    """Return the fields of a Reading.

    Args:
        rows: (*, n, d), whose coordinates lie side by side.
        curvature: K, (1,) in float64.
        model: one of `MODELS`.
        moves: whether rows beyond the last shell are read as points on it.
    """
    fields = MODELS.index(model), int(moves), rows.shape[-1], rows.stride(-2)
    return (*fields, address(rows), address(curvature))
