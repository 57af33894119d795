"""A parameter's manifold survives everything torch does to parameters."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import noneuclid as ne


class Holder(nn.Module):
    """A module with a manifold parameter, an ordinary one, and a sub-module with another."""

    def __init__(self, manifold, nested=True):
        super().__init__()
        self.manifold = manifold
        self.point = ne.ManifoldParameter(manifold.random(4), manifold)
        self.plain = nn.Parameter(torch.zeros(3))
        if nested:
            self.inner = Holder(manifold, nested=False)

    def forward(self, x):
        return self.manifold.dist2(self.point, x) + self.plain.sum()


def marks(module):
    return {name: ne.manifold_of(p) for name, p in module.named_parameters()}


def assert_marked(module, manifold):
    for name, found in marks(module).items():
        if name.endswith("point"):
            assert found is not None, f"{name} lost its mark"
            assert found.same_as(manifold), f"{name} is marked with {found!r}"
        else:
            assert found is None, f"{name} is marked"


@pytest.fixture(params=["E3", "H2(-0.5)*", "B3", "S3", "P2(2)*", "K2(0)*", "K2(0.3)* x E1"])
def manifold(request):
    return ne.manifold(request.param)


@pytest.fixture
def module(manifold):
    return Holder(manifold)


def test_mark(module, manifold):
    assert ne.manifold_of(module.point) is manifold
    assert ne.manifold_of(module.plain) is None
    assert isinstance(module.point, nn.Parameter)
    assert type(module.point * 2) is torch.Tensor
    assert "ManifoldParameter on" in repr(module.point)
    assert_marked(module, manifold)


def test_deepcopy(module, manifold):
    other = copy.deepcopy(module)
    assert_marked(other, manifold)
    assert other.point.data_ptr() != module.point.data_ptr()
    # the copy has a manifold of its own, shared by its parameters as in the original
    assert ne.manifold_of(other.point) is not manifold
    assert ne.manifold_of(other.point) is ne.manifold_of(other.inner.point)


def test_pickle(module, manifold):
    other = pickle.loads(pickle.dumps(module))
    assert_marked(other, manifold)
    assert torch.equal(other.point, module.point)


@pytest.mark.parametrize("assign", [False, True])
def test_state_dict(module, manifold, assign):
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    other = Holder(manifold)
    other.load_state_dict(state, assign=assign)
    assert_marked(other, manifold)
    assert torch.equal(other.point, module.point)


@pytest.mark.parametrize("overwrite", [False, True])
def test_double_and_to(module, manifold, overwrite):
    previous = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(overwrite)
    try:
        assert_marked(module.double(), manifold)
        assert module.point.dtype == torch.float64
        assert_marked(module.to(torch.float32), manifold)
        if not overwrite:  # then torch itself refuses a conversion of a subclass to what it is
            assert_marked(module.to("cpu"), manifold)
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(previous)


def test_reassignment(module, manifold):
    module.point = nn.Parameter(manifold.random(7))
    assert_marked(module, manifold)
    module.register_parameter("point", nn.Parameter(manifold.random(2)))
    assert_marked(module, manifold)
    module.point = ne.ManifoldParameter(torch.zeros(2, 5), ne.Euclidean(5))
    assert ne.manifold_of(module.point).same_as(ne.Euclidean(5))


def test_another_shape_takes_the_name(module):
    module.point = nn.Parameter(torch.zeros(2, 9))
    assert ne.manifold_of(module.point) is None


def test_averaged_model(module, manifold):
    averaged = AveragedModel(module)
    averaged.update_parameters(module)
    assert_marked(averaged.module, manifold)


def test_meta_device(module, manifold):
    state = {name: value.clone() for name, value in module.state_dict().items()}
    empty = module.to("meta")
    filled = empty.to_empty(device="cpu")
    assert filled is empty
    assert_marked(filled, manifold)
    filled.load_state_dict(state)
    assert torch.equal(filled.point, state["point"])
    assert manifold.check_point(filled.point).all()


def test_meta_device_by_assignment(module, manifold):
    state = {name: value.clone() for name, value in module.state_dict().items()}
    with torch.device("meta"):
        empty = Holder(copy.deepcopy(manifold).to("meta"))
    assert empty.point.is_meta
    empty.load_state_dict(state, assign=True)
    assert_marked(empty, manifold)
    assert torch.equal(empty.point, state["point"])


@pytest.mark.parametrize("change", ["double", "load", "to"])
def test_swapped_tensors(module, manifold, change):
    """Torch may exchange a parameter's content where it stands: listing finds the mark again."""
    state = {name: value.clone() for name, value in Holder(manifold).state_dict().items()}
    points = [module.point, module.inner.point]
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        if change == "load":
            module.load_state_dict(state, assign=True)
        else:
            module.double() if change == "double" else module.to(torch.float16)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)
    assert_marked(module, manifold)
    assert module.point is points[0]
    assert module.inner.point is points[1]
    assert change != "load" or torch.equal(module.point, state["point"])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_to_dtype(module, manifold, dtype):
    module.to(dtype)
    assert_marked(module, manifold)
    assert module.point.dtype == dtype
    assert torch.isfinite(module(manifold.random(4, dtype=dtype))).all()


