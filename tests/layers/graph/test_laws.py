"""The laws of layers, on graph layers and every manifold."""

from collections.abc import Iterator

import pytest
import torch
from _pytest.mark import ParameterSet
from layer_cases.case import Builder, points
from layer_cases.graph import CASES, NODES

import noneuclid as ne
import noneuclid.layers.graph
from noneuclid.testing.check_layer import check_layer

SIGNATURES = {
    "E4": "E4",
    "H4": "H4(-0.7)*",
    "B4": "B4(-1.3)*",
    "S4": "S4(0.8)*",
    "P4": "P4(1.2)",
    "K4 negative": "K4(-0.6)*",
    "K4 flat": "K4(0)*",
    "K4 positive": "K4(0.9)",
    "H2 x E2": "H2* x E2",
    "H2 x S4 x K2": "H2 x S4(0.5)* x K2(0)*",
}
# What every run holds to the laws: a layer in float64 on these and, its first variant, in float32;
# `make slow` has the rest.
DOUBLE = {"S4", "K4 flat", "H2 x E2"}
SINGLE = {"H4", "H2 x E2"}
COMPILED = {"H2 x E2"}


def every_case_and_manifold() -> Iterator[ParameterSet]:
    """Give (builder, signature, dtype, whether to compile) for each case and manifold."""
    seen = set()
    for (cls, variant), build in CASES.items():
        is_first = cls not in seen
        seen.add(cls)
        for label, signature in SIGNATURES.items():
            for dtype in (torch.float32, torch.float64):
                is_single = dtype == torch.float32
                is_quick = is_first and label in SINGLE if is_single else label in DOUBLE
                yield pytest.param(
                    *(build, signature, dtype, is_single and is_first and label in COMPILED),
                    id=f"{cls.__name__} {variant}-{label}-{'32' if is_single else '64'}",
                    marks=[] if is_quick else [pytest.mark.slow],
                )


@pytest.mark.parametrize(("build", "signature", "dtype", "compiled"), [*every_case_and_manifold()])
def test_laws(build: Builder, signature: str, dtype: torch.dtype, compiled: bool) -> None:
    """Every graph layer keeps every law of layers on every kind of manifold."""
    found = build(ne.manifold(signature))
    if found is None:
        return
    with torch.no_grad():
        space = found.layer.manifold_in.to(dtype)
        x = points(space, 0.7 * torch.randn(3, NODES, space.dim, dtype=dtype))
    laws = {"twin": found.twin, "oracle": found.oracle, "compiled": compiled}
    check_layer(found.layer, x, **{**laws, **found.claims})


def test_every_layer_has_a_case() -> None:
    """What the package exports has a case."""
    assert {cls.__name__ for cls, _ in CASES} == set(noneuclid.layers.graph.__all__)
