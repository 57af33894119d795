"""The fully-connected layer of HNN++: signed distances to hyperplanes are coordinates again."""

from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers.linear._ambient_linear import REACH, AmbientLinear, curvature_below, is_flat
from noneuclid.manifolds import HomogeneousManifold, SpaceForm
from noneuclid.numerics import asinck, safe_divide, safe_norm, turn, wide


class PoincareLinear(AmbientLinear):
    """X_out,k = sin_K(v_k), v_k = |z_k| times the signed distance of x to the k-th hyperplane.

    Hyperplane k meets the geodesic from the origin along z_k at right angles, at the signed
    distance r_k. (The output's signed distance to the coordinate hyperplane k is v_k.) One formula
    for the ball, the hyperboloid and Stereographic: X_out is the space part on the hyperboloid,
    w of the source, whose ball coordinates are w / (1 + sqrt(1 - K |w|^2)).

    Args:
        manifold_in, manifold_out: of constant curvature, or Euclidean; any dimensions.
        bias: whether the offsets r are there; without, all hyperplanes meet the origin.
        gain: factor of the initial semi-orthogonal weight; sqrt 2 makes up for a ReLU.
        device, dtype: of the parameters.

    Shapes: (*, S_in) -> (*, S_out). Parameters: `weight`, z (dim_out, dim_in), in the orthonormal
    frame at the origin; `offset`, r (dim_out,), lengths.

    Raises:
        TypeError: a product (`Linear` takes those), or a manifold without constant curvature.

    Initial values: z semi-orthogonal times `gain`, r = 0: normal coordinates keep their size. (The
    source's standard deviation (2 n m)^-1/2 shrinks the radius by about n^-1/2 in every layer.)

    Where K >= 0 it is the tangent map exp_o(z log_o x - |z| r): continuous in K through 0, where
    dK has a kink. Flat limit: torch.nn.Linear with weight z and bias -|z| r.
    Accuracy: as `hyperplane_logits`, computed in the dtype of the points. Coordinates beyond
    |v| = 40 |K|^-1/2, next to the last shell of float32, are read as if they were there.
    Source: [shimizu2021hyperbolic] section 3.2, Eq. (6) and (7), in ambient coordinates.
    """

    def _add_parameters(self, where: dict[str, Any]) -> None:
        rows, columns = self.manifold_out.dim, self.manifold_in.dim
        self.weight = nn.Parameter(torch.empty(rows, columns, **where))
        self.offset = nn.Parameter(torch.empty(rows, **where)) if self.has_bias else None

    def reset_parameters(self) -> None:
        """Draw z and set r to 0."""
        nn.init.orthogonal_(self.weight, self.gain)
        if self.offset is not None:
            nn.init.zeros_(self.offset)

    def _matrix(self) -> tuple[Tensor, Tensor | None]:
        weight = wide(self.weight)
        unit = safe_divide(weight, safe_norm(weight))
        if self.offset is None:
            return torch.cat([torch.zeros_like(unit[:, :1]), unit], dim=-1), None
        offset = wide(self.offset)[:, None]
        curvature = curvature_below(self.manifold_in, weight.device)
        cosine, sine = turn(curvature * offset * offset, REACH, sign=-1)
        return torch.cat([-sine * offset, cosine * unit], dim=-1), None

    def _response(self, v: Tensor) -> Tensor:
        length = safe_norm(wide(self.weight))[:, 0].to(v.dtype)
        return _sine(self.manifold_out, length * _arc(self.manifold_in, v))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return z and, if there are offsets, -|z| r."""
        flat: dict[str, Tensor] = {"weight": self.weight}
        if self.offset is not None:
            flat["bias"] = -safe_norm(self.weight)[:, 0] * self.offset
        return flat


def _arc(manifold: HomogeneousManifold, sine: Tensor) -> Tensor:
    """Return d with sin_K(d) = sine, elementwise."""
    if is_flat(manifold):
        return sine
    curvature = curvature_below(manifold, sine.device).to(sine.dtype)
    if isinstance(manifold, SpaceForm) and not manifold.curvature_sign:
        return sine * asinck(curvature * sine * sine, sign=-1)
    rate = (-curvature).sqrt()
    side = torch.where(sine < 0, -1.0, 1.0).to(sine.dtype)  # |s| has derivative 0 at 0, side s 1
    size = side * rate * sine
    return side / rate * torch.log1p(size + size * size / (1 + (1 + size * size).sqrt()))


def _sine(manifold: HomogeneousManifold, arc: Tensor) -> Tensor:
    """Return sin_K(arc), elementwise, at most that of REACH."""
    if is_flat(manifold):
        return arc
    curvature = curvature_below(manifold, arc.device).to(arc.dtype)
    if isinstance(manifold, SpaceForm) and not manifold.curvature_sign:
        return turn(curvature * arc * arc, REACH, sign=-1)[1] * arc
    rate = (-curvature).sqrt()
    return torch.sinh((rate * arc).clamp(-REACH, REACH)) / rate
