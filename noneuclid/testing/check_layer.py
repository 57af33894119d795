"""The laws of a layer: `check_layer` holds any map between manifolds to all of them."""

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from noneuclid.layers import Layer
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.manifolds import Curvature, HomogeneousManifold, manifold_of
from noneuclid.numerics import tolerance
from noneuclid.testing.law import close, finite, require, same
from noneuclid.testing.laws_layer import (
    check_attention,
    check_isometry,
    check_permutation,
    check_training,
)

_FLAT = 1e-8  # |K| that stands for the flat limit where K = 0 is not of the family
_FLAT_ERROR = 1e-6  # what a curvature of 1e-8 changes at radius 3, with a margin of ten

Function = Callable[..., Tensor]


def check_layer(  # noqa: PLR0913 - a keyword for each claim
    layer: Layer,
    x: Tensor,
    *,
    mask: Tensor | None = None,
    twin: Function | None = None,
    oracle: Function | None = None,
    compiled: bool = True,
    permutes: bool = False,
    isometric: Literal["", "rotations", "all"] = "",
    uses_curvature: bool = True,
) -> None:
    """Hold `layer` to the laws of a layer, on the points `x` and in their dtype.

    The laws are those of evaluation mode, but for one on training mode.

    Args:
        layer: any `Layer`; it is not changed.
        x: points of `layer.manifold_in`, (B, ..., S); axis 0 is the batch, at least two rows.
        mask: for a layer that takes one: (B, ..., n) bool; the laws of padding are then checked.
        twin: the flat limit on normal coordinates. A torch.nn module is given the layer's
            `flat_parameters` as its state dict; a function is called with the coordinates (and
            `mask`) and the flat parameters as keywords, dots in their names replaced by `_`.
        oracle: a slow obvious version, called with `layer`, points and `mask`.
        compiled: whether to check the compiled layer too (`aot_eager`).
        permutes: whether the layer claims that to permute the points of a set (axis 1) permutes
            its outputs, or changes nothing if it has one output for a set.
        isometric: which motions the layer claims to commute with, f(g x) = g f(x): rotations about
            the origin, or all. A layer that ends on R^n, as a score does, must not change by them.
        uses_curvature: whether the output's coordinates depend on curvatures, so that gradients
            reach those that learn; False for a layer that only turns or passes on its points.

    A layer with a method `attention_weights` is also held to weights that sum to 1 over the keys.

    Raises:
        AssertionError: a law is broken; the message says which.
        TypeError: not a layer. ValueError: fewer than two rows.
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"check_layer needs a Layer, got {type(layer).__name__}")
    if x.shape[0] < 2:
        raise ValueError(f"check_layer needs at least two rows to compare, got {tuple(x.shape)}")
    layer = copy.deepcopy(layer).to(x.dtype).eval()
    _perturb(layer)
    extra = {} if mask is None else {"mask": mask}
    _check_output(layer, x, extra)
    _check_rows(layer, x, extra)
    if mask is not None:
        _check_padding(layer, x, mask)
    _check_gradients(layer, x, extra, uses_curvature=uses_curvature)
    _check_extremes(layer, x, extra)
    _check_copies(layer, x, extra)
    _check_half(layer, x, extra)
    check_training(layer, x, extra)
    if hasattr(layer, "attention_weights"):
        check_attention(layer, x, extra)
    if permutes:
        check_permutation(layer, x, extra)
    if isometric:
        check_isometry(layer, x, extra, only_rotations=isometric == "rotations")
    if oracle is not None:
        _check_oracle(layer, x, extra, oracle)
    if twin is not None:
        _check_flat(layer, x, mask, twin, _FLAT ** (1 / layer.flat_order))
    if compiled:
        _check_compiled(layer, x, extra)


def _perturb(layer: nn.Module) -> None:
    """Move every parameter off its initial value: biases at the origin would hide mistakes."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            space = manifold_of(parameter)
            if isinstance(space, HomogeneousManifold):
                size = (*parameter.shape[: -len(space.point_shape)], space.dim)
                noise = torch.randn(size, generator=generator, dtype=torch.float64)
                parameter.copy_(from_normal(space, 0.3 * noise / space.dim**0.5))
            elif not name.endswith("curvature.raw"):
                noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.add_(0.3 * noise)


