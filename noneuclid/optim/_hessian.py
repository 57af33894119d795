"""First and second derivatives of the loss on a bundle, by double backward."""

import functools
from typing import Any

import torch
from torch import Tensor

from noneuclid.optim._bundle import Bundle, Segment


class Hessian:
    """The Riemannian gradient of f at x, and v -> H v with H the Hessian of f o retr_x at 0.

    For an ambient gradient g of f, H v = sharp(D^2 f v + D^2 <g, retr_x>(0) v): the second term,
    with g held fixed, is what the bending of the retraction adds, and makes the sum independent
    of how f is continued off the manifold. H is the Riemannian Hessian for retractions of second
    order, of which the exponential map is one, and at critical points for all.

    Args:
        bundle: of all parameters.
        x: their values, (N,).
        loss: f(x), a scalar with its graph.

    Raises:
        TypeError: `loss` has no graph. RuntimeError: its graph is gone, or gradients are sparse.
    """

    def __init__(self, bundle: Bundle, x: Tensor, loss: Any) -> None:
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise TypeError(
                "the closure must return the loss as a tensor with its graph, got"
                f" {'a tensor without one' if isinstance(loss, Tensor) else type(loss).__name__}"
            )
        self._bundle, self._x = bundle, x
        try:
            self._gradients = torch.autograd.grad(
                loss,
                bundle.parameters,
                create_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
        except RuntimeError as error:
            raise RuntimeError(
                "the loss cannot be differentiated; its closure returns it without calling"
                f" backward: {error}"
            ) from error
        bundle.check_dense(self._gradients)
        self._covector = bundle.flatten(self._gradients)
        self.gradient = bundle.sharpen(x, self._covector)

    @functools.cached_property
    def _bends(self) -> list[tuple[Segment, Tensor, Tensor]]:
        segments = self._bundle.segments
        return [(segment, *_bend(segment, self._x, self._covector)) for segment in segments]

    def __call__(self, v: Tensor) -> Tensor:
        """Return H v: (N,) -> (N,)."""
        bundle = self._bundle
        terms = zip(self._gradients, bundle.split(v), strict=True)
        known = [(gradient, part) for gradient, part in terms if gradient.requires_grad]
        covector = torch.zeros_like(v)
        if known:
            gradients, parts = zip(*known, strict=True)
            second = torch.autograd.grad(
                gradients,
                bundle.parameters,
                parts,
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            covector = bundle.flatten(second)
        for segment, u, slope in self._bends:
            if slope.requires_grad:  # not on R^n, where retr_x is linear
                (bend,) = torch.autograd.grad(slope, u, segment.read(v), retain_graph=True)
                segment.view(covector).add_(bend)
        return bundle.sharpen(self._x, covector)


def _bend(segment: Segment, x: Tensor, covector: Tensor) -> tuple[Tensor, Tensor]:
    """Return u = 0 and the derivative by u of <covector, retr_x(u)>, with its graph."""
    base = segment.read(x)
    with torch.enable_grad():
        u = torch.zeros_like(base).requires_grad_()
        height = (segment.read(covector) * segment.manifold.retr(base, u)).sum()
        (slope,) = torch.autograd.grad(height, u, create_graph=True)
    return u, slope
