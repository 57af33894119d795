"""Laws of torch's machinery: compile, export, 16-bit points, autocast."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from noneuclid.manifolds import GeodesicManifold, HomogeneousManifold, Manifold
from noneuclid.numerics import tolerance
from noneuclid.testing.law import DOUBLE, close, finite, law, require, same, within
from noneuclid.testing.samples import (
    arguments,
    operations,
    pairs,
    point_axes,
    resolution,
    vectors,
)

Generator = torch.Generator


MAPS: tuple[str, ...] = (
    "projx",
    "inner",
    "egrad2rgrad",
    "retr",
    "transp",
    "expmap",
    "logmap",
    "dist",
)
MAPS += ("expmap0", "logmap0", "transp0back")
GEODESICS = ("retr", "expmap", "logmap", "dist")


class Methods(nn.Module):
    """One module that calls several methods of a manifold: a single graph to compile or export."""

    def __init__(self, manifold: Manifold, names: tuple[str, ...]) -> None:
        super().__init__()
        self.manifold = manifold
        self.names = names

    def forward(self, x: Tensor, y: Tensor, u: Tensor, o: Tensor) -> tuple[Tensor, ...]:
        """Return the results of the methods that the tier has."""
        sources = {"x": x, "y": y, "u": u, "v": u, "o": o, "g": u}
        return tuple(
            method(*(sources[kind] for kind in kinds))
            for name, method, kinds in operations(self.manifold)
            if name in self.names
        )


def compiled_equals_eager(
    manifold: Manifold, dtype: torch.dtype, generator: Generator, backend: str
) -> None:
    """Raise unless fullgraph compilation with `backend` gives the eager values and gradients."""
    torch.compiler.reset()
    module = Methods(manifold, MAPS)
    compiled: Callable[..., tuple[Tensor, ...]] = torch.compile(
        module, fullgraph=True, backend=backend
    )
    kinds = "xyuo" if isinstance(manifold, HomogeneousManifold) else "xyuu"
    tensors = arguments(manifold, kinds, dtype, generator, 5)
    parameters = list(manifold.parameters())
    found = []
    for function in (module, compiled):
        leaves = [tensor.clone().requires_grad_() for tensor in tensors]
        values = function(*leaves)
        total = torch.stack([value.sum() for value in values]).sum()
        gradients = torch.autograd.grad(total, [*leaves, *parameters], allow_unused=True)
        found.append([*values, *(g for g in gradients if g is not None)])
    size = 1 + max(float(value.detach().abs().max()) for value in found[0])
    for number, (eager, other) in enumerate(zip(*found, strict=True)):
        close(other, eager, tolerance(dtype) * size, f"result {number} compiled by {backend}")


@law(Manifold, DOUBLE)
def compiles_in_one_graph(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """torch.compile(fullgraph=True) of the maps equals eager, gradients included."""
    compiled_equals_eager(manifold, dtype, generator, "aot_eager")


@law(Manifold, DOUBLE)
def exports(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """torch.export of exp, log and dist, with a free batch axis, gives the same numbers."""
    kinds = "xyuo" if isinstance(manifold, HomogeneousManifold) else "xyuu"
    module = Methods(manifold, GEODESICS)
    batch = torch.export.Dim("batch", min=2)
    shapes = {name: {0: batch} for name in ("x", "y", "u", "o")}
    tensors = tuple(arguments(manifold, kinds, dtype, generator, 5))
    program = torch.export.export(module, tensors, dynamic_shapes=shapes).module()
    others = tuple(arguments(manifold, kinds, dtype, generator, 3))
    for number, (value, expected) in enumerate(zip(program(*others), module(*others), strict=True)):
        allowed = tolerance(dtype) * (1 + float(expected.detach().abs().max()))
        close(value, expected, allowed, f"result {number} of the exported program")


@law(Manifold, DOUBLE)
def half_precision_is_float32_rounded(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """16-bit points: finite, of their dtype, on the manifold, the float32 result rounded once."""
    for half in (torch.float16, torch.bfloat16):
        x = manifold.random(16, generator=generator, dtype=half)
        require(x.dtype == half and bool(manifold.check_point(x).all()), f"random in {half}")
        u = vectors(manifold, x, generator)
        y = manifold.retr(x, u)
        require(y.dtype == half and bool(manifold.check_point(y).all()), f"retr in {half}")
        same(manifold.projx(y), y, f"projx of a point made in {half}")
        for name, method, kinds in operations(manifold):
            sources = {"x": x, "y": y, "u": u, "v": u, "o": u, "g": u}
            tensors = [sources[kind] for kind in kinds]
            value = method(*tensors)
            require(value.dtype == half, f"{name} of {half} gives {value.dtype}")
            finite(value, f"{name} in {half}")
            expected = method(*(t.float() for t in tensors))
            if name in ("projx", "retr", "expmap", "expmap0"):
                expected = manifold.projx(expected.to(half)).float()  # its last shell is nearer
                size = expected.abs().amax(point_axes(manifold), True)
                allowed = 4 * torch.finfo(half).eps * size
            else:
                allowed = torch.finfo(half).eps * expected.abs() + torch.finfo(half).tiny
                expected = expected.clamp(-torch.finfo(half).max, torch.finfo(half).max)
            close(value, expected, allowed, f"{name} in {half}")


@law(GeodesicManifold, DOUBLE)
def half_precision_is_accurate(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Exp and log of 16-bit points go round within what 16 bits resolve."""
    for half in (torch.float16, torch.bfloat16):
        x, y = pairs(manifold, half, generator, 16)
        back = manifold.expmap(x, manifold.logmap(x, y))
        allowed = resolution(manifold, x, y)
        within(manifold.dist(back.double(), y.double()), allowed, f"exp(log y) in {half}")


@law(Manifold, DOUBLE)
def autocast_is_left(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """Under autocast the results are those without it, in the points' dtype."""
    x = manifold.random(4, generator=generator, dtype=torch.float32)
    u = vectors(manifold, x, generator)
    y = manifold.retr(x, u)
    sources = {"x": x, "y": y, "u": u, "v": u, "o": u, "g": u}
    for name, method, kinds in operations(manifold):
        tensors = [sources[kind] for kind in kinds]
        expected = method(*tensors)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            same(method(*tensors), expected, f"{name} under autocast")
