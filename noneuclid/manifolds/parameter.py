"""Parameters that know the manifold they live on.

The mark lives in two places: in the parameter (`ManifoldParameter.manifold`) and, by name, in the
parameter table of the module it is registered on. Torch re-creates parameters on some paths
(`load_state_dict(..., assign=True)`, `to_empty` from the meta device, `torch.__future__`'s
overwriting conversions, the shards of `fully_shard`); the table then gives the new one its mark
back. A lost mark would silently train in the wrong geometry.
"""

import copy
import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from noneuclid.manifolds._base import Manifold


class ManifoldParameter(nn.Parameter):
    """A parameter whose rows are points of `manifold`; optimizers need nothing else.

    Args:
        data: points (*, S), at least one axis; taken as they are (see `manifold.projx`).
        manifold: where they live.
        requires_grad: as for `torch.nn.Parameter`.

    Raises:
        ValueError: the trailing shape is not the manifold's. TypeError: not floating point, or
            `manifold` is not a manifold.

    An ordinary tensor in every other respect: operations on it return plain tensors.
    """

    manifold: Manifold

    def __new__(
        cls, data: Tensor, manifold: Manifold, requires_grad: bool = True
    ) -> "ManifoldParameter":
        """Check the trailing shape and the dtype of `data` and attach the manifold."""
        if not isinstance(manifold, Manifold):
            raise TypeError(
                f"ManifoldParameter needs a noneuclid manifold, got {type(manifold).__name__}"
            )
        manifold._check(data)
        parameter = torch.Tensor._make_subclass(cls, data.detach(), requires_grad)
        parameter.manifold = manifold
        return parameter

    # Results of operations are plain tensors.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __deepcopy__(self, memo: dict[int, Any]) -> "ManifoldParameter":
        if id(self) in memo:
            return memo[id(self)]
        data = self.data.clone(memory_format=torch.preserve_format)
        result = ManifoldParameter(data, copy.deepcopy(self.manifold, memo), self.requires_grad)
        memo[id(self)] = result
        return result

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _rebuild, (self.data, self.manifold, self.requires_grad)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"ManifoldParameter on {self.manifold!r} containing:\n{self.data!r}"


def manifold_of(parameter: Tensor | None) -> Manifold | None:
    """Return the manifold a parameter is marked with, or None for an ordinary one.

    The manifold of a geoopt `ManifoldParameter` is given as ours, see `from_geoopt`: the same one
    each time, on the coordinates as they are stored, its curvature read from geoopt's parameter.

    Raises:
        TypeError: a complex geoopt parameter, whose points are not real.
    """
    manifold = getattr(parameter, "manifold", None)
    geoopt = sys.modules.get("geoopt")  # without it there is nothing of geoopt's
    if parameter is None or geoopt is None or isinstance(manifold, Manifold):
        return manifold
    if not isinstance(manifold, geoopt.Manifold):
        return manifold
    from noneuclid.manifolds.adapters._incoming import manifold_of_foreign

    return manifold_of_foreign(parameter, manifold)


def restore_marks(module: nn.Module) -> nn.Module:
    """Mark again every parameter whose module remembers a manifold for it; return `module`.

    Listing a module's parameters does the same. Needed only where code exchanges parameters behind
    the module's back and nothing lists them afterwards, as conversions and loading under
    `torch.__future__.set_swap_module_params_on_conversion(True)`.
    """
    for _ in module.parameters():
        pass
    return module


class MarkedParameters(dict):
    """A module's parameter table that remembers which of its entries are points of a manifold.

    A bare `torch.nn.Parameter` written under a remembered name is marked again, unless its trailing
    shape says that another parameter has taken the name; so is one that has lost its mark where it
    stands (`torch.utils.swap_tensors`, by which torch moves shards from the meta device) when the
    table is next listed, as every optimizer does.
    """

    def __setitem__(self, name: str, parameter: Any) -> None:
        # Not set in a constructor: pickle fills a table before it restores its attributes.
        manifolds = self.__dict__.setdefault("manifolds", {})
        if isinstance(parameter, ManifoldParameter):
            manifolds[name] = parameter.manifold
        elif name in manifolds and _is_bare(parameter):
            manifold = manifolds[name]
            count = len(manifold.point_shape)
            if tuple(parameter.shape[-count:]) == manifold.point_shape:
                _mark(parameter, manifold)
            else:
                del manifolds[name]
        super().__setitem__(name, parameter)

    def __delitem__(self, name: str) -> None:
        self.__dict__.get("manifolds", {}).pop(name, None)
        super().__delitem__(name)

    def items(self) -> Any:
        """Return the entries, each marked as it should be."""
        for name in tuple(self.__dict__.get("manifolds", ())):
            parameter = self.get(name)
            if manifold_of(parameter) is None and _is_bare(parameter):
                self[name] = parameter
        return super().items()


def _is_bare(parameter: Any) -> bool:
    """Tell a plain parameter or a shard of one from a tracer's stand-in and from None."""
    return type(parameter) is nn.Parameter or _is_shard(parameter)


def _is_shard(parameter: Any) -> bool:
    """Tell whether it is a `torch.distributed.tensor.DTensor`, without importing that."""
    return isinstance(parameter, nn.Parameter) and hasattr(parameter, "to_local")


def _mark(parameter: Any, manifold: Manifold) -> None:
    """Mark a bare parameter in place: it may be in an optimizer already."""
    if not _is_shard(parameter):  # a shard is of a class of torch's and stays so
        parameter.__class__ = ManifoldParameter
    parameter.manifold = manifold


def _rebuild(data: Tensor, manifold: Manifold, requires_grad: bool) -> ManifoldParameter:
    return ManifoldParameter(data, manifold, requires_grad)


def _give_table(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
    """Give a module a table that remembers marks when its first point is registered."""
    table = module._parameters
    if isinstance(parameter, ManifoldParameter) and not isinstance(table, MarkedParameters):
        module.__dict__["_parameters"] = MarkedParameters(table)


register_module_parameter_registration_hook(_give_table)
