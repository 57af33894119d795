"""Fixtures every test may use: one thread, fixed seeds, the two dtypes, a generator."""

import pytest
import torch
from hypothesis import settings

# The workers of pytest-xdist are the parallelism; more threads would only fight for the cores.
torch.set_num_threads(1)

# The gate gives one answer for one commit: hypothesis draws the same examples each time, without a
# deadline that a busy machine could miss.
settings.register_profile("gate", derandomize=True, deadline=None)
settings.load_profile("gate")


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Start every test from the same global random state, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture
def generator() -> torch.Generator:
    """Return a generator with a fixed seed, new for each test."""
    return torch.Generator().manual_seed(1)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """Run the test in both precisions."""
    return request.param
