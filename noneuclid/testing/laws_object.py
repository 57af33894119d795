"""Laws of a manifold as an object: copies, pickles, state, repr, comparison, errors."""

import copy
import io
import pickle
import sys
from collections.abc import Callable

import torch
from torch import Tensor

import noneuclid
from noneuclid.manifolds import GeodesicManifold, HomogeneousManifold, Manifold
from noneuclid.testing.law import BOTH, DOUBLE, finite, law, require, same
from noneuclid.testing.samples import arguments, operations

Generator = torch.Generator


@law(Manifold, DOUBLE)
def copies_are_the_same_manifold(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Deepcopy, pickle and repr give the same manifold, with the same results."""
    arrived = {
        "deepcopy": copy.deepcopy(manifold),
        "pickle": pickle.loads(pickle.dumps(manifold)),
        "repr": eval(repr(manifold), _names()),
    }
    tensors = arguments(manifold, "xyu", dtype, generator, 3)
    for how, other in arrived.items():
        require(other is not manifold, f"{how} is the manifold itself")
        require(manifold.same_as(manifold), "the manifold is not the same as itself")
        require(other.dim == manifold.dim and other.point_shape == manifold.point_shape, how)
        if how != "repr":  # repr has 9 digits: enough for fixed values and for float32 parameters
            require(manifold.same_as(other) and other.same_as(manifold), f"{how}: not same_as")
            same(other.transp(*tensors), manifold.transp(*tensors), f"{how}: transp")
        require(repr(other) == repr(manifold), f"{how}: repr {other!r}")
        require(len(list(other.parameters())) == len(list(manifold.parameters())), how)
    require(manifold.same_as(arrived["repr"]), f"repr {manifold!r} builds another manifold")
    require(not manifold.same_as(torch.nn.Identity()), "same_as accepts any module")


@law(Manifold, DOUBLE)
def state_dicts_carry_what_is_learned(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """A state dict goes through torch.save and back, and moves the receiving manifold."""
    file = io.BytesIO()
    torch.save(manifold.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    other = copy.deepcopy(manifold)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1)
    require(
        other.same_as(manifold) == (not list(manifold.parameters())), "same_as ignores parameters"
    )
    other.load_state_dict(state)
    require(other.same_as(manifold), "load_state_dict does not restore the manifold")


@law(Manifold, DOUBLE)
def state_dicts_are_assigned(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """load_state_dict(assign=True) puts in the very tensors, and so the manifold."""
    state = {name: value.clone() for name, value in manifold.state_dict().items()}
    other = copy.deepcopy(manifold)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1)
    other.load_state_dict(state, assign=True)
    require(other.same_as(manifold), "load_state_dict(assign=True) does not restore the manifold")
    for name, parameter in other.named_parameters():
        require(parameter.data_ptr() == state[name].data_ptr(), f"{name} is a copy")
        require(parameter.requires_grad, f"{name} does not learn any more")


@law(Manifold, DOUBLE)
def comes_from_the_meta_device(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Moved to the meta device or made there, then to_empty and loaded: the same manifold."""
    source = repr(manifold)
    with torch.device("meta"):
        made = eval(source, _names())
    repr(made)  # has no curvature to tell, and does not mind
    tensors = arguments(manifold, "xyu", dtype, generator, 3)
    for how, other in {"moved": copy.deepcopy(manifold).to("meta"), "made": made}.items():
        require(all(p.device.type == "meta" for p in other.parameters()), f"{how}: not on meta")
        other.to_empty(device="cpu").load_state_dict(manifold.state_dict())
        require(other.same_as(manifold), f"{how} on the meta device, it is another manifold")
        same(other.transp(*tensors), manifold.transp(*tensors), f"{how} on meta: transp")


@law(Manifold, DOUBLE)
def modules_convert(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """.double(), .float() and .to(dtype) keep the manifold usable with points of every dtype."""
    halves = (torch.float16, torch.bfloat16)
    for stored in (*BOTH, *halves):
        other = copy.deepcopy(manifold).to(stored)
        require(all(p.dtype == stored for p in other.parameters()), f".to({stored}) is ignored")
        for point_dtype in (*BOTH, *halves):
            x = other.random(2, generator=generator, dtype=point_dtype)
            u = other.random_tangent(x, generator=generator)
            y = other.retr(x, u)
            require(y.dtype == point_dtype, f"after .to({stored}) {point_dtype} gives {y.dtype}")
            finite(y, f"retr of {point_dtype} after .to({stored})")
    for convert, stored in (("double", torch.float64), ("float", torch.float32)):
        other = getattr(copy.deepcopy(manifold), convert)()
        require(all(p.dtype == stored for p in other.parameters()), f".{convert}() is ignored")
    back = copy.deepcopy(manifold).double().float()
    require(back.same_as(manifold), "float64 and back is another manifold")
    wide = arguments(manifold, "xu", torch.float64, generator, 2)
    mixed = manifold.retr(wide[0].float(), wide[1])
    require(mixed.dtype == torch.float64, f"float32 and float64 promote to {mixed.dtype}")


@law(Manifold, DOUBLE)
def wrong_shapes_and_dtypes_are_refused(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """A wrong trailing shape is a ValueError with both shapes in it, integers a TypeError."""
    width = manifold.point_shape[-1]
    for name, method, kinds in operations(manifold):
        tensors = arguments(manifold, kinds, dtype, generator, 2)
        for position in range(len(kinds)):
            wrong = list(tensors)
            wrong[position] = torch.zeros(2, width + 1, dtype=dtype)
            _raises(ValueError, (f"{width})", f"(2, {width + 1})"), name, method, wrong)
            wrong[position] = torch.zeros(2, *manifold.point_shape, dtype=torch.int64)
            _raises(TypeError, ("floating", "int64"), name, method, wrong)
    scalar = torch.zeros((), dtype=dtype)
    _raises(ValueError, ("()",), "projx", manifold.projx, [scalar])
    point = manifold.random(dtype=dtype)
    if isinstance(manifold, GeodesicManifold):
        _raises(ValueError, ("cdist",), "cdist", manifold.cdist, [point, point])
        _raises(ValueError, ("midpoint",), "midpoint", manifold.midpoint, [point])
    if isinstance(manifold, HomogeneousManifold):
        frame = torch.zeros(2, manifold.dim + 1, dtype=dtype)
        _raises(ValueError, (str(manifold.dim),), "from_frame", manifold.from_frame, [frame])


def _names() -> dict[str, object]:
    """Return what a repr may name: our public names, torch, and geoopt if it is loaded."""
    return {**vars(noneuclid), "geoopt": sys.modules.get("geoopt")}


def _raises(
    kind: type[Exception],
    words: tuple[str, ...],
    name: str,
    method: Callable[..., Tensor],
    tensors: list[Tensor],
) -> None:
    try:
        method(*tensors)
    except kind as error:
        for word in words:
            require(word in str(error), f"{name}: the message lacks {word!r}: {error}")
    else:
        shapes = [tuple(tensor.shape) for tensor in tensors]
        raise AssertionError(f"{name} accepts {shapes} of {[t.dtype for t in tensors]}")
