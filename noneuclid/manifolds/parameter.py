"""Parameters that know the manifold they live on.

The mark lives in two places: in the parameter (`ManifoldParameter.manifold`) and, by name, in the
module it is registered on. Torch re-creates parameters on some paths (`load_state_dict(...,
assign=True)`, `to_empty` from the meta device); a registration hook and `restore_marks` put the
mark back from the module's record. A lost mark would silently train in the wrong geometry.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from noneuclid.manifolds._base import Manifold

_RECORD = "_noneuclid_manifolds"  # module attribute: parameter name -> manifold


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


def manifold_of(parameter: Tensor) -> Manifold | None:
    """Return the manifold a parameter is marked with, or None for an ordinary one."""
    return getattr(parameter, "manifold", None)


def restore_marks(module: nn.Module) -> nn.Module:
    """Mark again every parameter whose module remembers a manifold for it; return `module`.

    Needed only after code that writes into a module's parameter table without registering, such
    as `to_empty` from the meta device.
    """
    for owner in module.modules():
        for name, manifold in owner.__dict__.get(_RECORD, {}).items():
            parameter = owner._parameters.get(name)
            if parameter is not None and manifold_of(parameter) is None:
                marked = ManifoldParameter(parameter.data, manifold, parameter.requires_grad)
                owner._parameters[name] = marked
    return module


def _rebuild(data: Tensor, manifold: Manifold, requires_grad: bool) -> ManifoldParameter:
    return ManifoldParameter(data, manifold, requires_grad)


def _remember(module: nn.Module, name: str, parameter: nn.Parameter | None) -> nn.Parameter | None:
    """Record the manifold of a registered parameter, or give a bare replacement its mark back."""
    if isinstance(parameter, ManifoldParameter):
        module.__dict__.setdefault(_RECORD, {})[name] = parameter.manifold
        return None
    recorded = module.__dict__.get(_RECORD, {})
    if parameter is None or name not in recorded:
        return None
    manifold = recorded[name]
    count = len(manifold.point_shape)
    if tuple(parameter.shape[-count:]) != manifold.point_shape:
        del recorded[name]  # another parameter has taken the name
        return None
    return ManifoldParameter(parameter.data, manifold, parameter.requires_grad)


# torch types the hook as returning None although it documents a replacement parameter.
register_module_parameter_registration_hook(_remember)  # type: ignore[arg-type]
