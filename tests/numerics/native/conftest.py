"""Fixtures of the kernel tests: a compiler, and batches of any size run by a kernel."""

import pytest
import torch

from noneuclid.numerics import formula
from noneuclid.numerics.native.build import compiler


@pytest.fixture
def native(monkeypatch):
    """Run every formula by its kernel, small batches too; skip where there is no compiler."""
    if compiler() is None:
        pytest.skip("no C compiler")
    monkeypatch.setattr(formula, "SMALLEST", 0)


@pytest.fixture
def threads():
    """Return a function that sets torch's number of threads, and set it back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
