"""Kernels in graphs of torch.compile, which torch keeps on disk from process to process."""

import pytest
import torch

from noneuclid.manifolds import _stereographic_pair_formulas as formulas
from noneuclid.numerics import compute
from noneuclid.numerics.native import name_of

MODEL = formulas.Model(-1, moves=False)
DTYPES = (None, torch.float32, torch.float32)


def named(formula, dtypes=DTYPES, skip=0):
    return name_of(lambda *a: formula(*a, model=MODEL), (formula, MODEL), dtypes, skip)


def test_names_tell_what_a_kernel_does(native):
    """A number in order of appearance would be another formula's in the next process."""
    names = {
        named(formulas.dist2),
        named(formulas.logmap),
        named(formulas.logmap, (None, torch.float64, torch.float64)),
        named(formulas.logmap, skip=1),
    }
    assert len(names) == 4
    assert named(formulas.dist2) in names
    assert named(lambda *a, **k: formulas.dist2(*a, **k)) == named(formulas.dist2)


def test_a_formula_without_kernel_has_no_name(native):
    def untraceable(K, x):
        return torch.special.erf(x)

    assert name_of(untraceable, untraceable, (None, torch.float32), 0) is None


@pytest.mark.parametrize("transposed", [False, True])
def test_compiled_equals_eager(transposed, native, generator):
    """aot_autograd checks shapes and strides of what the fake kernels promise."""
    x, y = (0.2 * torch.randn(9, 40, generator=generator) for _ in "xy")
    x, y = (x.mT, y.mT) if transposed else (x.reshape(40, 9), y.reshape(40, 9))
    K = torch.tensor([-0.7], dtype=torch.float64)

    def f(K, x, y):
        return compute(formulas.logmap, (K,), (x, y), model=MODEL).square().sum()

    torch._dynamo.reset()
    results = []
    for function in (f, torch.compile(f, backend="aot_eager", fullgraph=True)):
        leaves = [t.detach().requires_grad_() for t in (K, x, y)]
        value = function(*leaves)
        results.append([value.detach(), *torch.autograd.grad(value, leaves)])
    for eager, compiled in zip(*results, strict=True):
        assert torch.equal(eager, compiled)
    torch.library.opcheck(
        torch.ops.noneuclid.row_formula, ([K, x, y], named(formulas.logmap)),
        test_utils=("test_schema", "test_faketensor"),
    )  # fmt: skip