def test_autocast(module, manifold):
    """Inside autocast the geometry stays in the points' dtype, and so do the gradients."""
    x = manifold.random(4)
    expected = module(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = module(x)
    assert torch.equal(found, expected)
    (gradient,) = torch.autograd.grad(found.sum(), module.point)
    assert gradient.dtype == torch.float32
    assert torch.equal(gradient, torch.autograd.grad(expected.sum(), module.point)[0])


def graph_cases(gate):
    """Return signatures; graph capture takes long, so that the gate has one only."""
    rest = {"E3", "H2(-0.5)*", "B3", "S3", "P2(2)*", "K2(0)*", "K2(0.3)* x E1"}
    return [gate, *(pytest.param(s, marks=pytest.mark.slow) for s in sorted(rest))]


@pytest.mark.parametrize("signature", graph_cases("S2"))
def test_compile(signature):
    """One graph, with the eager values; the gradients arrive in the parameters."""
    manifold = ne.manifold(signature)
    module = Holder(manifold, nested=False).double()
    x = manifold.random(4, dtype=torch.float64)
    torch.compiler.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), module(x))
    expected = torch.autograd.grad(module(x).sum(), list(module.parameters()))
    compiled(x).sum().backward()
    for parameter, gradient in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    assert_marked(module, manifold)


@pytest.mark.parametrize("signature", graph_cases("B2(-2)*"))
def test_export(signature):
    manifold = ne.manifold(signature)
    module = Holder(manifold, nested=False)
    module.point = ne.ManifoldParameter(manifold.random(1), manifold)  # broadcasts
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(
        module, (manifold.random(4),), dynamic_shapes={"x": {0: batch}}
    ).module()
    x = manifold.random(3)
    torch.testing.assert_close(program(x), module(x))
    assert_marked(module, manifold)


def test_functional_call_under_vmap(module, manifold):
    """An ensemble: parameters stacked, one forward mapped over them."""
    others = [module, Holder(manifold), Holder(manifold)]
    x = manifold.random(4)
    parameters, buffers = torch.func.stack_module_state(others)

    def call(parameters, buffers):
        # A module that stands under two names is one module: without tie_weights=False torch puts
        # the second name's parameter back wrong, of any shared module, and so of a curvature.
        tensors = (parameters, buffers)
        return torch.func.functional_call(module, tensors, (x,), tie_weights=False)

    mapped = torch.vmap(call)(parameters, buffers)
    torch.testing.assert_close(mapped, torch.stack([other(x) for other in others]))
    assert_marked(module, manifold)
    assert all(type(p) in (nn.Parameter, ne.ManifoldParameter) for p in module.parameters())


def test_derivatives_through_functional_call(module, manifold):
    """Grad, jvp and jacrev in the parameter, and backward twice, all agree."""
    module.double()
    x = manifold.random(4, dtype=torch.float64)
    point = module.point.detach()
    move = torch.randn_like(point)

    def loss(point):
        return torch.func.functional_call(module, {"point": point}, (x,)).sin().sum()

    gradient = torch.func.grad(loss)(point)
    torch.testing.assert_close(torch.func.jacrev(loss)(point), gradient)
    slope = torch.func.jvp(loss, (point,), (move,))[1]
    torch.testing.assert_close(slope, (gradient * move).sum())
    (backward,) = torch.autograd.grad(module(x).sin().sum(), module.point, create_graph=True)
    torch.testing.assert_close(backward, gradient)
    (twice,) = torch.autograd.grad((backward * move).sum(), module.point)
    curved = torch.func.jvp(torch.func.grad(loss), (point,), (move,))[1]
    torch.testing.assert_close(twice, curved)


def test_raw_writes_are_restored(module, manifold):
    """Code that writes into the parameter table, as torch's own does, keeps the mark."""
    module._parameters["point"] = nn.Parameter(module.point.detach().clone())
    assert_marked(module, manifold)
    ne.restore_marks(module)
    assert_marked(module, manifold)


def test_requires_grad_is_kept(manifold):
    frozen = ne.ManifoldParameter(manifold.random(2), manifold, requires_grad=False)
    assert not frozen.requires_grad
    assert not copy.deepcopy(frozen).requires_grad
    assert not pickle.loads(pickle.dumps(frozen)).requires_grad


def test_errors():
    with pytest.raises(TypeError, match="noneuclid manifold, got int"):
        ne.ManifoldParameter(torch.zeros(2, 3), 3)
    with pytest.raises(ValueError, match=r"\(\*, 4\), got \(2, 3\)"):
        ne.ManifoldParameter(torch.zeros(2, 3), ne.Sphere(3))
    with pytest.raises(TypeError, match="floating"):
        ne.ManifoldParameter(torch.zeros(2, 4, dtype=torch.int64), ne.Sphere(3))


def test_a_reassigned_parameter_stays_the_same_object(module):
    """It may be in an optimizer already; a copy would leave that one without gradients."""
    bare = nn.Parameter(module.point.detach().clone())
    module.point = bare
    assert module.point is bare
    assert ne.manifold_of(bare) is not None
