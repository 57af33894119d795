"""Averages of a model's parameters that stay on their manifolds."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import (
    AveragedModel,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
)

from noneuclid.manifolds import (
    Euclidean,
    GeodesicManifold,
    Manifold,
    manifold_of,
)
from noneuclid.optim._pieces import factors_of


class RiemannianAveragedModel(AveragedModel):
    """`torch.optim.swa_utils.AveragedModel` whose points are averaged along geodesics.

    A marked parameter moves by a <- exp_a(w log_a(x)), where w is the weight that the averaging
    function gives to the new value: 1 / (n + 1) for the equal average, 1 - decay for the
    exponential one. On R^n this is the function itself. (The mean of coordinates that torch's class
    takes is not on a sphere; on the hyperboloid its time entry is stale.) All else is torch's, and
    so are the arguments; every parameter keeps its mark.

    Args:
        model: what to average.
        device: where to keep the average.
        avg_fn: (average, new value, count) -> average, linear in the values; default: equal.
        multi_avg_fn: the same in place on lists, such as
            `torch.optim.swa_utils.get_ema_multi_avg_fn(0.999)`.
        use_buffers: whether buffers are averaged too.

    Where a curvature learns, the average has its own, averaged as torch does, and points of the
    model are read as points of that manifold. A manifold without geodesics takes retr(a, w u) for
    the tangent part u of x - a.

    Source: for n points in turn, the recursive mean of [ho2013recursive].
    """

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take `model`'s parameters into the average."""
        marked = [
            (manifold, average.detach(), average.detach().clone(), value.detach())
            for average, value in zip(self.module.parameters(), model.parameters(), strict=True)
            if (manifold := manifold_of(average)) is not None
        ]
        weight = self._weight()
        # Torch's own update first: the curvatures are to be those of the new average.
        super().update_parameters(model)
        for manifold, *tensors in marked:
            tensors[-1] = tensors[-1].to(tensors[0].device)
            for factor, (into, a, x) in factors_of(manifold, *tensors):
                if not isinstance(factor, Euclidean):
                    into.copy_(_toward(factor, a, x, weight))

    def _weight(self) -> Tensor:
        """Return the weight of the next value, (): what the averaging function makes of 0 and 1."""
        count = self.n_averaged
        old, new = count.new_zeros(1, dtype=torch.float64), count.new_ones(1, dtype=torch.float64)
        if self.multi_avg_fn is not None:
            self.multi_avg_fn([old], [new], count)
        else:
            old = (self.avg_fn or get_swa_avg_fn())(old, new, count)
        return torch.where(count == 0, new, old)[0]


def geodesic_avg_fn(
    model: nn.Module, decay: float | None = None
) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    """Return a `multi_avg_fn` for torch's own AveragedModel that averages points along geodesics.

        averaged = AveragedModel(model, multi_avg_fn=geodesic_avg_fn(model, 0.999))

    torch hands over bare tensors: `model`, the one whose parameters `update_parameters` is given,
    tells which of them are points. Its curvatures are those of the average too; where curvatures
    learn, take `RiemannianAveragedModel`, which averages them first.

    Args:
        model: the model in training.
        decay: of the exponential average; None: the equal average.

    Raises:
        ValueError: `decay` is not in [0, 1]. RuntimeError: in an update, tensors that are not the
            model's (another model, or an average on another device).
    """
    plain = get_swa_multi_avg_fn() if decay is None else get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        known = {x.data_ptr(): x for x in (*model.parameters(), *model.buffers())}
        found = [known.get(x.data_ptr()) for x in current]
        if any(x is None for x in found):
            raise RuntimeError(
                "geodesic_avg_fn was built for another model than the one it is to average, or the"
                " average is on another device; use noneuclid.optim.RiemannianAveragedModel"
            )
        points = [
            (a, a.clone(), x, manifold)
            for a, x, of_model in zip(averaged, current, found, strict=True)
            if (manifold := manifold_of(of_model)) is not None
        ]
        plain(averaged, current, count)
        weight = 1 / (count + 1) if decay is None else torch.tensor(1 - decay)
        for average, before, value, manifold in points:
            for factor, (into, a, x) in factors_of(manifold, average, before, value):
                if not isinstance(factor, Euclidean):
                    into.copy_(_toward(factor, a, x, weight.to(torch.float64)))

    return update


def _toward(manifold: Manifold, a: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """Return the point at fraction `weight` of the way from a to x, x itself at 1: (*, S)."""
    a, x, weight = manifold.projx(a), manifold.projx(x), weight.to(a)
    if isinstance(manifold, GeodesicManifold):
        moved = manifold.geodesic(a, x, weight)
    else:
        moved = manifold.retr(a, weight * manifold.proju(a, x - a))
    return torch.where(weight == 1, x, moved)
