"""What can be traced, and what stays plain torch."""

import pytest
import torch

from noneuclid.numerics import compute, dots, rows
from noneuclid.numerics.native import kernels_of
from noneuclid.numerics.native.trace import Scalar, Trace, UntraceableError


def special(K, x):
    (X,) = rows(x)
    return torch.special.erf(dots((X, X))[0])


def tensor_inside(K, x):
    (X,) = rows(x)
    return dots((X, X))[0] * torch.ones(1)


def rounded_twice(K, x):
    (X,) = rows(x)
    return (2 * X).to(x.dtype).to(torch.float16)


def on_rows(K, x):
    return torch.special.erf(x)


def method(K, x):
    (X,) = rows(x)
    return dots((X, X))[0].cosh()


def branch(K, x):
    (X,) = rows(x)
    return dots((X, X))[0] * (2 if K > 2 else 1)


UNTRACEABLE = [special, tensor_inside, rounded_twice, on_rows, method, branch]


@pytest.mark.parametrize("formula", UNTRACEABLE)
def test_an_untraceable_formula_stays_in_torch(formula, native, generator):
    x = torch.randn(20, 5, generator=generator)
    K = torch.ones(1, dtype=torch.float64)
    assert kernels_of(formula, (formula,), (None, torch.float32)) is None
    assert torch.equal(compute(formula, (K,), (x,)), formula(K, x))


def test_an_operation_is_noted_once():
    trace = Trace()
    a, b = trace.parameter(), trace.parameter()
    assert a * b is a * b
    assert a * b is not b * a  # the order of arguments is kept: bits may depend on it
    assert 2.0 * a is 2 * a


def test_what_cannot_be_noted_says_so():
    a = Trace().parameter()
    with pytest.raises(UntraceableError, match=r"torch\.special_erf in a row formula"):
        torch.special.erf(a)
    with pytest.raises(UntraceableError, match="Tensor among row scalars"):
        a.trace.scalar(torch.ones(1))
    assert isinstance(torch.exp(a), Scalar)
