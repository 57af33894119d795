"""What every public method does before and after its formula: check, promote, round back."""

import inspect
import operator
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor

from noneuclid.numerics import is_half, working_dtype

Method = TypeVar("Method", bound=Callable[..., Any])


def final(method: Method) -> Method:
    """Mark a public method that no manifold may override: it supplies `_method` instead."""
    method.__final__ = True  # type: ignore[attr-defined]
    return method


def reject_overrides(cls: type) -> None:
    """Raise TypeError if `cls` subclasses a concrete manifold or overrides a final method."""
    if any(base.__module__.startswith("torch.fx.") for base in cls.__bases__):
        return  # a stand-in: torch.export traces a module through a subclass of its class
    for base in cls.__mro__[1:]:
        if "_projx" in dir(base) and not inspect.isabstract(base):
            raise TypeError(
                f"{cls.__name__} subclasses {base.__name__}, which is final;"
                " wrap it, or subclass the abstract class it is made from"
            )
    for name, member in vars(cls).items():
        if getattr(member, "__final__", False):
            continue
        for base in cls.__mro__[1:]:
            if getattr(base.__dict__.get(name), "__final__", False):
                raise TypeError(
                    f"{cls.__name__}.{name} overrides a final method of {base.__name__};"
                    f" supply the formula as {cls.__name__}._{name} instead"
                )


def checked_dim(dim: int, owner: str) -> int:
    """Return `dim` as an int, or raise ValueError unless it is a whole number >= 1."""
    try:
        number = operator.index(dim)
    except TypeError:
        number = 0
    if number < 1 or isinstance(dim, bool):
        raise ValueError(f"{owner} needs an integer dim >= 1, got {dim!r}")
    return number


def promoted_dtype(tensors: tuple[Tensor, ...], owner: str) -> torch.dtype:
    """Return the common floating dtype of `tensors`, or raise TypeError."""
    dtype = tensors[0].dtype
    for tensor in tensors:
        if not tensor.dtype.is_floating_point:
            raise TypeError(
                f"{owner} expects floating-point tensors, got {tensor.dtype};"
                " convert with .to(torch.float32) or .double()"
            )
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype


def check_trailing(tensor: Tensor, point_shape: tuple[int, ...], owner: str) -> None:
    """Raise ValueError unless the trailing axes of `tensor` are `point_shape`."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{owner} expects tensors, got {type(tensor).__name__}")
    count = len(point_shape)
    if tensor.dim() < count or tuple(tensor.shape[-count:]) != point_shape:
        expected = ", ".join(str(size) for size in point_shape)
        raise ValueError(
            f"{owner} expects points and vectors of shape (*, {expected}),"
            f" got {tuple(tensor.shape)}; put batch axes first and coordinates last"
        )


def round_back(result: Tensor, dtype: torch.dtype) -> Tensor:
    """Return `result` in the caller's dtype; 16-bit results stop at the largest finite number."""
    if result.dtype == dtype:
        return result
    if is_half(dtype):
        largest = torch.finfo(dtype).max
        result = result.clamp(-largest, largest)
    return result.to(dtype)


def without_autocast(device_type: str) -> AbstractContextManager[Any]:
    """Return a context in which no product is silently rounded to 16 bits."""
    if device_type == "meta":  # tensors of a shape and no numbers: torch has no autocast for them
        return nullcontext()
    return torch.autocast(device_type, enabled=False)


def exact_matmul(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b in the operands' own dtype, under autocast too."""
    with without_autocast(a.device.type):
        return a @ b


def to_working(tensors: tuple[Tensor, ...], dtype: torch.dtype) -> list[Tensor]:
    """Return the tensors in the dtype in which a formula for points of `dtype` runs."""
    return [tensor.to(working_dtype(dtype)) for tensor in tensors]
