"""Set-up for the manifold tests."""

import warnings

with warnings.catch_warnings():
    # torch's forward-mode rules are scripted with torch.jit on first use, which torch itself
    # deprecates; loading them here keeps that warning out of the tests
    warnings.simplefilter("ignore", DeprecationWarning)
    import torch._decomp.decompositions_for_jvp  # noqa: F401
