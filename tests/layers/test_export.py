"""torch.export takes layers: one program for every number of rows."""

import pytest
import torch
from layer_cases import CASES, Builder, anywhere, points

QUICK = {"Chain", "MultiheadAttention", "HyperplaneClassifier"}
NAMES = {f"{cls.__name__} {variant}".strip(): build for (cls, variant), build in CASES.items()}
assert NAMES.keys() >= QUICK
BATCH = torch.export.Dim("batch", min=2)


@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "build",
    [
        pytest.param(build, id=name, marks=[] if name in QUICK else [pytest.mark.slow])
        for name, build in NAMES.items()
    ],
)
def test_values_equal_eager(build: Builder, strict: bool) -> None:
    """By tracing, torch's default, and by torch.compile's reading of the code."""
    found = anywhere(build)
    layer = found.layer.eval()
    m = layer.manifold_in

    def inputs(rows: int) -> torch.Tensor:
        return points(m, 0.7 * torch.randn(*found.shape(rows), m.dim)).detach()

    program = torch.export.export(
        layer, (inputs(3),), dynamic_shapes=({0: BATCH},), strict=strict
    ).module()
    for rows in (3, 5):
        x = inputs(rows)
        torch.testing.assert_close(program(x), layer(x))
