"""Layers one after another, without leaving the tangent space where that changes nothing."""

import itertools
from typing import Any

from torch import Tensor, nn

from noneuclid.layers._base import Layer, TangentLayer
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.manifolds import HomogeneousManifold, Product
from noneuclid.manifolds.product import factors_of


class Chain(TangentLayer):
    """Layers in sequence: the same map as torch.nn.Sequential, at about the flat layers' cost.

    Between two tangent layers exp_o and log_o cancel exactly, and `Chain` leaves them out. (Points
    saturate at the last shell of their dtype; coordinates between the layers of a chain do not.)
    A tangent layer that `prefers_points` is given points where one of its neighbours has them too,
    or ends the chain.

    Args:
        *layers: layers, each starting where the one before ends: on the same manifold, with the
            same curvature module if it is learnable.

    Shapes: those of the first and last layer. `mask`, if given, goes to the layers that take one.

    Raises:
        ValueError: no layer, or two neighbours on different manifolds. TypeError: not a layer.

    Flat limit: torch.nn.Sequential of the flat twins.
    """

    takes_mask = True

    def __init__(self, *layers: Layer) -> None:
        if not layers:
            raise ValueError("Chain needs at least one layer, got none")
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(f"Chain needs layers, got {type(layer).__name__}")
        for i, (first, second) in enumerate(itertools.pairwise(layers)):
            if not same_space(first.manifold_out, second.manifold_in):
                raise ValueError(
                    f"layer {i} ends on {first.manifold_out!r}, layer {i + 1} starts on"
                    f" {second.manifold_in!r}; share a learnable curvature with manifold.like(dim)"
                )
        super().__init__(layers[0].manifold_in, layers[-1].manifold_out)
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map points of the first layer's `manifold_in` to points of the last's `manifold_out`."""
        x, inside = self._run(x, False, mask)
        return from_normal(self.manifold_out, x) if inside else x

    def tangent(self, c: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the last layer's normal coordinates from the first's."""
        c, inside = self._run(c, True, mask)
        return c if inside else to_normal(self.manifold_out, c)

    def _run(self, x: Tensor, inside: bool, mask: Tensor | None) -> tuple[Tensor, bool]:
        """Return the output, and whether it (as x, if `inside`) is in normal coordinates."""
        for layer, on_points in zip(self._steps(), self._on_points(not inside), strict=True):
            extra: dict[str, Any] = {"mask": mask} if layer.takes_mask else {}
            is_chain = isinstance(layer, Chain) and not inside  # it knows best what its layers like
            if isinstance(layer, TangentLayer) and not (on_points or is_chain):
                c = x if inside else to_normal(layer.manifold_in, x)
                x, inside = layer.tangent(c, **extra), True
            else:
                x = from_normal(layer.manifold_in, x) if inside else x
                x, inside = layer(x, **extra), False
        return x, inside

    def _steps(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def _on_points(self, ends: bool) -> list[bool]:
        """Tell for each layer whether it is given points; `ends`: whether the chain itself is."""
        likes = [ends]
        for layer in self._steps():
            likes.append(not isinstance(layer, TangentLayer) or layer.prefers_points)
        likes.append(ends)
        return [
            like and (before or after or not isinstance(layer, TangentLayer))
            for layer, before, like, after in zip(
                self._steps(), likes, likes[1:], likes[2:], strict=False
            )
        ]

    def reset_parameters(self) -> None:
        """Draw fresh parameters in every layer."""
        for layer in self._steps():
            layer.reset_parameters()

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the twins' parameters, named as in a torch.nn.Sequential of them."""
        return {
            f"{i}.{name}": value
            for i, layer in enumerate(self._steps())
            for name, value in layer.flat_parameters().items()
        }


def same_space(a: HomogeneousManifold, b: HomogeneousManifold) -> bool:
    """Tell whether points of `a` are points of `b`, now and after their curvatures have learned."""
    if a is b:
        return True
    if isinstance(a, Product) or isinstance(b, Product):
        pairs = list(zip(factors_of(a), factors_of(b), strict=False))
        return len(factors_of(a)) == len(factors_of(b)) and all(same_space(*p) for p in pairs)
    return a.dim == b.dim and same_curvature(a, b)


def same_curvature(a: HomogeneousManifold, b: HomogeneousManifold) -> bool:
    """Tell whether `a` is `b` in another dimension, now and after their curvatures have learned."""
    if type(a) is not type(b):
        return False
    curvatures = getattr(a, "curvature", None), getattr(b, "curvature", None)
    if curvatures[0] is not None and curvatures[0] is curvatures[1]:
        return True
    return not any(getattr(c, "learnable", False) for c in curvatures) and a.like(b.dim).same_as(b)
