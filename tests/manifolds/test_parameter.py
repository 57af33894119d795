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
        self.point = ne.ManifoldParameter(manifold.random(4), manifold)
        self.plain = nn.Parameter(torch.zeros(3))
        if nested:
            self.inner = Holder(manifold, nested=False)

    def forward(self, x):
        return x


def marks(module):
    return {name: ne.manifold_of(p) for name, p in module.named_parameters()}


def assert_marked(module, manifold):
    for name, found in marks(module).items():
        if name.endswith("point"):
            assert found is not None, f"{name} lost its mark"
            assert found.same_as(manifold), f"{name} is marked with {found!r}"
        else:
            assert found is None, f"{name} is marked"


@pytest.fixture(params=["S3", "H2(-0.5)*", "K2(0.3)* x E1"])
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
    empty = module.to("meta")
    filled = ne.restore_marks(empty.to_empty(device="cpu"))
    assert filled is empty
    assert_marked(filled, manifold)
    filled.load_state_dict(Holder(manifold).state_dict())
    assert manifold.check_point(filled.point).all()


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
