"""The laws of layers, on every public layer and manifold."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from _pytest.mark import ParameterSet
from layer_cases import CASES, Builder, Case, coordinates, points
from torch import Tensor, nn

import noneuclid as ne
import noneuclid.layers
from noneuclid.layers import Classifier, Layer, TangentLayer
from noneuclid.manifolds import HomogeneousManifold
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
    "H3 x E2": "H3* x E2",
    "H2 x S3 x K2": "H2 x S3(0.5)* x K2(0)*",
}
COMPILED = {"H4(-0.7)*", "H3* x E2"}
# What every run holds to the laws: the first variant of a layer everywhere in float64 and, in
# float32, on the single manifolds; its further variants on both kinds. `make slow` has the rest.
SINGLE = {"H4", "H3 x E2"}
DOUBLE = {"S4", "K4 flat"}
INTERFACES = {Layer, TangentLayer, Classifier}
PUBLIC = [
    thing
    for name in noneuclid.layers.__all__
    if inspect.isclass(thing := getattr(noneuclid.layers, name))
    and issubclass(thing, Layer)
    and thing not in INTERFACES
]
every_case = pytest.mark.parametrize(
    "build", CASES.values(), ids=[f"{cls.__name__} {variant}".strip() for cls, variant in CASES]
)


def inputs(found: Case, dtype: torch.dtype) -> tuple[Tensor, dict[str, Any]]:
    """Return normal coordinates for the layer's input and, if it takes one, a mask."""
    m: HomogeneousManifold = found.layer.manifold_in
    if found.slots is None:
        return 0.7 * torch.randn(6, m.dim, dtype=dtype), {}
    shape = found.shape(4)
    c = 0.7 * torch.randn(*shape, m.dim, dtype=dtype)
    if not found.layer.takes_mask:
        return c, {}
    mask = torch.rand(shape) < 0.7
    mask[1], mask[2], mask[3] = False, False, True
    mask[1, 0] = True  # one point, none, all
    return c, {"mask": mask}


def every_case_and_manifold() -> Iterator[ParameterSet]:
    """Give (builder, signature, dtype, whether to compile) for each case and manifold."""
    seen = set()
    for (cls, variant), build in CASES.items():
        is_first, name = cls not in seen, f"{cls.__name__} {variant}".strip()
        seen.add(cls)
        for label, signature in SIGNATURES.items():
            for dtype in (torch.float32, torch.float64):
                is_single = dtype == torch.float32
                is_compiled = signature in COMPILED and (is_first or label == "H3 x E2")
                is_quick = label in SINGLE if is_single else (is_first or label in DOUBLE)
                yield pytest.param(
                    *(build, signature, dtype, is_single and is_compiled),
                    id=f"{name}-{label}-{'float32' if is_single else 'float64'}",
                    marks=[] if is_quick else [pytest.mark.slow],
                )


@pytest.mark.parametrize(("build", "signature", "dtype", "compiled"), [*every_case_and_manifold()])
def test_laws(build: Builder, signature: str, dtype: torch.dtype, compiled: bool) -> None:
    """Every public layer keeps every law on every kind of manifold."""
    found = build(ne.manifold(signature))
    if found is None:
        return
    c, extra = inputs(found, dtype)
    with torch.no_grad():
        x = points(found.layer.manifold_in.to(dtype), c)
    laws = {"twin": found.twin, "oracle": found.oracle, "compiled": compiled}
    check_layer(found.layer, x, **{**laws, **extra, **found.claims})


def test_every_layer_has_a_case() -> None:
    """What `noneuclid.layers` exports as layers has a case; the interfaces are abstract."""
    assert {cls for cls, _ in CASES} == set(PUBLIC)
    assert all(inspect.isabstract(cls) for cls in INTERFACES)


@every_case
def test_flat_limit_at_zero_curvature(build: Builder) -> None:
    """At K = 0 in float32 a layer on the stereographic model is its twin: the metric is 4 I."""
    flat_spaces = ("K4(0)", "K4(0) x K4(0)", "E4")  # the first on which the layer lives
    found = next(filter(None, (build(ne.manifold(signature)) for signature in flat_spaces)), None)
    assert found is not None
    if found.twin is None:
        return
    layer, twin = found.layer, found.twin
    c, extra = inputs(found, torch.float32)
    y = coordinates(layer.manifold_out, layer(points(layer.manifold_in, c), **extra))
    flat = {name: value.detach() for name, value in layer.flat_parameters().items()}
    if isinstance(twin, nn.Module):
        twin.load_state_dict(flat)
        expected = twin(c, **extra)
    else:
        expected = twin(c, **extra, **{k.replace(".", "_"): v for k, v in flat.items()})
    torch.testing.assert_close(y, expected, atol=1e-6, rtol=1e-6)
