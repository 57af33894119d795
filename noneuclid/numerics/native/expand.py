"""Products of combinations of rows, put together from the products of the rows they combine."""

from noneuclid.numerics.native.trace import Leaf, Row, Scalar, Trace, times


def expanded(a: Row, b: Row, across: tuple[Row, Scalar] | None = None) -> Scalar:
    """Return a.b as a sum of products of the leaves of both, which all such sums share.

    Args:
        a: a combination of leaves.
        b: another one.
        across: a multiple x of one leaf, and 1/|x|^2: what is returned is the product of the parts
            across x. A multiple of x in a or b drops out before anything is rounded.
    """
    total: Scalar | None = None
    for p, c in _terms(a, across):
        for q, d in _terms(b, across):
            product = _of_leaves(p, q, a.trace)
            if across is not None:
                x, inverse = across
                product = product - _along(x, p) * _along(x, q) * inverse
            term = times(times(c, d), product)
            total = term if total is None else total + term  # type: ignore[assignment]
    return a.trace.scalar(0.0) if total is None else total


def _terms(row: Row, across: tuple[Row, Scalar] | None) -> list[tuple[Leaf, Scalar | float]]:
    dropped = across[0].terms if across else {}
    return [(leaf, c) for leaf, c in row.terms.items() if leaf not in dropped]


def _along(x: Row, p: Leaf) -> Scalar:
    return expanded(x, Row(x.trace, {p: 1.0}))


def _of_leaves(p: Leaf, q: Leaf, trace: Trace) -> Scalar:
    first, second = sorted((p, q))
    return trace.dot(Row(trace, {first: 1.0}), Row(trace, {second: 1.0}))
