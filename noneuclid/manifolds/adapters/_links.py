"""Which geoopt manifold stands for which of ours, kept on the manifolds themselves."""

from typing import Any

from torch import nn

_NAME = "_noneuclid_links"


class Links(dict):
    """A manifold's counterparts in the other library, by point shape, with its parameters then.

    They live as long as the manifold; copies and pickles leave them behind, so a pickled geoopt
    manifold loads without noneuclid.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ()


def linked(manifold: nn.Module, key: tuple[int, ...] | None = None) -> Any:
    """Return the counterpart of `manifold`; None also if a parameter was exchanged since."""
    links = vars(manifold).get(_NAME)
    other, parameters = links.get(key, (None, ())) if isinstance(links, Links) else (None, ())
    return other if parameters == _fingerprint(manifold) else None


def link(manifold: nn.Module, other: nn.Module, key: tuple[int, ...] | None = None) -> None:
    """Make `other` the counterpart of `manifold`."""
    if not isinstance(vars(manifold).get(_NAME), Links):
        object.__setattr__(manifold, _NAME, Links())  # not a sub-module: no parameters, no state
    vars(manifold)[_NAME][key] = other, _fingerprint(manifold)


def _fingerprint(manifold: nn.Module) -> tuple[tuple[int, int], ...]:
    """Return which tensors are learned, and which fixed ones hold what: their version counts."""
    return tuple((id(p), -1 if p.requires_grad else p._version) for p in manifold.parameters())
