"""ONNX graphs of the ball and the hyperboloid give the eager numbers in ONNX Runtime."""

import onnx_ir
import onnxruntime
import pytest
import torch
from torch import nn

import noneuclid as ne
import noneuclid.onnx

# The exports are shared by the tests of the group: one worker of pytest-xdist must have them all.
pytestmark = pytest.mark.xdist_group("onnx")

NAMES = ("expmap", "logmap", "dist", "expmap0", "logmap0", "dist0")
DISTANCES = (1e-6, 1e-4, 1e-2, 1.0, 4.0, 8.0, 15.0)


class Maps(nn.Module):
    """The maps of a manifold, in the order of NAMES."""

    def __init__(self, manifold):
        super().__init__()
        self.manifold = manifold

    def forward(self, x, y, u, o):
        m = self.manifold
        maps = (m.expmap(x, u), m.logmap(x, y), m.dist(x, y))
        return (*maps, m.expmap0(o), m.logmap0(x), m.dist0(x))


def directions(generator, count):
    v = torch.randn(count, 4, generator=generator, dtype=torch.float64)
    return v / v.square().sum(-1, keepdim=True).sqrt()


def inputs(manifold, radius, distance, generator, count=16):
    """Return float32 points x at this radius, y at this distance from x, and vectors to them."""
    wide = manifold.expmap0(manifold.from_frame(radius * directions(generator, count)))
    v = manifold.random_tangent(wide, generator=generator)
    v = v * (distance / manifold.norm(wide, v)).unsqueeze(-1)
    x = manifold.projx(wide.float())
    y = manifold.projx(manifold.expmap(wide, v).float())
    o = manifold.from_frame(distance * directions(generator, count).float())
    return x, y, manifold.proju(x, v.float()), o


def run(model, tensors):
    """Return what ONNX Runtime makes of a serialized model."""
    session = onnxruntime.InferenceSession(model)
    feed = {i.name: t.numpy() for i, t in zip(session.get_inputs(), tensors, strict=True)}
    return [torch.from_numpy(value) for value in session.run(None, feed)]


def errors(found, expected):
    """Return the largest error of each result, relative to the size of its row."""
    result = {}
    for name, value, truth in zip(NAMES, found, expected, strict=True):
        rows = [t.double().reshape(len(t), -1) for t in (value, truth)]
        size = rows[1].abs().amax(-1)
        result[name] = float(((rows[0] - rows[1]).abs().amax(-1) / size).max())
    return result


@pytest.fixture(scope="module", params=[ne.PoincareBall(4, -0.8), ne.Lorentz(4)], ids=repr)
def exported(request):
    """Return a manifold and its program, with a free batch axis."""
    generator = torch.Generator().manual_seed(3)
    example = inputs(request.param, 1.0, 1.0, generator, count=3)
    batch = torch.export.Dim("batch", min=2)
    program = noneuclid.onnx.export(
        Maps(request.param).eval(),
        example,
        dynamic_shapes={name: {0: batch} for name in "xyuo"},
        verbose=False,
    )
    return request.param, program.model_proto


def test_values_equal_eager(exported, generator):
    """To 1e-6 relative at distances from 1e-6 to 15, from near and from far points."""
    manifold, proto = exported
    session = proto.SerializeToString()
    unit = abs(float(manifold.curvature)) ** -0.5
    for radius in (1e-6, 1.0, 8.0):
        for distance in DISTANCES:
            tensors = inputs(manifold, radius * unit, distance * unit, generator)
            found = errors(run(session, tensors), Maps(manifold)(*tensors))
            assert max(found.values()) <= 1e-6, f"{radius=}, {distance=}: {found}"


def test_float32_only(exported, generator):
    """No float64 is left, and the errors are those of the table in `noneuclid.onnx.export`."""
    manifold, proto = exported
    model = onnx_ir.from_proto(proto)
    noneuclid.onnx.to_float32(model)
    single = onnx_ir.to_proto(model)
    # 11 is DOUBLE, as a dtype and as what a Cast or a constant makes
    assert "elem_type: 11" not in str(single)
    assert not [n for n in single.graph.node for a in n.attribute if a.name == "to" and a.i == 11]
    assert not [n for n in single.graph.node for a in n.attribute if a.t.data_type == 11]
    assert not [i for i in single.graph.initializer if i.data_type == 11]
    for radius, allowed in ((1.0, 1e-5), (3.0, 1e-4), (5.0, 2e-3)):
        tensors = inputs(manifold, radius, radius, generator)
        found = errors(run(single.SerializeToString(), tensors), Maps(manifold)(*tensors))
        assert max(found.values()) <= allowed, f"{radius=}: {found}"


class Logarithm(nn.Module):
    def forward(self, x):
        return torch.log1p(x.double()).float()


@pytest.mark.parametrize("float32_only", [False, True])
def test_written_to_a_file(tmp_path, float32_only):
    path = tmp_path / "logarithm.onnx"
    x = torch.tensor([1e-20, 1e-8, 0.5, 3.0])
    noneuclid.onnx.export(Logarithm().eval(), (x,), path, float32_only=float32_only, verbose=False)
    (found,) = run(path.read_bytes(), (x,))
    torch.testing.assert_close(found, torch.log1p(x))
    casts = [node for node in onnx_ir.load(path).graph if node.op_type == "Cast"]
    assert any(int(cast.attributes["to"].value) == 11 for cast in casts) != float32_only


def test_own_translations_go_first():
    """What the caller gives for an operator is taken."""

    def nothing(self):
        from onnxscript import opset18

        return opset18.Identity(self)

    x = torch.tensor([0.5, 3.0])
    table = {torch.ops.aten.log1p.default: nothing}
    program = noneuclid.onnx.export(
        Logarithm().eval(), (x,), custom_translation_table=table, verbose=False
    )
    assert torch.equal(run(program.model_proto.SerializeToString(), (x,))[0], x)
