"""The four points of a set that are furthest from a tree, in torch alone."""

import torch
from torch import Tensor

_CACHED, _RESIDENT = 2**17, 2**24  # numbers of a chunk: in a processor's cache, on an accelerator


def stand_ins(mask: Tensor) -> Tensor:
    """Return the points that are read, (B, n): the first there is for those that are not.

    A point may be taken more than once without changing a maximum over quadruples.
    """
    place = torch.arange(mask.shape[-1], device=mask.device)
    return torch.where(mask, place, mask.to(torch.uint8).argmax(-1, keepdim=True))


def search(distances: Tensor, mask: Tensor | None, base: int | None) -> Tensor:
    """Return four points of each set whose two largest sums of distances differ most: (B, 4).

    Args:
        distances: (B, n, n), n > 0, symmetric.
        mask: (B, n) bool, True where a point is; None: everywhere.
        base: one of the four (the first point there is, where it is masked); None: any four.

    The largest difference of one base p is that of a max-min product of Gromov products,
    max_xy [max_z min(G_xz, G_zy) - G_xy], taken here one z at a time: O(B n^2) memory, O(B n^3)
    time; over all bases O(B n^4), of which points before the base need not be looked at again.
    """
    if mask is not None:
        read = stand_ins(mask)
        distances = distances.gather(1, read[:, :, None].expand(distances.shape))
        distances = distances.gather(2, read[:, None, :].expand(distances.shape))
        return read.gather(1, search(distances, None, base))
    count, points = distances.shape[:2]
    room = _CACHED if distances.device.type == "cpu" else _RESIDENT
    found = []
    for chunk in distances.split(max(1, room // points**2)):
        if base is not None:
            found.append(_from_base(chunk, base)[1])
            continue
        excess = chunk.new_full(chunk.shape[:1], -torch.inf)
        witness = torch.zeros(len(chunk), 4, dtype=torch.int64, device=chunk.device)
        for first in range(points):
            value, four = _from_base(chunk[:, first:, first:], 0)
            witness = torch.where((value > excess)[:, None], four + first, witness)
            excess = torch.maximum(excess, value)
        found.append(witness)
    return torch.cat(found) if count else distances.new_zeros((0, 4), dtype=torch.int64)


def _from_base(distances: Tensor, base: int) -> tuple[Tensor, Tensor]:
    """Return the largest difference with one base, (B,), and the four points, (B, 4)."""
    count, points = distances.shape[:2]
    far = distances[:, base]
    products = far[:, :, None] + far[:, None, :] - distances  # twice Gromov's
    best = torch.minimum(products[:, :, :1], products[:, :1, :])
    low = torch.empty_like(best)
    for z in range(1, points):
        torch.minimum(products[:, :, z, None], products[:, z, None, :], out=low)
        torch.maximum(best, low, out=best)
    value, pair = (best - products).flatten(1).max(-1)
    x = torch.div(pair, points, rounding_mode="floor")
    y = pair - x * points
    each = torch.arange(count, device=distances.device)
    through = torch.minimum(products[each, x], products[each, y]).argmax(-1)
    return value, torch.stack((x, y, through, torch.full_like(x, base)), dim=-1)
