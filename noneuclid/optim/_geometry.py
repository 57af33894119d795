"""What a functional step asks of the geometry: factors, gradient, second moment, move.

On R^n each of these is the in-place operation that torch.optim's single-tensor code uses, because
`add_(alpha=...)` and `addcmul_(value=...)` round once where the written-out formula rounds twice:
only so is a parameter on R^n equal to its torch.optim twin bit for bit.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import Euclidean, HomogeneousManifold, Manifold, Product


def factors_of(manifold: Manifold, *tensors: Tensor) -> Iterator[tuple[Manifold, list[Tensor]]]:
    """Yield (factor, views of the tensors) for each factor that is not itself a product.

    The tensors (*, S) are points, vectors or optimizer state; what is written into the views is
    written into them. A step taken factor by factor makes a product equal to its factors' runs.
    """
    if not isinstance(manifold, Product):
        yield manifold, list(tensors)
        return
    splits = [tensor.split(manifold.widths, dim=-1) for tensor in tensors]
    for index, factor in enumerate(manifold.factors):
        yield from factors_of(factor, *(split[index] for split in splits))


def local(tensor: Tensor) -> Tensor:
    """Return the rows that this process holds of a sharded tensor; any other one as it is.

    What is written into them is written into `tensor`. Rows are points, so a step takes each
    where it is, without communication.
    """
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def check_sharding(parameter: Tensor, manifold: Manifold) -> None:
    """Raise ValueError if the processes hold parts of points, or of a curvature, only."""
    batch = parameter.dim() - len(manifold.point_shape)
    cut = [p.dim for p in getattr(parameter, "placements", ()) if p.is_shard()]
    apart = any(hasattr(of_manifold, "to_local") for of_manifold in manifold.parameters())
    if apart or any(axis % parameter.dim() >= batch for axis in cut):
        what = "the curvature" if apart else "the coordinates"
        raise ValueError(
            f"{what} of a parameter {tuple(parameter.shape)} on {type(manifold).__name__} would be"
            " spread over processes; shard the model with noneuclid.distributed.fully_shard, which"
            " replicates single points and curvatures"
        )


def check_decay(manifold: Manifold) -> None:
    """Raise ValueError unless every factor of `manifold` has an origin to decay towards."""
    for factor, _ in factors_of(manifold):
        if not isinstance(factor, HomogeneousManifold):
            raise ValueError(
                f"weight_decay pulls towards the origin, and {type(factor).__name__} has none;"
                " put its parameters into a group with weight_decay=0"
            )


def gradient_of(
    manifold: Manifold,
    x: Tensor,
    g: Tensor,
    *,
    maximize: bool,
    weight_decay: Any,  # a number or a 0-dim tensor: torch's alpha= takes both, its stubs do not
) -> Tensor:
    """Return the Riemannian gradient that a step descends: (*, S) -> (*, S); `g` stays untouched.

    It is egrad2rgrad(x, +-g) - weight_decay log_x(o): the decay is the gradient of
    weight_decay d(x, o)^2 / 2, and wd x on R^n. A factor of finite injectivity radius (K > 0) is
    not decayed: there the pull is not smooth, and every point is equally far from "large".
    """
    gradient = manifold.egrad2rgrad(x, -g if maximize else g)
    if weight_decay == 0:
        return gradient
    check_decay(manifold)
    assert isinstance(manifold, HomogeneousManifold)
    inward = manifold.logmap(x, manifold.origin(dtype=x.dtype, device=x.device))
    # The sign of a learnable K is known to the device only: select there, do not ask for it.
    unbounded = torch.isinf(manifold.injectivity_radius).to(x.device)
    return gradient.add(torch.where(unbounded, inward, 0), alpha=-weight_decay)


def add_square(manifold: Manifold, x: Tensor, u: Tensor, average: Tensor, weight: Any) -> None:
    """Do average += weight component_inner(x, u) in place; all (*, S)."""
    if isinstance(manifold, Euclidean):
        average.addcmul_(u, u, value=weight)
    else:
        average.add_(manifold.component_inner(x, u), alpha=weight)


def move(manifold: Manifold, x: Tensor, u: Tensor, step: Any, *carried: Tensor) -> None:
    """Do x <- retr_x(step u) in place and carry the vectors `carried` along; all (*, S).

    `u` may be one of the carried vectors.
    """
    if isinstance(manifold, Euclidean):
        x.add_(u, alpha=step)
        return
    y, *moved = manifold.retr_transp(x, step * u, *carried)
    x.copy_(y)
    for vector, value in zip(carried, moved, strict=True):
        vector.copy_(value)
