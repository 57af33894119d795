"""The dual contrastive loss: inside every view of two graphs, and across their views."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._normal import from_normal
from noneuclid.losses import NeighborLoss
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import safe_divide, safe_norm

Discriminator = Literal["bilinear", "transport", "cosine", "neighbor"]
DISCRIMINATORS = ("bilinear", "transport", "cosine", "neighbor")


class DualContrast(nn.Module):
    """Single-view and cross-view InfoNCE between the views of two graphs with the same nodes.

    With h_i^m the point of node i in view m of the first graph and g_i^n that in view n of the
    second,

        J = mean_m J_mm + weight mean_(m != n) J_mn,
        J_mn = -(1 / 2N) sum_i log softmax_j D(h_i^m, g_j^n)_(j = i) + the same, i and j swapped.

    | discriminator | D(x, y), u = log_o x and v = log_o y in orthonormal frames |
    | --- | --- |
    | "bilinear" | u^T B v / t, B learned for each pair of views: D_kappa of the source |
    | "transport" | u . v / t: both vectors carried to a common origin |
    | "cosine" | (u . v) / (t abs(u) abs(v)) |
    | "neighbor" | -d(x, y)^2 / 2 t^2, y read at its normal coordinates on the space of x |

    A loss with a free B or t leaves the size of curvatures undetermined: rescaling K and the radii
    together changes nothing. Only their signs and ratios mean something.

    Args:
        manifolds: of the views, of the same dimension d.
        discriminator: D.
        temperature: t.
        cross_weight: weight of the cross-view terms; 0 leaves them out.
        device, dtype: of B, (views, views, d, d), the identity at first.

    Shapes: normal coordinates (views, N, d) twice, and p (N, N) -> (). With weights p_ij >= 0 of
    who should be near whom, the logarithm is their mean sum_j p_ij log softmax_j, each row of p
    normalized and rows of zeros left out; by default p is the identity.

    Raises:
        ValueError: an unknown discriminator, or a temperature or weight out of its range.

    Source: [sun2022self], Algorithm 1; [alshammari2025icon] for "neighbor".
    """

    manifolds: Sequence[HomogeneousManifold]

    def __init__(
        self,
        manifolds: Sequence[HomogeneousManifold],
        discriminator: Discriminator = "bilinear",
        *,
        temperature: float = 1.0,
        cross_weight: float = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if discriminator not in DISCRIMINATORS:
            raise ValueError(
                f"discriminator must be one of {', '.join(DISCRIMINATORS)}, got {discriminator!r}"
            )
        if temperature <= 0 or cross_weight < 0:
            raise ValueError(
                "temperature must be > 0 and cross_weight >= 0, got"
                f" {temperature} and {cross_weight}"
            )
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.manifolds = nn.ModuleList(manifolds)  # type: ignore[assignment]  # it is a Sequence
        self.discriminator: Discriminator = discriminator
        self.temperature, self.cross_weight = temperature, cross_weight
        self.form: nn.Parameter | None = None
        if discriminator == "bilinear":
            count, dim = len(manifolds), manifolds[0].dim
            self.form = nn.Parameter(torch.eye(dim, **where).repeat(count, count, 1, 1))
        self.neighbors = nn.ModuleList(
            NeighborLoss(m, temperature=temperature, **where)
            for m in manifolds
            if discriminator == "neighbor"
        )

    def forward(self, first: Tensor, second: Tensor, p: Tensor | None = None) -> Tensor:
        """Return J of the views of two graphs."""
        count = len(self.manifolds)
        single = [self._pair(first, second, m, m, p) for m in range(count)]
        loss = torch.stack(single).mean()
        if self.cross_weight == 0 or count == 1:
            return loss
        cross = [
            self._pair(first, second, m, n, p) for m in range(count) for n in range(count) if m != n
        ]
        return loss + self.cross_weight * torch.stack(cross).mean()

    def _pair(self, first: Tensor, second: Tensor, m: int, n: int, p: Tensor | None) -> Tensor:
        """Return J_mn."""
        if self.discriminator == "neighbor":
            p = torch.eye(first.shape[1], device=first.device) if p is None else p
            space, near = self.manifolds[m], self.neighbors[m]
            x, y = from_normal(space, first[m]), from_normal(space, second[n])
            return (near(x, p, keys=y) + near(y, p.mT, keys=x)) / 2
        logits = self.scores(first, second, m, n)
        if p is None:
            own = torch.arange(logits.shape[0], device=logits.device)
            return (F.cross_entropy(logits, own) + F.cross_entropy(logits.mT, own)) / 2
        return (_divergence(logits, p) + _divergence(logits.mT, p.mT)) / 2

    def scores(self, first: Tensor, second: Tensor, m: int, n: int) -> Tensor:
        """Return D of all pairs of nodes, in view m and view n: (N, N)."""
        u, v = first[m], second[n]
        if self.form is not None:
            v = v @ self.form[m, n].mT
        elif self.discriminator == "cosine":
            u, v = safe_divide(u, safe_norm(u)), safe_divide(v, safe_norm(v))
        return u @ v.mT / self.temperature

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"discriminator={self.discriminator!r}, temperature={self.temperature},"
            f" cross_weight={self.cross_weight}"
        )


def _divergence(logits: Tensor, p: Tensor) -> Tensor:
    """Return the mean cross entropy of rows of p, without those of zeros, against a softmax."""
    total = p.sum(-1, keepdim=True)
    values = -(safe_divide(p, total) * torch.log_softmax(logits, dim=-1)).sum(-1)
    count = (total > 0).sum()
    return values.sum() / torch.where(count > 0, count, 1)
