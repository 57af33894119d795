"""Laws of batches: batch == loop == vmap, broadcasting, strides, inputs left alone."""

import torch
from torch import nn

from noneuclid.manifolds import GeodesicManifold, Manifold, SpaceForm
from noneuclid.numerics import tolerance
from noneuclid.testing.law import BOTH, DOUBLE, close, law, require, same
from noneuclid.testing.samples import arguments, curvature_of, operations

Generator = torch.Generator


def _allowed(value: torch.Tensor) -> float:
    """Return the rounding between two orders of the same sums: a few last bits of the largest."""
    return tolerance(value.dtype) * float(value.detach().abs().max()) if value.numel() else 0.0


@law(Manifold, BOTH)
def a_batch_is_a_loop(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """Each row of a batch is what the row alone gives; so is each row of vmap."""
    for name, method, kinds in operations(manifold):
        tensors = arguments(manifold, kinds, dtype, generator, 5)
        batch = method(*tensors)
        loop = torch.stack([method(*(t[i] for t in tensors)) for i in range(5)])
        close(batch, loop, _allowed(batch), f"{name}: batch against loop")
        mapped = torch.vmap(method)(*tensors)
        close(mapped, batch, _allowed(batch), f"{name}: vmap against batch")
        if len(kinds) > 1:
            first = torch.vmap(method, in_dims=(None, *(0,) * (len(kinds) - 1)))
            one = method(tensors[0][0].expand_as(tensors[0]), *tensors[1:])
            close(first(tensors[0][0], *tensors[1:]), one, _allowed(one), f"{name}: vmap of rest")


@law(SpaceForm, DOUBLE)
def curvatures_are_mapped(manifold: SpaceForm, dtype: torch.dtype, generator: Generator) -> None:
    """Vmap over K of `at(K)` gives what each K alone gives."""
    kinds = "xyuo"
    tensors = dict(zip(kinds, arguments(manifold, kinds, dtype, generator, 4), strict=True))
    value = curvature_of(manifold)
    values = torch.tensor([0.9, 1.0, 1.1], dtype=torch.float64) * (value or 0.01)
    for name, _, letters in operations(manifold):
        if not set(letters) <= set(kinds):
            continue

        def at(curvature: torch.Tensor, name: str = name, letters: str = letters) -> torch.Tensor:
            view = manifold.at(curvature)
            return getattr(view, name)(*(tensors[kind] for kind in letters))

        loop = torch.stack([at(value) for value in values])
        close(torch.vmap(at)(values), loop, _allowed(loop), f"{name}: vmap over curvature")


def _learns(manifold: Manifold) -> bool:
    return isinstance(manifold, GeodesicManifold) and any(manifold.parameters())


@law(_learns, DOUBLE)
def parameters_are_mapped(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Vmap over the parameters of `torch.func.functional_call` gives what each alone gives."""
    x, y, u = arguments(manifold, "xyu", dtype, generator, 4)
    module = Calls(manifold)
    stacked = {
        name: torch.stack([value.detach() + step for step in (-0.02, 0.0, 0.02)])
        for name, value in module.named_parameters()
    }

    def call(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.functional_call(module, parameters, (x, y, u))

    loop = torch.stack([call({n: v[i] for n, v in stacked.items()}) for i in range(3)])
    require(bool((loop[0] != loop[2]).any()), "functional_call ignores the parameters")
    close(torch.vmap(call)(stacked), loop, _allowed(loop), "vmap over parameters")


class Calls(nn.Module):
    """Exp, log and distance of a manifold in one row each, as a module to call functionally."""

    def __init__(self, manifold: GeodesicManifold) -> None:
        super().__init__()
        self.manifold = manifold

    def forward(self, x: torch.Tensor, y: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """Return (exp_x u, log_x y, d(x, y)) side by side."""
        maps = (self.manifold.expmap(x, u), self.manifold.logmap(x, y))
        return torch.cat([*maps, self.manifold.dist(x, y).unsqueeze(-1)], dim=-1)


@law(Manifold, BOTH)
def batches_broadcast(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """Arguments of batch shapes (3, 1) and (4,) give (3, 4), in either order."""
    for name, method, kinds in operations(manifold):
        if len(kinds) == 1:
            continue
        tensors = arguments(manifold, kinds, dtype, generator, 3, 4)
        for turned in (False, True):
            first = tensors[0][:, :1] if not turned else tensors[0][0]
            rest = [t[0] if not turned else t[:, :1] for t in tensors[1:]]
            whole = [t.expand(3, 4, *manifold.point_shape) for t in (first, *rest)]
            expected = method(*whole)
            close(method(first, *rest), expected, _allowed(expected), f"{name}: broadcast")


@law(Manifold, DOUBLE)
def strides_do_not_matter(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """Transposed, sliced and expanded inputs give what their contiguous copies give."""
    for name, method, kinds in operations(manifold):
        tensors = arguments(manifold, kinds, dtype, generator, 4)
        expected = method(*tensors)
        odd = [t.mT.contiguous().mT for t in tensors]
        close(method(*odd), expected, _allowed(expected), f"{name}: transposed")
        sliced = [torch.stack([t, t], dim=-1)[..., 0] for t in tensors]
        close(method(*sliced), expected, _allowed(expected), f"{name}: sliced")


@law(Manifold, BOTH)
def inputs_are_not_changed(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """No method writes into its arguments, and calling it again gives the same bits."""
    for name, method, kinds in operations(manifold):
        tensors = arguments(manifold, kinds, dtype, generator, 4)
        copies = [t.clone() for t in tensors]
        result = method(*tensors)
        for tensor, copy in zip(tensors, copies, strict=True):
            same(tensor, copy, f"argument of {name}")
        require(result.dtype == dtype, f"{name} returns {result.dtype}")
        kept = result.clone()
        same(method(*tensors), kept, f"{name} called again")


@law(GeodesicManifold, BOTH)
def every_argument_counts(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Results change when an argument does, except those that a flat metric ignores."""
    base = arguments(manifold, "xyuv", dtype, generator, 4)
    other = arguments(manifold, "xyuv", dtype, generator, 4)
    x, y, u, v = base
    calls = {
        "expmap": (manifold.expmap, [x, u], [other[0], other[2]]),
        "logmap": (manifold.logmap, [x, y], [other[0], other[1]]),
        "dist": (manifold.dist, [x, y], [other[0], other[1]]),
    }
    for name, (method, tensors, others) in calls.items():
        result = method(*tensors)
        for i in range(len(tensors)):
            changed = [*tensors[:i], others[i], *tensors[i + 1 :]]
            different = (method(*changed) != result).reshape(4, -1).any(-1)
            require(bool(different.all()), f"{name} ignores argument {i}")
    changed_vector = (manifold.transp(x, y, v) != manifold.transp(x, y, u)).any()
    require(bool(changed_vector), "transp ignores its vector")
    one, two = (torch.Generator().manual_seed(seed) for seed in (1, 2))
    again = torch.Generator().manual_seed(1)
    first = manifold.random(3, generator=one, dtype=dtype)
    same(manifold.random(3, generator=again, dtype=dtype), first, "random, same generator")
    second = manifold.random(3, generator=two, dtype=dtype)
    require(bool((first != second).any()), "random ignores its generator")
    one, again = (torch.Generator().manual_seed(1) for _ in range(2))
    tangent = manifold.random_tangent(x, generator=one)
    same(manifold.random_tangent(x, generator=again), tangent, "random_tangent, same generator")
    require(
        bool((manifold.random_tangent(x, generator=one) != tangent).any()),
        "random_tangent ignores its generator",
    )
