"""Functions of symmetric matrices: values, and derivatives where eigenvalues coincide."""

import pytest
import torch

from noneuclid.numerics import (
    symmetric_expm1,
    symmetric_log1p,
    symmetric_part,
    symmetric_sqrt1p,
)

ONE = torch.eye(3, dtype=torch.float64)
FUNCTIONS = {
    "expm1": lambda a: symmetric_expm1(a, 700.0),
    "log1p": symmetric_log1p,
    "sqrt1p": symmetric_sqrt1p,
}
INVERSES = {  # by torch's own functions, or by multiplication
    "expm1": lambda f, a: (f + ONE, torch.matrix_exp(a)),
    "log1p": lambda f, a: (torch.matrix_exp(f), a + ONE),
    "sqrt1p": lambda f, a: (f @ f, a + ONE),
}


def matrix(case, generator):
    """Return a symmetric matrix with eigenvalues above -1."""
    noise = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    if case == "apart":
        return symmetric_part(noise) * 0.2
    turn = torch.linalg.qr(noise)[0]
    values = {"zero": [0.0, 0, 0], "pair": [0.5, 0.5, -0.3], "near": [0.5, 0.5 + 1e-7, 2.0]}[case]
    return symmetric_part(turn @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ turn.mT)


@pytest.mark.parametrize("case", ["apart", "zero", "pair", "near"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values(name, case, generator):
    a = matrix(case, generator)
    value = FUNCTIONS[name](a)
    torch.testing.assert_close(*INVERSES[name](value, a), rtol=0, atol=1e-14)
    assert torch.equal(value, value.mT)
    with torch.no_grad():
        assert torch.equal(FUNCTIONS[name](a), value)


@pytest.mark.parametrize("case", ["apart", "zero", "pair", "near"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name, case, generator):
    """First and second, in reverse and forward mode, at coincident eigenvalues too."""
    a = matrix(case, generator).requires_grad_()
    function = FUNCTIONS[name]
    assert torch.autograd.gradcheck(function, a, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, a)


@pytest.mark.parametrize("case", ["apart", "pair"])
def test_second_derivative_is_that_of_torch(case, generator):
    """Against matrix_exp, which torch differentiates without eigenvectors."""
    a = matrix(case, generator)
    weight = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    ours, theirs = (
        torch.autograd.functional.hessian(lambda a, f=f: (weight * f(symmetric_part(a))).sum(), a)
        for f in (FUNCTIONS["expm1"], torch.matrix_exp)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-9)


def test_exponential_saturates():
    a = torch.diag(torch.tensor([1e4, 0.0, -1e4], dtype=torch.float64)).requires_grad_()
    value = symmetric_expm1(a, 40.0)
    torch.testing.assert_close(value.detach().diagonal().log1p()[:1], 40.0 * ONE[:1, 0])
    (gradient,) = torch.autograd.grad(value.sum(), a)
    assert torch.isfinite(gradient).all()


def test_tiny_arguments_keep_their_digits():
    """log(1 + A) and exp(A) - 1 of matrices far below the rounding of 1."""
    a = 1e-20 * symmetric_part(torch.arange(9.0, dtype=torch.float64).reshape(3, 3))
    for name in ("expm1", "log1p"):
        torch.testing.assert_close(FUNCTIONS[name](a), a, rtol=1e-14, atol=1e-34)
