"""Every layer, exported to ONNX for inference, gives the eager numbers in ONNX Runtime."""

import onnxruntime
import pytest
import torch
from layer_cases import CASES, Builder, anywhere, points

import noneuclid.onnx

# An export takes seconds: the gate has a few of different kinds, `make slow` has all.
QUICK = {"Drop", "Linear", "MultiheadAttention"}
NAMES = {f"{cls.__name__} {variant}".strip(): build for (cls, variant), build in CASES.items()}
assert NAMES.keys() >= QUICK


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(build, id=name, marks=[] if name in QUICK else [pytest.mark.slow])
        for name, build in NAMES.items()
    ],
)
def test_values_equal_eager(build: Builder) -> None:
    """In float32, on a product of a learned hyperboloid and a plane, or on a ball."""
    found = anywhere(build)
    layer = found.layer.eval()
    size = found.shape(3)
    with torch.no_grad():
        x = points(layer.manifold_in, 0.7 * torch.randn(*size, layer.manifold_in.dim))
        inputs = [x]
        if layer.takes_mask and found.slots is not None:
            mask = torch.ones(size, dtype=torch.bool)
            mask[0, 1:], mask[1] = False, False  # one point, none, all
            inputs.append(mask)
        expected = layer(*inputs[:1], **dict(zip(["mask"], inputs[1:], strict=False)))
    kwargs = dict(zip(["mask"], inputs[1:], strict=False))
    program = noneuclid.onnx.export(layer, (x,), kwargs=kwargs, verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    feed = {i.name: t.numpy() for i, t in zip(session.get_inputs(), inputs, strict=True)}
    (value,) = session.run(None, feed)
    torch.testing.assert_close(torch.from_numpy(value), expected, atol=2e-6, rtol=2e-6)
