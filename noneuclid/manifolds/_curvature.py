"""Curvature: one signed number, fixed or learnable, that several manifolds may share."""

import math
import numbers
import weakref
from typing import Any

import torch
from torch import Tensor, nn

LARGEST = 1e3  # |K| of a learnable curvature stays below this ...
SMALLEST = 1e-3  # ... and, where its sign is fixed, above this


class Curvature(nn.Module):
    """The signed sectional curvature K of a manifold: negative is hyperbolic.

    Calling it returns K as a float64 tensor of shape (1,), the dtype of all row scalars.

    A learnable curvature holds one parameter `raw` of shape (1,) and keeps K in a bounded range:

    - sign 0 (may change sign): K = B tanh(raw / B) with B = 1e3, so dK/draw is about 1 near K = 0;
    - sign +1 or -1: K = sign exp(b tanh(raw / b)) with b = ln 1e3, so |K| lies in (1e-3, 1e3)
      and raw is about ln|K| near |K| = 1.

    Args:
        value: K in inverse squared length units; any finite number when fixed, strictly inside
            the range above when learnable.
        learnable: whether K is a parameter.
        sign: -1, 0 or +1; the sign that learning may not leave (0: free).
        lr_scale: by how much the first-order optimizers of `noneuclid.optim` multiply their
            learning rate for `raw`. One curvature moves every point at once: a model whose
            curvature runs ahead of its points wants less than 1, the default.

    Raises:
        ValueError: `value` is not finite, has the wrong sign or is outside the learnable range, or
            `lr_scale` is not positive.

    Accuracy: fixed values are exact. A learnable K is stored as `raw` in the module's dtype, so
    it is reproduced to about 8 units in the last place of that dtype.
    """

    def __init__(
        self, value: float, *, learnable: bool = False, sign: int = 0, lr_scale: float = 1.0
    ) -> None:
        super().__init__()
        value = _number(value)
        if not math.isfinite(value):
            raise ValueError(f"curvature must be a finite number, got {value}")
        if sign not in (-1, 0, 1):
            raise ValueError(f"sign must be -1, 0 or 1, got {sign}")
        if sign * value < 0 or (sign and value == 0):
            kind = "positive" if sign > 0 else "negative"
            raise ValueError(f"curvature must be {kind} on this manifold, got {value}")
        if not 0 < lr_scale < math.inf:
            raise ValueError(f"lr_scale must be a positive number, got {lr_scale}")
        self.learnable = learnable
        self.sign = sign
        self.lr_scale = lr_scale
        self._fixed = value
        self._register()
        if learnable:
            self.raw = nn.Parameter(torch.tensor([_raw(value, sign)]))

    def reset_parameters(self) -> None:
        """Put a learnable K back where it started, as after torch.nn.Module.to_empty."""
        if self.learnable:
            nn.init.constant_(self.raw, _raw(self._fixed, self.sign))

    def forward(self, device: torch.device | None = None) -> Tensor:
        """Return K as a float64 tensor of shape (1,) on `device` (default: where it lives)."""
        if not self.learnable:
            return torch.full((1,), self._fixed, dtype=torch.float64, device=device)
        raw = self.raw.to(torch.float64)
        if device is not None and device.type == "meta":  # shapes alone: K may live elsewhere
            raw = raw.to(device)
        if self.sign == 0:
            return LARGEST * torch.tanh(raw / LARGEST)
        bound = math.log(LARGEST)
        return self.sign * torch.exp(bound * torch.tanh(raw / bound))

    def _register(self) -> None:
        if self.learnable and self.lr_scale != 1:
            _scaled.add(self)

    def __setstate__(self, state: dict[str, Any]) -> None:  # of a copy
        super().__setstate__(state)
        self._register()

    def __float__(self) -> float:
        if not self.learnable:
            return self._fixed
        return math.nan if self.raw.is_meta else float(self.forward().detach())

    def same_as(self, other: "Curvature") -> bool:
        """Tell whether both have the same value (to 1e-6 relative), sign rule and learnability."""
        return (
            math.isclose(float(self), float(other), rel_tol=1e-6)
            and self.sign == other.sign
            and self.learnable == other.learnable
        )

    def extra_repr(self) -> str:
        """Return the arguments that build this curvature again."""
        text = f"{float(self):.7g}"
        return text + (", learnable=True" if self.learnable else "")


# Torch exchanges parameters on many paths; the module that holds one stays, and knows its scale.
_scaled: "weakref.WeakSet[Curvature]" = weakref.WeakSet()


def scales() -> dict[int, float]:
    """Return the `lr_scale` of curvatures that have one other than 1, by the id of their `raw`."""
    return {id(curvature.raw): curvature.lr_scale for curvature in _scaled}


class CurvatureView(nn.Module):
    """A curvature that is a given tensor: what `manifold.at(K)` puts in the place of the module."""

    learnable = True  # points may lie beyond the last shell of this K: they are read as projected

    def __init__(self, value: Tensor, sign: int) -> None:
        super().__init__()
        self.sign = sign
        self._value = value

    def forward(self, device: torch.device | None = None) -> Tensor:
        """Return the tensor, in float64 with shape (1,)."""
        return self._value.to(device=device, dtype=torch.float64).reshape(1)

    def __float__(self) -> float:
        return float(self._value.detach())


class CurvatureGiven(nn.Module):
    """A curvature whose value is already at hand; what is known of it besides stays the same."""

    def __init__(self, value: Tensor, known: Curvature) -> None:
        super().__init__()
        self.sign, self.learnable = known.sign, known.learnable
        self._value = value

    def forward(self, device: torch.device | None = None) -> Tensor:
        """Return the value as it was given."""
        return self._value


def _number(value: object) -> float:
    """Return a real number of any library as a float; tensors might want a gradient."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(
            f"curvature must be a number or a Curvature, got {type(value).__name__}; to learn it"
            " use learnable=True, to differentiate by a tensor manifold.at(K)"
        )
    return float(value)


def _raw(value: float, sign: int) -> float:
    """Invert the parametrisation of a learnable curvature."""
    smallest = SMALLEST if sign else 0.0
    if not smallest <= abs(value) < LARGEST or (sign and abs(value) == smallest):
        raise ValueError(
            f"a learnable curvature must have |K| in ({smallest:g}, {LARGEST:g}), got {value};"
            " change the unit of length or keep it fixed"
        )
    if sign == 0:
        return LARGEST * math.atanh(value / LARGEST)
    bound = math.log(LARGEST)
    return bound * math.atanh(math.log(abs(value)) / bound)
