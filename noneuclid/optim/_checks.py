"""What an optimizer refuses, with what to do instead."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import (
    HomogeneousManifold,
    Manifold,
    ManifoldParameter,
    manifold_of,
)
from noneuclid.optim._pieces import factors_of

_WITHOUT_FORM = {  # flags of torch.optim that have no Riemannian form, and what to do instead
    "differentiable": "take the steps with expmap in your own loop",
    "fused": "leave fused=None: marked parameters are stepped by kernels of their own",
}


def check_flags(group: dict[str, Any], defaults: dict[str, Any], manifold: Manifold) -> None:
    """Raise ValueError if a flag that has no Riemannian form is set."""
    for flag, advice in _WITHOUT_FORM.items():
        # A fused default makes GradScaler hand over scaled gradients, whatever the group says.
        if group.get(flag) or (flag == "fused" and defaults.get(flag)):
            raise ValueError(
                f"{flag}=True has no form for parameters on a manifold, got one on"
                f" {manifold!r}; {advice}, or give the plain parameters an optimizer of their own"
            )


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


def check_finite(groups: list[dict[str, Any]]) -> None:
    """Raise RuntimeError if a gradient has a NaN or an infinity, where a group asks for it."""
    number = -1
    for group in groups:
        if not group.get("error_if_nonfinite"):
            number += len(group["params"])
            continue
        names = group.get("param_names", [None] * len(group["params"]))
        for parameter, name in zip(group["params"], names, strict=True):
            number += 1
            gradient = parameter.grad
            if gradient is None:
                continue
            values = gradient.coalesce().values() if gradient.is_sparse else gradient
            bad = ~torch.isfinite(values)
            if bool(bad.any()):
                called = f" ({name})" if name else ""
                raise RuntimeError(
                    f"the gradient of parameter {number}{called} of shape"
                    f" {tuple(parameter.shape)} has {int(bad.sum())} entries that are not finite;"
                    " nothing was stepped. Skip this batch, or lower the learning rate"
                )


def check_gradient(parameter: Tensor, manifold: Manifold) -> None:
    """Raise RuntimeError if the gradient is sparse and its entries are not rows of points."""
    gradient = parameter.grad
    assert gradient is not None
    if gradient.layout == torch.strided:
        return
    is_of_rows = gradient.layout == torch.sparse_coo and gradient.sparse_dim() == 1
    if not (is_of_rows and parameter.dim() > len(manifold.point_shape)):
        raise RuntimeError(
            f"a parameter {tuple(parameter.shape)} on a manifold needs a dense gradient or a sparse"
            " one whose entries are rows, as of torch.nn.Embedding(sparse=True), got"
            f" {gradient.layout} with {gradient.sparse_dim()} sparse axes; call .grad.to_dense()"
            " before the step"
        )


def check_state(state: dict[str, Tensor], names: Iterable[str], parameter: Tensor) -> None:
    """Raise RuntimeError if the state of these names cannot be that of the parameter."""
    shape = parameter.shape
    for name in names:
        if state[name].shape != shape:
            raise RuntimeError(
                f"{name!r} has shape {tuple(state[name].shape)}, its parameter {tuple(shape)}: the"
                " state dict that was loaded is of another model, or of parameters in another order"
            )


def warn_of_missing_curvature(
    marked: Sequence[ManifoldParameter], groups: Sequence[dict[str, Any]]
) -> None:
    """Warn of learnable curvatures of marked parameters that are in none of the groups."""
    known = {id(p) for group in groups for p in group["params"]}
    manifolds = (manifold for p in marked if (manifold := manifold_of(p)) is not None)
    for manifold in {id(manifold): manifold for manifold in manifolds}.values():
        missing = [p for p in manifold.parameters() if p.requires_grad and id(p) not in known]
        if missing:
            warnings.warn(
                f"a parameter lives on {manifold!r}, whose learnable curvature this optimizer"
                " was not given: it will not learn here. Make the manifold a sub-module of"
                " the model, or pass manifold.parameters() too, or freeze it with"
                " manifold.requires_grad_(False)",
                UserWarning,
                stacklevel=4,
            )