def _check_output(layer: Layer, x: Tensor, extra: dict[str, Any]) -> None:
    y = layer(x, **extra)
    require(y.dtype == x.dtype, f"dtype: {x.dtype} in, {y.dtype} out")
    good = layer.manifold_out.check_point(y.detach())
    require(bool(good.all()), f"{int((~good).sum())} outputs are not on manifold_out")
    require(bool(layer.manifold_in.check_point(x).all()), "the input is not on manifold_in")
    same(layer(x, **extra), y, "the same input twice")


def _check_rows(layer: Layer, x: Tensor, extra: dict[str, Any]) -> None:
    """Row i of the output depends on row i of the input only, in every batch composition."""
    y = layer(x, **extra).detach()
    allowed = tolerance(x.dtype) * (1 + y.abs())
    alone = [
        layer(x[i : i + 1], **{k: v[i : i + 1] for k, v in extra.items()}) for i in range(len(x))
    ]
    close(torch.cat(alone), y, allowed, "a row by itself")
    order = torch.arange(len(x) - 1, -1, -1)
    turned = layer(x[order], **{name: value[order] for name, value in extra.items()})
    close(turned, y[order], allowed[order], "the rows in another order")
    changed = x.clone()
    changed[0] = layer.manifold_in.origin(dtype=x.dtype)
    close(layer(changed, **extra)[1:], y[1:], allowed[1:], "another row changed")
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(leaf, **extra)[0].sum(), leaf)
    require(not bool(gradient[1:].any()), "row 0 of the output has a gradient in other rows")
    empty = layer(x[:0], **{name: value[:0] for name, value in extra.items()})
    require(empty.shape == (0, *y.shape[1:]), f"an empty batch gives shape {tuple(empty.shape)}")


def _check_padding(layer: Layer, x: Tensor, mask: Tensor) -> None:
    """What stands in masked places, and how many there are, changes no output and no gradient."""
    present = mask[(..., *(None,) * (x.dim() - mask.dim()))]
    y = layer(x, mask=mask)
    leaf = torch.where(present, x, float("nan")).requires_grad_()
    allowed = tolerance(x.dtype) * (1 + y.detach().abs())
    rowwise = y.shape[:-1] == x.shape[:-1]  # outputs in masked places mean nothing

    def read(output: Tensor) -> Tensor:
        return output[:, : mask.shape[1]][mask] if rowwise else output

    for filler in (float("nan"), 1e30, -3.0):
        filled = layer(torch.where(present, x, filler), mask=mask)
        same(read(filled), read(y), f"padding filled with {filler}")
    gradients = torch.autograd.grad(
        layer(leaf, mask=mask).sum(), [leaf, *layer.parameters()], allow_unused=True
    )
    for gradient in gradients:
        if gradient is not None:
            finite(gradient, "a gradient where the padding is NaN")
    more = torch.cat([x, torch.full_like(x[:, :2], 7.0)], dim=1)
    wider = layer(more, mask=torch.cat([mask, torch.zeros_like(mask[:, :2])], dim=1))
    close(read(wider), read(y), read(allowed), "two slots more")
    finite(layer(x, mask=torch.zeros_like(mask)), "sets without a point")


def _check_gradients(
    layer: Layer, x: Tensor, extra: dict[str, Any], *, uses_curvature: bool
) -> None:
    """Gradients reach the input and every parameter."""
    leaf = x.clone().requires_grad_()
    y = layer(leaf, **extra)
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y.dtype)
    names, parameters = zip(*[("x", leaf), *layer.named_parameters()], strict=True)
    gradients = torch.autograd.grad((weight * y).sum(), parameters, allow_unused=True)
    for name, gradient in zip(names, gradients, strict=True):
        if not uses_curvature and name.endswith("curvature.raw"):
            require(gradient is None, f"a gradient reaches {name}, which does not matter")
            continue
        require(gradient is not None, f"no gradient reaches {name}")
        finite(gradient, f"the gradient of {name}")
        require(bool(gradient.any()), f"the gradient of {name} is 0")


def _check_extremes(layer: Layer, x: Tensor, extra: dict[str, Any]) -> None:
    """Values and gradients are finite at the origin, far out, and at the last shell."""
    dim = layer.manifold_in.dim
    direction = torch.ones(dim, dtype=x.dtype) / dim**0.5
    for radius in (0.0, 1e-6, 3.0, 10.0, 100.0):
        with torch.no_grad():
            point = from_normal(layer.manifold_in, radius * direction)
        leaf = point.expand(x.shape).clone().requires_grad_()
        y = layer(leaf, **extra)
        finite(y, f"the output at radius {radius:g}")
        gradients = torch.autograd.grad(y.sum(), [leaf, *layer.parameters()], allow_unused=True)
        for gradient in gradients:
            if gradient is not None:
                finite(gradient, f"a gradient at radius {radius:g}")


