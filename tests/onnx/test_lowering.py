"""Each lowering against torch, in ONNX Runtime, over the whole range of the dtype."""

import onnxruntime
import pytest
import torch
from torch import nn

import noneuclid.onnx

EVERYWHERE = ("expm1", "sinh", "cosh", "asinh", "atan", "log1p", "tan")
INSIDE = ("asin inside", "acos inside", "atanh", "log1p inside")
OF_TWO = ("atan2", "copysign", "hypot")


class Functions(nn.Module):
    """Every function of the table, each on arguments of its domain."""

    def forward(self, x, y, inside, above):
        found = {name: getattr(torch, name)(x) for name in EVERYWHERE}
        found |= {f"{name} inside": getattr(torch, name)(inside) for name in ("asin", "acos")}
        found |= {"atanh": torch.atanh(inside), "log1p inside": torch.log1p(inside)}
        found |= {name: getattr(torch, name)(x, y) for name in OF_TWO}
        found["acosh"] = torch.acosh(above)
        found["where"] = torch.where(x > 0, y > 0, y < -1)
        return tuple(found[name] for name in sorted(found))


NAMES = sorted([*EVERYWHERE, *INSIDE, "acosh", *OF_TWO, "where"])


def arguments(dtype):
    lowest = -300 if dtype == torch.float64 else -36
    ladder = [10.0**k for k in range(lowest, 1)] + [0.0, 0.3, 0.7, 0.99, 1.5, 2.2, 7.0, 11.0, 60.0]
    ladder = torch.tensor(ladder, dtype=torch.float64).to(dtype)
    x = torch.cat([ladder, -ladder])
    inside = x.clamp(-0.9375, 0.9375)
    return x, x.flip(0), inside, 1 + x.abs()


def exact(name, x, y, inside, above):
    """Return torch's float64 value of what the graph computes."""
    word, source = name.split()[0], inside if "inside" in name or name == "atanh" else x
    if name == "where":
        return torch.where(x > 0, y > 0, y < -1)
    if name in OF_TWO:
        return getattr(torch, name)(x.double(), y.double())
    if name == "acosh":
        source = above
    return getattr(torch, word)(source.double())


@pytest.fixture(scope="module", params=[torch.float32, torch.float64], ids=["float32", "float64"])
def results(request):
    """Return the arguments and what the runtime makes of them, by name."""
    tensors = arguments(request.param)
    program = noneuclid.onnx.export(Functions().eval(), tensors, verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    feed = {i.name: t.numpy() for i, t in zip(session.get_inputs(), tensors, strict=True)}
    values = [torch.from_numpy(value) for value in session.run(None, feed)]
    return tensors, dict(zip(NAMES, values, strict=True))


def test_every_function_keeps_its_digits(results):
    """A few units in the last place, relative, also of results far below eps."""
    tensors, found = results
    for name, value in found.items():
        expected = exact(name, *tensors)
        if name == "where":
            assert torch.equal(value, expected)
            continue
        assert value.dtype == tensors[0].dtype
        rounded = expected.to(value.dtype)
        size = 8 * torch.finfo(value.dtype).eps * rounded.abs() + torch.finfo(value.dtype).tiny
        right = (value - rounded).abs() <= size
        right |= (value == rounded) | (value.isnan() & rounded.isnan())
        assert right.all(), f"{name}: {value[~right]} instead of {rounded[~right]}"


def test_the_table_names_every_lowering():
    table = noneuclid.onnx.translation_table()
    assert len(table) == 19
    assert all(str(target).startswith(("aten.", "prims.")) for target in table)


class Constants(nn.Module):
    def forward(self, x):
        third = torch.full((1,), 1 / 3, dtype=torch.float64)
        return x * third + torch.full_like(x, 0.1), torch.where(x > 0, x, 1e-17 + 0.7)


def test_constants_keep_their_digits():
    """0.7 in a float64 graph is not the float32 number nearest to it."""
    x = torch.tensor([-1.0, 0.25], dtype=torch.float64)
    program = noneuclid.onnx.export(Constants().eval(), (x,), verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    values = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    for value, expected in zip(values, Constants()(x), strict=True):
        torch.testing.assert_close(torch.from_numpy(value), expected, rtol=1e-15, atol=0)


class Parts(nn.Module):
    """Mantissa and exponent, and the number put together again."""

    def forward(self, x):
        mantissa, exponent = torch.frexp(x)
        return mantissa, exponent, torch.ldexp(mantissa, exponent)


def test_frexp():
    """Exact next to powers of two, where a logarithm rounds across them, and at 0."""
    powers = 2.0 ** torch.arange(-300, 300, dtype=torch.float64)
    x = torch.cat(
        [powers, torch.nextafter(powers, 2 * powers), torch.nextafter(powers, powers / 2)]
    )
    x = torch.cat([x, -x, torch.zeros(1, dtype=torch.float64)])
    program = noneuclid.onnx.export(Parts().eval(), (x,), verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    values = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    for value, expected in zip(values, Parts()(x), strict=True):
        assert torch.from_numpy(value).equal(expected)
