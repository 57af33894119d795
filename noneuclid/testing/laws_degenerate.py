"""Laws of degenerate points: valid input never gives NaN or infinity, in value or gradient."""

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from noneuclid.manifolds import GeodesicManifold, HomogeneousManifold, Manifold, SpaceForm
from noneuclid.numerics import tolerance
from noneuclid.testing.law import BOTH, close, finite, law, require
from noneuclid.testing.samples import (
    Operation,
    antipode,
    arguments,
    last_shell,
    operations,
    vectors,
)

Generator = torch.Generator


@law()
def coincident_points_are_valid(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Values and gradients at x = y, with v = 0 and v != 0."""
    x = manifold.random(4, generator=generator, dtype=dtype)
    u = vectors(manifold, x, generator)
    for vector, case in ((u, "v"), (0 * u, "v = 0")):
        _everything_is_finite(manifold, x, x.clone(), vector, f"x = y, {case}")
    nearby = manifold.retr(x, u * torch.finfo(dtype).eps)
    _everything_is_finite(manifold, x, nearby, u, "y one bit from x")


@law(HomogeneousManifold)
def the_origin_is_valid(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Values and gradients from, to and at the origin; and a denormal step away from it."""
    o = manifold.origin(4, dtype=dtype)
    x = manifold.random(4, generator=generator, dtype=dtype)
    at_o, at_x = vectors(manifold, o, generator), vectors(manifold, x, generator)
    _everything_is_finite(manifold, o, o.clone(), at_o, "x = y = o")
    _everything_is_finite(manifold, o, o.clone(), 0 * at_o, "x = y = o, v = 0")
    _everything_is_finite(manifold, o, x, at_o, "x = o")
    _everything_is_finite(manifold, x, o, at_x, "y = o")
    tiny = manifold.expmap0(at_o * torch.finfo(dtype).tiny)
    _everything_is_finite(manifold, o, tiny, at_o, "y a denormal step from o")


@law()
def antipodes_are_valid(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """Values and gradients at the antipode (K > 0) or the reflected point; log has its length."""
    x = manifold.random(4, generator=generator, dtype=dtype)
    if isinstance(manifold, HomogeneousManifold):
        x[0] = manifold.origin(dtype=dtype)
    u, y = vectors(manifold, x, generator), antipode(manifold, x)
    for far in (y, manifold.projx(y + 1e-3 * (x - y))):
        _everything_is_finite(manifold, x, far, u, "y antipodal")
        if isinstance(manifold, GeodesicManifold):
            length, d = manifold.norm(x, manifold.logmap(x, far)), manifold.dist(x, far)
            close(length, d, 64 * tolerance(dtype) ** 0.5 * d, "|log| at the antipode")


@law(SpaceForm)
def what_is_no_number_is_seen(
    manifold: SpaceForm, dtype: torch.dtype, generator: Generator
) -> None:
    """NaN in a row of an argument that counts gives NaN in that row, and in no other."""
    for operation in operations(manifold):
        given, other = (arguments(manifold, operation.arguments, dtype, generator, 3) for _ in "ab")
        right = operation.method(*given)
        for place, kind in enumerate(operation.arguments):
            changed, spoiled = list(given), list(given)
            changed[place] = other[place]
            spoiled[place] = given[place].clone()
            spoiled[place][1] = torch.nan
            if torch.equal(operation.method(*changed), right):
                continue  # a norm where the metric is the same everywhere
            result = operation.method(*spoiled)
            name = f"{operation.name} with NaN in {kind}"
            require(bool(result[1].isnan().any()), f"{name} is a number")
            require(torch.equal(result[::2], right[::2]), f"{name} reaches another row")


@law()
def the_last_shell_is_valid(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """Values and gradients at points as far out as the dtype holds, and between them."""
    # A learnable K in the points' dtype: its gradient, of the size of |x|^4, must fit there too.
    manifold = copy.deepcopy(manifold).to(dtype)
    x = last_shell(manifold, dtype, generator)
    require(bool(manifold.check_point(x).all()), "points of the last shell fail check_point")
    u = vectors(manifold, x, generator)
    inner = manifold.random(4, generator=generator, dtype=dtype)
    _everything_is_finite(manifold, x, x.roll(1, 0), u, "both on the last shell")
    _everything_is_finite(manifold, x, manifold.projx(-x), u, "opposite on the last shell")
    _everything_is_finite(manifold, x, x.clone(), 0 * u, "x = y on the last shell")
    _everything_is_finite(manifold, x, inner, u, "x on the last shell")
    at_inner = vectors(manifold, inner, generator)
    _everything_is_finite(manifold, inner, x, at_inner, "y on the last shell")
    if isinstance(manifold, GeodesicManifold):
        far = manifold.expmap(inner, 1e3 * at_inner)
        require(bool(manifold.check_point(far).all()), "exp of a long vector leaves the manifold")


@law(GeodesicManifold)
def means_at_degenerate_points_are_valid(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Midpoint of equal, antipodal and outermost points, of one point and with no weight."""
    x = manifold.random(4, generator=generator, dtype=dtype)
    shell = last_shell(manifold, dtype, generator)
    cases = [torch.stack([x, x]), torch.stack([x, antipode(manifold, x)]), x[None]]
    cases += [torch.stack([shell, shell]), torch.stack([shell, manifold.projx(-shell)])]
    for points in (case.transpose(0, 1) for case in cases):
        for weight in (1.0, 0.0):
            leaf = points.detach().clone().requires_grad_()
            w = torch.full(points.shape[:2], weight, dtype=dtype, requires_grad=True)
            mean = manifold.midpoint(leaf, w)
            finite(mean, "midpoint")
            for gradient in torch.autograd.grad(mean.sum(), (leaf, w), allow_unused=True):
                finite(torch.zeros(1) if gradient is None else gradient, "gradient of midpoint")


@law(GeodesicManifold, BOTH)
def dist2_has_its_hessian_at_coincidence(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """The Hessian of a -> d^2(x, exp_x(E a)) at a = 0, E an orthonormal frame, is 2 I."""
    x = manifold.random(generator=generator, dtype=dtype)
    u = vectors(manifold, x.expand(manifold.dim, *manifold.point_shape), generator)
    gram = manifold.inner(x, u.unsqueeze(1), u)

    def square(a: Tensor) -> Tensor:
        return manifold.dist2(x, manifold.expmap(x, torch.tensordot(a, u, 1)))

    hessian = torch.autograd.functional.hessian(square, torch.zeros(manifold.dim, dtype=dtype))
    allowed = 64 * tolerance(dtype) * (1 + x.abs().max()) ** 2 * gram.abs().max()
    close(hessian, 2 * gram, allowed, "Hessian of dist2 at x = y")


@law()
def empty_batches_and_single_axes_are_valid(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Batches of size (0,), (2, 0) and (1, 1) go through every method, with gradients."""
    for size in ((0,), (2, 0), (1, 1)):
        x = manifold.random(*size, generator=generator, dtype=dtype)
        require(x.shape == (*size, *manifold.point_shape), f"random{size}: {tuple(x.shape)}")
        u = manifold.random_tangent(x, generator=generator)
        _everything_is_finite(manifold, x, x.clone(), u, f"batch {size}")
        distances = manifold.inner(x, u)
        require(distances.shape == size, f"inner of batch {size}: {tuple(distances.shape)}")
    if isinstance(manifold, GeodesicManifold):
        none = manifold.random(0, generator=generator, dtype=dtype)
        some = manifold.random(3, generator=generator, dtype=dtype)
        require(manifold.cdist(none, some).shape == (0, 3), "cdist of nothing")


def _everything_is_finite(manifold: Manifold, x: Tensor, y: Tensor, u: Tensor, case: str) -> None:
    """Raise unless every method and its gradients are finite at these arguments."""
    parameters = [p for p in manifold.parameters() if p.requires_grad]
    sources = {"x": x, "y": y, "u": u, "v": u, "g": torch.ones_like(x)}
    for operation in operations(manifold):
        if "o" in operation.arguments:
            sources["o"] = cast(HomogeneousManifold, manifold).transp0back(x, u)
        leaves = [sources[kind].detach().clone().requires_grad_() for kind in operation.arguments]
        _finite_with_gradient(operation, leaves, parameters, case)


def _finite_with_gradient(
    operation: Operation, leaves: list[Tensor], parameters: Sequence[Tensor], case: str
) -> None:
    value = operation.method(*leaves)
    finite(value, f"{operation.name} at {case}")
    if not value.requires_grad:
        return
    gradients = torch.autograd.grad(value.sum(), [*leaves, *parameters], allow_unused=True)
    for position, gradient in enumerate(gradients):
        if gradient is not None:
            finite(gradient, f"gradient {position} of {operation.name} at {case}")