def _check_copies(layer: Layer, x: Tensor, extra: dict[str, Any]) -> None:
    """State dict, deepcopy and pickle give the same layer, marks of parameters included."""
    y = layer(x, **extra).detach()
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    loaded = copy.deepcopy(layer)
    loaded.reset_parameters()
    loaded.load_state_dict(torch.load(buffer, weights_only=True))
    copies = {
        "state_dict": loaded,
        "deepcopy": copy.deepcopy(layer),
        "pickle": pickle.loads(pickle.dumps(layer)),
    }
    for how, other in copies.items():
        same(other(x, **extra).detach(), y, how)
        for (name, a), (_, b) in zip(
            layer.named_parameters(), other.named_parameters(), strict=True
        ):
            marked = manifold_of(a) is not None, manifold_of(b) is not None
            require(marked[0] == marked[1], f"{how} loses the manifold of {name}")


def _check_half(layer: Layer, x: Tensor, extra: dict[str, Any]) -> None:
    """In bfloat16 the output is finite and of that dtype."""
    half = copy.deepcopy(layer).to(torch.bfloat16)
    y = half(half.manifold_in.projx(x.to(torch.bfloat16)), **extra)
    require(y.dtype == torch.bfloat16, f"bfloat16 in, {y.dtype} out")
    finite(y, "the output in bfloat16")


def _check_oracle(layer: Layer, x: Tensor, extra: dict[str, Any], oracle: Function) -> None:
    y = layer(x, **extra)
    allowed = 8 * tolerance(x.dtype) * (1 + y.detach().abs())
    close(y, oracle(layer, x, **extra), allowed, "the slow oracle")


def _check_compiled(layer: Layer, x: Tensor, extra: dict[str, Any]) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    y = layer(x, **extra).detach()
    allowed = tolerance(x.dtype) * (1 + y.abs())
    close(compiled(x, **extra).detach(), y, allowed, "compiled")


def flattened(layer: Layer, size: float = _FLAT) -> Layer:
    """Return a float64 copy of `layer` whose curvatures are 0, or `size` where K has a sign.

    The points among its parameters keep their normal coordinates.
    """
    flat = copy.deepcopy(layer).double()
    points = [
        (parameter, space)
        for parameter in flat.parameters()
        if isinstance(space := manifold_of(parameter), HomogeneousManifold)
    ]
    with torch.no_grad():
        kept = [to_normal(space, point) for point, space in points]
    replaced: dict[int, Curvature] = {}
    for module in list(flat.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Curvature):
                new = Curvature(child.sign * size, sign=child.sign)
                setattr(module, name, replaced.setdefault(id(child), new))
    with torch.no_grad():
        for (point, space), coordinates in zip(points, kept, strict=True):
            point.copy_(from_normal(space, coordinates))
    return flat


def _check_flat(layer: Layer, x: Tensor, mask: Tensor | None, twin: Function, size: float) -> None:
    """As K -> 0 the layer becomes its twin, on normal coordinates."""
    flat = flattened(layer, size)
    generator = torch.Generator().manual_seed(2)
    shape = (*x.shape[: x.dim() - len(layer.manifold_in.point_shape)], layer.manifold_in.dim)
    c = torch.randn(shape, generator=generator, dtype=torch.float64)
    c = to_normal(flat.manifold_in, from_normal(flat.manifold_in, c))
    extra = {} if mask is None else {"mask": mask}
    y = to_normal(flat.manifold_out, flat(from_normal(flat.manifold_in, c), **extra))
    parameters = {name: value.detach() for name, value in flat.flat_parameters().items()}
    if isinstance(twin, nn.Module):
        twin = copy.deepcopy(twin).double()
        twin.load_state_dict(parameters)
        expected = twin(c, **extra)
    else:
        keywords = {name.replace(".", "_"): value for name, value in parameters.items()}
        expected = twin(c, **extra, **keywords)
    close(y, expected, _FLAT_ERROR * (1 + expected.detach().abs()), "the flat limit")
