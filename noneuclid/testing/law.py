"""What a law is: a named check of one manifold in one dtype, and the error it raises."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from noneuclid.manifolds import Manifold

Check = Callable[..., None]  # (manifold of the law's tier, dtype, generator)
BOTH = (torch.float32, torch.float64)
DOUBLE = (torch.float64,)


class LawViolation(AssertionError):  # noqa: N818  (what it is, not how it is reported)
    """A manifold breaks a law; names law, manifold, dtype, the numbers and the worst index."""


@dataclass(frozen=True)
class Law:
    """A check, the manifolds it applies to, and the dtypes it says something in."""

    name: str
    check: Check
    applies: Callable[[Manifold], bool]
    dtypes: tuple[torch.dtype, ...]


_LAWS: list[Law] = []


def all_laws() -> tuple[Law, ...]:
    """Return the laws registered so far, in the order of their definition."""
    return tuple(_LAWS)


def law(
    applies: type | Callable[[Manifold], bool] = Manifold, dtypes: tuple[torch.dtype, ...] = BOTH
) -> Callable[[Check], Check]:
    """Register a check as a law.

    Args:
        applies: the tier (a class) or a predicate of manifolds that the law is about.
        dtypes: where it is to be checked; float64 alone for laws about derivatives or objects.
    """
    tier = applies
    matches = (lambda m: isinstance(m, tier)) if isinstance(tier, type) else tier

    def register(check: Check) -> Check:
        name = check.__name__

        @functools.wraps(check)
        def checked(manifold: Manifold, dtype: torch.dtype, generator: torch.Generator) -> None:
            try:
                check(manifold, dtype, generator)
            except Exception as error:
                kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
                text = f"law {name!r} fails on {manifold!r} in {dtype}: {kind}{error}"
                raise LawViolation(text) from error

        _LAWS.append(Law(name, checked, matches, dtypes))
        return checked

    return register


def require(condition: bool, what: str) -> None:
    """Raise unless `condition` holds."""
    if not condition:
        raise AssertionError(what)


def within(error: Tensor, allowed: Tensor | float, what: str) -> None:
    """Raise unless every `error` is at most `allowed`; NaN never is."""
    error = error.detach().to(torch.float64)
    bound = torch.as_tensor(allowed, dtype=torch.float64).detach()
    error, bound = torch.broadcast_tensors(error, bound)
    bad = ~(error <= bound)
    if not bool(bad.any()):
        return
    excess = torch.where(bad, (error - bound).nan_to_num(float("inf")), -1.0)
    worst = int(excess.flatten().argmax())
    index = tuple(int(i) for i in torch.unravel_index(torch.tensor(worst), error.shape))
    raise AssertionError(
        f"{what}: error {float(error.flatten()[worst]):.3g} exceeds"
        f" {float(bound.flatten()[worst]):.3g} at index {index} of {tuple(error.shape)}"
        f" ({int(bad.sum())} of {bad.numel()} are too large)"
    )


def close(actual: Tensor, expected: Tensor, allowed: Tensor | float, what: str) -> None:
    """Raise unless |actual - expected| <= allowed everywhere."""
    require(
        actual.shape == expected.shape,
        f"{what}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}",
    )
    within((actual.to(torch.float64) - expected.to(torch.float64)).abs(), allowed, what)


def same(actual: Tensor, expected: Tensor, what: str) -> None:
    """Raise unless both are equal bit for bit (0 and -0 count as equal)."""
    require(actual.dtype == expected.dtype, f"{what}: {actual.dtype}, expected {expected.dtype}")
    close(actual, expected, 0.0, what)


def finite(value: Tensor, what: str) -> None:
    """Raise unless every entry is finite."""
    bad = ~torch.isfinite(value.detach())
    if bool(bad.any()):
        index = tuple(int(i) for i in bad.nonzero()[0])
        raise AssertionError(
            f"{what}: {float(value.detach()[index])} at index {index} of {tuple(bad.shape)}"
        )
