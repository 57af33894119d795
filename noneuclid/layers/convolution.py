"""Convolution of sequences and images of points: a patch is one point, then a linear map."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._ambient import to_ambient
from noneuclid.layers._base import TangentLayer
from noneuclid.layers._beta import beta_ratio
from noneuclid.layers._initial import put_at_origin
from noneuclid.layers._masking import checked_mask, points_only
from noneuclid.layers._normal import from_normal, principal, to_normal, translate
from noneuclid.layers._trigonometry import TRIGONOMETRY
from noneuclid.manifolds import Euclidean, HomogeneousManifold, ManifoldParameter, SpaceForm
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import working_dtype

Size = int | Sequence[int]


class _Convolution(TangentLayer):
    """What Conv1d and Conv2d share; `axes` is the number of axes that the kernel moves along."""

    takes_mask = True
    axes: int

    def __init__(  # noqa: PLR0913 - the arguments of torch.nn.Conv1d
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | Literal["same", "valid"] = 0,
        dilation: Size = 1,
        bias: bool = True,
        *,
        concat: Literal["beta", "direct"] = "beta",
        mixing: bool | None = None,
        gain: float = math.sqrt(2),
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out)
        self.kernel_size = self._sizes("kernel_size", kernel_size, 1)
        self.stride = self._sizes("stride", stride, 1)
        self.padding = self._padding(padding)
        self.dilation = self._sizes("dilation", dilation, 1)
        self.concat = concat
        self.gain = gain
        self._check_concat()
        self._set_dims(mixing)
        self.weights = nn.ParameterList(
            torch.empty(rows, columns, *self.kernel_size, device=device, dtype=dtype)
            for rows, columns in zip(self.dims_out, self.dims_in, strict=True)
        )
        if bias:
            empty = torch.empty(*manifold_out.point_shape, device=device, dtype=dtype)
            self.bias = ManifoldParameter(empty, manifold_out)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _set_dims(self, mixing: bool | None) -> None:
        """Set `mixing` and the dimensions that each matrix maps from and to."""
        ins, outs = factors_of(self.manifold_in), factors_of(self.manifold_out)
        if mixing is None:
            mixing = len(ins) != len(outs)
        if not mixing and len(ins) != len(outs):
            raise ValueError(
                f"mixing=False needs equally many factors, got {len(ins)} and {len(outs)};"
                " use mixing=True"
            )
        self.mixing = mixing or len(ins) == 1
        self.dims_in = (self.manifold_in.dim,) if self.mixing else tuple(f.dim for f in ins)
        self.dims_out = (self.manifold_out.dim,) if self.mixing else tuple(f.dim for f in outs)

    def reset_parameters(self) -> None:
        """Draw W and put b at the origin."""
        for weight, scale in zip(self.weights, self._scales(), strict=True):
            rows, columns = weight.shape[0], weight[0].numel()
            kept = min(1, rows / columns) * math.prod(self.kernel_size)
            nn.init.orthogonal_(weight, self.gain / (scale * math.sqrt(kept)))
        if self.bias is not None:
            put_at_origin(self.bias, self.manifold_out)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map points (B, *places, S_in) to points (B, *places_out, S_out)."""
        c = to_normal(self.manifold_in, points_only(self.manifold_in, x, mask))
        return from_normal(self.manifold_out, self.tangent(c, mask))

    def tangent(self, c: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the normal coordinates of the output: (B, *places, dim) -> (B, ..., dim_out)."""
        if c.dim() != self.axes + 2:
            raise ValueError(
                f"{type(self).__name__} expects points of shape (B, {'n, ' * self.axes}S),"
                f" with {self.axes + 2} axes, got {c.dim()}"
            )
        if mask is not None:
            checked_mask(mask, c.shape[:-1])
            c = torch.where(mask[..., None], c, 0)
        if self.concat == "direct":
            parts = c.split([f.dim for f in factors_of(self.manifold_in)], dim=-1)
            pairs = zip(factors_of(self.manifold_in), parts, strict=True)
            c = torch.cat([to_ambient(factor, part)[0] for factor, part in pairs], dim=-1)
        moved = self._convolve(c)
        if self.concat == "direct":
            moved = _from_space_part(self.manifold_out, moved)
        if self.bias is None:
            return principal(self.manifold_out, moved)
        return translate(self.manifold_out, moved, to_normal(self.manifold_out, self.bias))

    def _convolve(self, c: Tensor) -> Tensor:
        """Return the patches' concatenations times W, with no patch ever written down."""
        convolve = F.conv1d if self.axes == 1 else F.conv2d
        parts = c.movedim(-1, 1).split(self.dims_in, dim=1)
        moved = [
            convolve(part, weight, None, self.stride, self.padding, self.dilation)
            for part, weight in zip(parts, self._scaled_weights(), strict=True)
        ]
        return torch.cat(moved, dim=1).movedim(1, -1)

    def _scales(self) -> list[float]:
        """Return, for each matrix, the factor that concatenation puts on the coordinates."""
        if self.concat == "direct":
            return [1.0] * len(self.dims_in)
        count = math.prod(self.kernel_size)
        return [beta_ratio(dim, count * dim) for dim in self.dims_in]

    def _scaled_weights(self) -> list[Tensor]:
        return [scale * w for scale, w in zip(self._scales(), self.weights, strict=True)]

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the block-diagonal weight, scale included, and the bias in normal coordinates."""
        rows = []
        left = 0
        for weight in self._scaled_weights():
            right = self.manifold_in.dim - left - weight.shape[1]
            rows.append(F.pad(weight, (0, 0) * self.axes + (left, right)))
            left += weight.shape[1]
        flat = {"weight": torch.cat(rows)}
        if self.bias is not None:
            flat["bias"] = to_normal(self.manifold_out, self.bias)
        return flat

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        return (
            f"{super().extra_repr()}, kernel_size={self.kernel_size}, stride={self.stride},"
            f" padding={self.padding!r}, dilation={self.dilation}, bias={self.bias is not None},"
            f" concat={self.concat!r}, mixing={self.mixing}"
        )

    def _sizes(self, name: str, size: Size, least: int) -> tuple[int, ...]:
        """Return one number for each axis."""
        sizes = (size,) * self.axes if isinstance(size, int) else tuple(size)
        if len(sizes) != self.axes or any(not isinstance(s, int) or s < least for s in sizes):
            raise ValueError(
                f"{name} must be an integer >= {least} or {self.axes} of them, got {size}"
            )
        return sizes

    def _padding(self, padding: Size | Literal["same", "valid"]) -> str | tuple[int, ...]:
        if padding == "same" and any(step != 1 for step in self.stride):
            raise ValueError(f"padding='same' needs stride 1, got {self.stride}; give a number")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"padding must be 'same', 'valid' or numbers, got {padding!r}")
            return padding
        return self._sizes("padding", padding, 0)

    def _check_concat(self) -> None:
        if self.concat not in ("beta", "direct"):
            raise ValueError(f"concat must be 'beta' or 'direct', got {self.concat!r}")
        if self.concat == "beta":
            return
        for factor in (*factors_of(self.manifold_in), *factors_of(self.manifold_out)):
            if not isinstance(factor, Euclidean) and getattr(factor, "curvature_sign", 0) >= 0:
                raise TypeError(
                    "concat='direct' needs factors of negative curvature or Euclidean ones: the"
                    " space parts of many points may be too long for a sphere; use concat='beta'"
                    f" on {factor!r}"
                )


def _from_space_part(manifold: HomogeneousManifold, X: Tensor) -> Tensor:
    """Return the normal coordinates of the points with space parts `X`, for K <= 0.

    Formula: c = (theta / sinh theta) X with cosh theta = sqrt(1 - K |X|^2), the time coordinate
    that the space part leaves no choice of.
    """
    parts = []
    factors = factors_of(manifold)
    for factor, part in zip(factors, X.split([f.dim for f in factors], dim=-1), strict=True):
        if not isinstance(factor, SpaceForm):
            parts.append(part)
            continue
        rows = part.to(working_dtype(part.dtype))
        square = (rows * rows).sum(-1, keepdim=True)
        time = (1 - factor.curvature(X.device).to(rows.dtype) * square).sqrt()
        parts.append((TRIGONOMETRY[-1][1](time, square) * rows).to(part.dtype))
    return torch.cat(parts, dim=-1)


class Conv1d(_Convolution):
    """Convolution along a sequence of points: y = W (x) concat(x_p, ..., x_p+k-1) (+) b.

    No patch is written down: it is torch's convolution on coordinates, then a translation by b.

    Args:
        manifold_in: where the input lives.
        manifold_out: where the output lives; any geometry and dimension.
        kernel_size, stride, padding, dilation: as for torch.nn.Conv1d, padding "same" and "valid"
            included; what is padded is the origin.
        bias: whether b, a `ManifoldParameter` of `manifold_out`, is there.
        concat: how the k points of a patch become one. "beta": their normal coordinates one after
            another, times B(k dim / 2, 1/2) / B(dim / 2, 1/2), so that the patch is as far from the
            origin as its points; for every geometry. "direct": their space parts on the hyperboloid
            one after another, with the time coordinate that belongs to them; W acts on space parts
            too, as on spacelike weights. Cheaper in scalars, for K < 0 and flat factors only.
        mixing: True for one matrix from all coordinates to all; False for one matrix for each pair
            of factors. By default False between products of equally many factors, else True.
        gain: factor of the initial W; sqrt 2 makes up for a ReLU.
        device, dtype: of the parameters.

    Shapes: x (B, n, S_in), mask (B, n) bool, True where a point is -> (B, n_out, S_out), n_out as
    for torch.nn.Conv1d. What stands in masked places is read as the origin. Parameters: `weights`,
    a list of (dim_out, dim_in, k) tensors, one or one for each factor; `bias` (S_out,).

    Raises:
        ValueError: sizes that are not integers, or too small; `padding="same"` with a stride;
            `mixing=False` between different numbers of factors; in `forward`, points or a mask of
            another shape. TypeError: "direct" on a factor that may have positive curvature.

    Initial values: W semi-orthogonal, b at the origin, with W scaled such that a patch of
    independent points at radius R goes to rms radius gain R, whatever k and the dimensions.

    Flat limit: torch.nn.Conv1d with the block-diagonal W, the scale of "beta" multiplied in, and
    the normal coordinates of b.
    Source: [shimizu2021hyperbolic] section 3.2 for "beta" and its convolution; [bdeir2024fully]
    for "direct".
    """

    axes = 1


class Conv2d(_Convolution):
    """Convolution over an image of points: y = W (x) concat(the points of a patch) (+) b.

    Args:
        manifold_in, manifold_out: as for `Conv1d`.
        kernel_size: height and width of a patch, of k points in all.
        stride, padding, dilation: as for `Conv1d`, one integer or two.
        bias, concat, mixing, gain, device, dtype: as for `Conv1d`.

    Shapes: x (B, h, w, S_in), the coordinates in the last axis, mask (B, h, w) bool, True where a
    point is -> (B, h_out, w_out, S_out). What stands in masked places is read as the origin.
    Parameters: `weights`, a list of (dim_out, dim_in, height, width) tensors; `bias` (S_out,).

    Raises:
        ValueError, TypeError: as `Conv1d`.

    Initial values: as `Conv1d`.

    Flat limit: torch.nn.Conv2d with the block-diagonal W, the scale of "beta" multiplied in, and
    the normal coordinates of b.
    Source: [shimizu2021hyperbolic] section 3.2 for "beta" and its convolution; [bdeir2024fully]
    for "direct".
    """

    axes = 2
