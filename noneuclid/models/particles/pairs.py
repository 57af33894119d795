"""What two particles say about each other: Particle Transformer's pair features, and their bias."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.models.particles.masked_norm import MaskedBatchNorm

PAIR_FEATURES = ("ln kT", "ln z", "ln Delta", "ln m^2")
LOWEST = -8 * math.log(10)  # what a logarithm is at least: 1e-8 GeV for kT; ParT's own value


def pair_features(momenta: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return ln kT, ln z, ln Delta, ln m^2 of pairs of particles: -> (*, pairs, 4).

    With rapidity y, azimuth phi and a, b the two particles,

        Delta = sqrt((y_a - y_b)^2 + (phi_a - phi_b)^2),  kT = min(pT_a, pT_b) Delta,
        z = min(pT_a, pT_b) / (pT_a + pT_b),  m^2 = (E_a + E_b)^2 - |p_a + p_b|^2,

    each at least 1e-8 before its logarithm.

    Args:
        momenta: px, py, pz, E in GeV, (*, P, 4); 0 where there is no particle.
        first: position of a in each pair, (pairs,).
        second: that of b.

    Accuracy: m^2 is formed from differences of rapidity and azimuth, without the cancellation of
    E^2 - p^2; float32 gives it to 1e-5 relative for massless particles 0.01 apart, where the plain
    form is off by 100 % at 500 GeV.
    Source: [qu2022particle] Eq. (3).
    """
    px, py, pz, energy = momenta.unbind(-1)
    pt = torch.hypot(px, py)
    forward = pz.abs()
    momentum = torch.hypot(pt, pz)
    mass2 = torch.relu((energy - momentum) * (energy + momentum))
    transverse2 = pt * pt + mass2
    present = transverse2 > 0
    transverse = torch.where(present, torch.where(present, transverse2, 1).sqrt(), 0)
    ratio = torch.where(present, (energy + forward) / torch.where(present, transverse, 1), 1)
    rapidity = torch.copysign(ratio.log(), pz)
    columns = torch.stack((pt, transverse, mass2, rapidity, torch.atan2(py, px)), dim=-1)
    a, b = columns[..., first, :].unbind(-1), columns[..., second, :].unbind(-1)
    return _of_pairs(a, b)


def _of_pairs(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Return the features from (pT, mT, m^2, y, phi) of both particles."""
    (pt_a, mt_a, mass2_a, y_a, phi_a), (pt_b, mt_b, mass2_b, y_b, phi_b) = a, b
    dy = y_a - y_b
    dphi = torch.remainder(phi_a - phi_b + math.pi, 2 * math.pi) - math.pi
    distance = torch.hypot(dy, dphi)
    softer, total = torch.minimum(pt_a, pt_b), pt_a + pt_b
    share = softer / torch.where(total > 0, total, 1)
    pts, mts = pt_a * pt_b, mt_a * mt_b
    both = pts + mts
    masses = pt_a * pt_a * mass2_b + pt_b * pt_b * mass2_a + mass2_a * mass2_b
    opening = mts * torch.sinh(dy / 2).square() + pts * torch.sin(dphi / 2).square()
    product = masses / torch.where(both > 0, both, 1) + 2 * opening  # E_a E_b - p_a.p_b
    invariant = mass2_a + mass2_b + 2 * product
    values = torch.stack((softer * distance, share, distance, invariant), dim=-1)
    positive = values > 0
    return torch.where(positive, torch.where(positive, values, 1).log().clamp(min=LOWEST), LOWEST)


class PairEmbedding(nn.Module):
    """Momenta to an additive attention bias, one number for each head and pair of particles.

    The features of a pair do not depend on its order, so each unordered pair goes once through
    BatchNorm and a network of 1x1 convolutions, [Linear, BatchNorm, GELU] with a last Linear.

    Args:
        heads: H, channels of the output.
        widths: of the layers between.
        device, dtype: of the parameters.

    Shapes: momenta (B, P, 4) px, py, pz, E in GeV, mask (B, P) bool -> (B, H, P, P), symmetric.
    Statistics are those of pairs of real particles.

    Source: [qu2022particle] section 4.
    """

    def __init__(
        self,
        heads: int,
        widths: Sequence[int] = (64, 64, 64),
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        sizes = (len(PAIR_FEATURES), *widths)
        self.norms: Sequence[MaskedBatchNorm] = nn.ModuleList(  # type: ignore[assignment]
            MaskedBatchNorm(size, **where) for size in sizes
        )
        self.maps = nn.ModuleList(
            nn.Linear(before, after, **where)
            for before, after in itertools.pairwise((*sizes, heads))
        )

    def forward(self, momenta: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the bias (B, H, P, P)."""
        count = momenta.shape[-2]
        first, second = torch.triu_indices(count, count, device=momenta.device)
        both = None
        if mask is not None:
            momenta = torch.where(mask[..., None], momenta, 0)
            both = mask[:, first] & mask[:, second]
        x = pair_features(momenta.float(), first, second).to(self.norms[0].weight.dtype)
        for number, (norm, step) in enumerate(zip(self.norms, self.maps, strict=True)):
            x = norm(x, both)
            x = step(nn.functional.gelu(x) if number else x)
        # The place of the pair (a, b), a <= b, in the list of pairs: its row starts after a rows
        # that shrink by one each.
        places = torch.arange(count, device=momenta.device)
        low = torch.minimum(places[:, None], places)
        high = torch.maximum(places[:, None], places)
        index = low * count - low * (low - 1) // 2 + high - low
        return x.mT[..., index]
