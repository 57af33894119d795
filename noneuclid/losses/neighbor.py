"""One family of losses: a given neighbourhood against the one that distances tell."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from noneuclid.losses._distances import factor_distances, half_square_chord, without_padding
from noneuclid.losses._divergence import DIVERGENCES
from noneuclid.losses._reduction import Reduction, check_reduction, reduced
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import safe_divide, safe_sqrt, working_dtype

Kernel = Literal["gaussian", "student", "exponential", "inner"]
Divergence = Literal["kl", "tv", "jsd", "hellinger"]
KERNELS = ("gaussian", "student", "exponential", "inner")


class NeighborLoss(nn.Module):
    """The mean divergence between given and learned distributions over each point's neighbours.

    p(j|i) is given; with d_f the geodesic distance in factor f, t_f a temperature and
    D^2 = sum_f d_f^2 / t_f^2,

        q(j|i) = k_ij / sum_(l != i) k_il,    loss = mean_i D(p(.|i), q(.|i)),

    | kernel | log k |
    | --- | --- |
    | "gaussian" | -D^2 / 2 |
    | "student" | -log(1 + D^2) |
    | "exponential" | -D |
    | "inner" | -sum_f (1 - cos_K d_f) / (K t_f) |

    | divergence | D(p, q) |
    | --- | --- |
    | "kl" | sum p log(p / q) |
    | "tv" | sum abs(p - q) / 2 |
    | "jsd" | (KL(p, m) + KL(q, m)) / 2, m = (p + q) / 2 |
    | "hellinger" | sum (sqrt p - sqrt q)^2 / 2 |

    "inner" is the inner product of ambient coordinates over t, up to a constant: the cosine on the
    unit sphere, <x, y>_L on the hyperboloid, -d^2 / 2 t on R^n.

    Known losses are members of it, with "kl" up to the constant entropy of p: SimCLR ("inner" on
    the sphere, p from `view_neighbors`), supervised contrastive learning (the same, p from
    `label_neighbors`), SNE ("gaussian", p from `perplexity_neighbors`), its heavy-tailed form
    ("student"; t-SNE besides normalises over all pairs at once), InfoNCE between two views (`keys`,
    p the identity).

    Args:
        manifold: where the points live.
        kernel: how similarity falls with distance.
        divergence: how distributions are compared; the last three are bounded.
        temperature: t, one number, or one for each factor (those of nested products one by one).
        learnable: whether the temperatures are parameters.
        reduction: "mean" over the rows that have a neighbour, "sum" or "none".
        device, dtype: of the temperatures.

    Shapes: x (*, n, S), p (*, n, n) -> () or (*, n). `p` holds weights >= 0, normalised in each
    row here: an adjacency matrix will do. Rows without a neighbour (p all 0, or nothing but masked
    points) count 0 and not in the mean: a batch of one point costs 0. 16-bit points are compared in
    float32.

    Source: [alshammari2025icon]; [shone2025beyond] for other divergences than KL.
    """

    log_temperature: Tensor

    def __init__(
        self,
        manifold: HomogeneousManifold,
        kernel: Kernel = "gaussian",
        divergence: Divergence = "kl",
        *,
        temperature: float | Sequence[float] = 1.0,
        learnable: bool = False,
        reduction: Reduction = "mean",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        if kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, got {kernel!r}")
        if divergence not in DIVERGENCES:
            raise ValueError(
                f"divergence must be one of {', '.join(DIVERGENCES)}, got {divergence!r}"
            )
        given = [*temperature] if isinstance(temperature, Sequence) else [temperature]
        count = len(factors_of(manifold))
        if len(given) not in (1, count) or not all(0 < t < math.inf for t in given):
            raise ValueError(
                f"temperature must be one positive number or one for each of {count} factors, got"
                f" {temperature}"
            )
        self.manifold, self.kernel, self.divergence = manifold, kernel, divergence
        self.reduction: Reduction = reduction
        logarithms = torch.tensor([math.log(t) for t in given], device=device, dtype=dtype)
        if learnable:
            self.log_temperature = nn.Parameter(logarithms)
        else:
            self.register_buffer("log_temperature", logarithms)

    def log_kernel(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log k of all pairs: (*, n, S), (*, m, S) -> (*, n, m)."""
        dtype = working_dtype(torch.promote_types(x.dtype, y.dtype))
        x, y = x.to(dtype), y.to(dtype)
        inverse = (-self.log_temperature).exp().to(dtype)
        if self.kernel == "inner":
            factors = factors_of(self.manifold)
            tables = zip(factors, factor_distances(self.manifold, x, y), strict=True)
            chords = torch.stack([half_square_chord(f, d) for f, d in tables], dim=-1)
            return -(inverse * chords).sum(-1)
        if len(inverse) == 1:  # one temperature for all: the product's own distance
            length = inverse * self.manifold.cdist(x, y)
            square = length * length
        else:
            scaled = inverse * torch.stack(factor_distances(self.manifold, x, y), dim=-1)
            square = (scaled * scaled).sum(-1)
            length = safe_sqrt(square)
        if self.kernel == "gaussian":
            return -square / 2
        return -torch.log1p(square) if self.kernel == "student" else -length

    def log_neighbors(
        self,
        x: Tensor,
        *,
        keys: Tensor | None = None,
        mask: Tensor | None = None,
        keys_mask: Tensor | None = None,
    ) -> Tensor:
        """Return log q(j|i): (*, n, n), or (*, n, m) with `keys`; -inf where j is no candidate."""
        x = without_padding(self.manifold, x, mask)
        if keys is None:
            logits = self.log_kernel(x, x)
            allowed = ~torch.eye(x.shape[-2], dtype=torch.bool, device=x.device)
            keys_mask = mask
        else:
            logits = self.log_kernel(x, without_padding(self.manifold, keys, keys_mask))
            allowed = torch.ones_like(logits, dtype=torch.bool)
        if keys_mask is not None:
            allowed = allowed & keys_mask[..., None, :]
        allowed = allowed.expand(logits.shape)
        some = allowed.any(-1, keepdim=True)  # a row without a candidate: any numbers, then -inf
        logits = torch.where(allowed, logits, torch.where(some, -torch.inf, 0).to(logits.dtype))
        logits = torch.log_softmax(logits, dim=-1)
        return torch.where(allowed, logits, -torch.inf)

    def forward(
        self,
        x: Tensor,
        p: Tensor,
        *,
        keys: Tensor | None = None,
        mask: Tensor | None = None,
        keys_mask: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of points `x` whose neighbourhoods should be `p`.

        Args:
            x: points, (*, n, S).
            p: weights >= 0, (*, n, n) with the diagonal ignored, or (*, n, m) with `keys`.
            keys: points (*, m, S) among which neighbours are looked for, `x` itself by default
                (where a point is no neighbour of itself).
            mask: (*, n) bool, True where a point is.
            keys_mask: (*, m) bool, likewise for `keys`.
        """
        log_q = self.log_neighbors(x, keys=keys, mask=mask, keys_mask=keys_mask)
        if p.shape[-2:] != log_q.shape[-2:]:
            raise ValueError(
                f"p must have shape (*, {log_q.shape[-2]}, {log_q.shape[-1]}), got {tuple(p.shape)}"
            )
        read = log_q > -torch.inf
        if mask is not None:
            read = read & mask[..., None]
        weights = torch.where(read, p.to(log_q.dtype), 0)
        total = weights.sum(-1, keepdim=True)
        present = total[..., 0] > 0
        values = DIVERGENCES[self.divergence](safe_divide(weights, total), log_q)
        return reduced(values, self.reduction, present)

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"kernel={self.kernel!r}, divergence={self.divergence!r}, reduction={self.reduction!r}"
        )
