"""Signature strings: "H16 x S4(2.0) x E32" names a manifold in one line."""

import re
from collections.abc import Callable

from noneuclid.manifolds._geodesic import HomogeneousManifold
from noneuclid.manifolds.euclidean import Euclidean
from noneuclid.manifolds.lorentz import Lorentz
from noneuclid.manifolds.product import Product
from noneuclid.manifolds.sphere import Sphere
from noneuclid.manifolds.stereographic import PoincareBall, SphereProjection, Stereographic

_FAMILIES: dict[str, Callable[..., HomogeneousManifold]] = {
    "H": Lorentz,
    "B": PoincareBall,
    "S": Sphere,
    "P": SphereProjection,
    "K": Stereographic,
}
_FACTOR = re.compile(r"([A-Z])(\d*)(?:\(([^()]*)\))?(\*?)")
_GRAMMAR = (
    "factors joined by ' x ', each a letter (E Euclidean, H Lorentz, B ball, S sphere,"
    " P sphere projection, K any sign), a dimension, optionally (curvature) and * for learnable:"
    " 'H16(-0.5) x S4 x K8(0)*'"
)


def manifold(signature: str, dim: int | None = None) -> HomogeneousManifold:
    """Build a manifold from a signature string.

    Args:
        signature: e.g. "H16 x S4(2.0) x E32", "K8(0)*". One factor gives that factor itself.
        dim: dimension of every factor that leaves its own out ("H x E").

    Raises:
        TypeError: `signature` is not a string.
        ValueError: unknown letter, missing or zero dimension, curvature of the wrong sign or not a
            number; the message quotes the factor and the grammar.
    """
    if not isinstance(signature, str):
        raise TypeError(f"a signature is a string, got {type(signature).__name__}")
    factors = [_factor(part.strip(), dim, signature) for part in signature.split(" x ")]
    return factors[0] if len(factors) == 1 else Product(*factors)


def _factor(text: str, dim: int | None, signature: str) -> HomogeneousManifold:
    match = _FACTOR.fullmatch(text)
    if match is None:
        raise ValueError(f"cannot read {text!r} in signature {signature!r}; expected {_GRAMMAR}")
    letter, number, curvature, star = match.groups()
    if letter != "E" and letter not in _FAMILIES:
        raise ValueError(f"unknown manifold {letter!r} in {signature!r}; expected {_GRAMMAR}")
    width = int(number) if number else dim
    if width is None:
        raise ValueError(f"{text!r} in signature {signature!r} needs a dimension, as in {letter}16")
    if letter == "E":
        if curvature is not None or star:
            raise ValueError(f"{text!r} in {signature!r}: Euclidean space has no curvature to set")
        return Euclidean(width)
    return _FAMILIES[letter](width, _number(curvature, text), learnable=bool(star))


def _number(text: str | None, factor: str) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"the curvature in {factor!r} must be a number, got {text!r}") from None
