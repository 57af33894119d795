"""DDP and FSDP2 on two processes: one torchrun does all checks, each is a test here.

This file is both sides: pytest starts torchrun on it, and each process then does every check and
writes the outcomes into a file.
"""

import copy
import datetime
import functools
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard as torch_fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

sys.path.insert(0, str(Path(__file__).parent / "layers"))  # as pytest has it, for torchrun
from layer_cases import CASES, anywhere, points

import noneuclid as ne
from noneuclid.models import PMMLP, PMTransformer
from noneuclid.optim import RiemannianAdam, RiemannianSGD

OPTIMIZERS = {
    "adam": lambda parameters: RiemannianAdam(parameters, lr=0.05, weight_decay=0.01),
    "amsgrad": lambda parameters: RiemannianAdam(parameters, lr=0.05, amsgrad=True),
    "sgd": lambda parameters: RiemannianSGD(parameters, lr=0.003, momentum=0.9),
}
INDEX = torch.tensor([0, 1, 2, 3, 4, 0, 3, 2])  # half of it for each process


class Model(nn.Module):
    """Rows of points, one with a single row, single points, two learnable curvatures, a matrix."""

    def __init__(self):
        super().__init__()
        self.space = ne.Lorentz(3, -0.7, learnable=True)
        self.mixed = ne.manifold("S2 x B2(-1.3)* x E1")
        made = torch.Generator().manual_seed(0)
        self.points = ne.ManifoldParameter(self.space.random(5, generator=made), self.space)
        self.one_row = ne.ManifoldParameter(self.space.random(1, generator=made), self.space)
        self.center = ne.ManifoldParameter(self.space.random(generator=made), self.space)
        self.prototypes = ne.ManifoldParameter(self.mixed.random(3, generator=made), self.mixed)
        self.anchor = ne.ManifoldParameter(self.mixed.random(generator=made), self.mixed)
        self.linear = nn.Linear(4, 3, dtype=torch.float64)
        with torch.no_grad():
            self.linear.weight.copy_(torch.randn(3, 4, generator=made))
            self.linear.bias.zero_()

    def forward(self, index):
        x = self.points[index]
        logits = self.linear(self.space.logmap(self.center, x))
        logits = logits + self.mixed.dist2(self.prototypes, self.anchor)
        return logits.square().sum(-1) + self.space.dist2(x, self.one_row)


@functools.cache
def single_process(optimizer, steps=2):
    """Return the parameters after steps on the whole batch, without any distribution."""
    model = Model()
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    for _ in range(steps):
        take_step(model, optimizer, INDEX)
    return dict(model.named_parameters())


def take_step(model, optimizer, index):
    optimizer.zero_grad()
    model(index).mean().backward()
    optimizer.step()


def half():
    return INDEX.chunk(2)[dist.get_rank()]


def whole(parameter):
    return (parameter.full_tensor() if isinstance(parameter, DTensor) else parameter).detach()


def assert_close(name, found, expected, rtol):
    torch.testing.assert_close(
        found, expected, rtol=rtol, atol=1e-10, msg=lambda text: f"{name}: {text}"
    )


def assert_equal(model, expected, rtol=1e-9):
    found = {name.removeprefix("module."): p for name, p in model.named_parameters()}
    assert found.keys() == expected.keys()
    for name, parameter in found.items():
        assert_close(name, whole(parameter), whole(expected[name]), rtol)


def assert_equal_gradients(model, expected):
    pairs = zip(model.named_parameters(), expected.parameters(), strict=True)
    for (name, parameter), other in pairs:
        assert_close(name, whole(parameter.grad), other.grad, 1e-5)


def assert_marked(model):
    for name, parameter in model.named_parameters():
        kind = name.split(".")[-1]
        manifold = ne.manifold_of(parameter)
        if kind in ("points", "one_row", "center"):
            assert isinstance(manifold, ne.Lorentz), f"{name}: {manifold}"
        elif kind in ("prototypes", "anchor"):
            assert isinstance(manifold, ne.Product), f"{name}: {manifold}"
        else:
            assert manifold is None, f"{name}: {manifold}"


def trained(model, optimizer, steps=2):
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    for _ in range(steps):
        take_step(model, optimizer, half())
    return model, optimizer


# -- the checks ------------------------------------------------------------------------------------


def ddp_keeps_marks():
    model = DistributedDataParallel(Model())
    assert_marked(model)
    model(half()).mean().backward()
    assert_marked(model)


def ddp_steps_as_one_process(optimizer):
    model, _ = trained(DistributedDataParallel(Model()), optimizer)
    assert_equal(model, single_process(optimizer))


def ddp_state_dict_round_trip():
    model, _ = trained(DistributedDataParallel(Model()), "adam")
    other = Model()
    other.load_state_dict(model.module.state_dict(), assign=True)
    assert_marked(other)
    assert_equal(other, dict(model.module.named_parameters()), rtol=0)


def ddp_trains_every_layer():
    """Gradients of two halves of a batch are those of the whole, for every layer there is."""
    for (cls, variant), build in CASES.items():
        torch.manual_seed(0)
        found = anywhere(build)
        layer = found.layer.double().eval()  # batch statistics are those of a process
        with torch.no_grad():
            x = points(layer.manifold_in, 0.7 * torch.randn(*found.shape(4), layer.manifold_in.dim))
        parameters = list(layer.parameters())
        if not parameters:
            continue
        y = layer(x)
        if not y.requires_grad:  # one that only turns its points: a curvature does not matter
            continue
        expected = torch.autograd.grad(y.square().mean(), parameters, allow_unused=True)
        parallel = DistributedDataParallel(layer, find_unused_parameters=True)
        parallel(x.chunk(2)[dist.get_rank()]).square().mean().backward()
        for (name, parameter), other in zip(layer.named_parameters(), expected, strict=True):
            where = f"{cls.__name__} {variant} {name}"
            if other is not None:
                assert_close(where, parameter.grad, other, 1e-6)


def ddp_steps_whole_models_as_one_process():
    """PM-Transformer and PM-MLP: an Adam step from two halves of a batch is that of the whole."""
    made = torch.Generator().manual_seed(0)
    features, momenta = (torch.randn(4, 5, n, generator=made) for n in (7, 4))
    momenta[..., 3] = 1.01 * momenta[..., :3].square().sum(-1).sqrt()
    mask = torch.arange(5) < torch.arange(2, 6)[:, None]
    labels = torch.tensor([0, 1, 1, 0])
    sizes = {"layers": 2, "heads": 2, "ffn_ratio": 2, "pair_widths": (6,)}
    models = {
        "PMTransformer": (lambda: PMTransformer(7, 2, "H4* x E4", "S4* x B4", **sizes), momenta),
        "PMMLP": (lambda: PMMLP(7, 2, "H4* x S4* x E2"), None),
    }
    for name, (build, more) in models.items():
        given = [t for t in (features, mask, more, labels) if t is not None]
        torch.manual_seed(0)
        model = build().eval()  # batch statistics are those of a process
        expected = copy.deepcopy(model)
        before = copy.deepcopy(dict(model.named_parameters()))
        step_on(expected, given)
        parallel = DistributedDataParallel(model)
        step_on(parallel, [t.chunk(2)[dist.get_rank()] for t in given])
        assert_equal(parallel, dict(expected.named_parameters()), rtol=1e-6)
        still = [n for n, p in model.named_parameters() if p.equal(before[n])]
        assert not still, f"{name}: {still} did not move"


def step_on(model, given):
    optimizer = RiemannianAdam(model.parameters(), lr=0.05)
    nn.functional.cross_entropy(model(*given[:-1]), given[-1]).backward()
    optimizer.step()


def fsdp_keeps_marks():
    model = ne.distributed.fully_shard(Model())
    assert_marked(model)
    loss = model(half()).mean()
    assert_marked(model)
    loss.backward()
    assert_marked(model)


def fsdp_shards_batch_axes_only():
    model = ne.distributed.fully_shard(Model())
    rows = {"points": (3, 2), "one_row": (1, 0), "prototypes": (2, 1), "linear.weight": (2, 1)}
    for name, parameter in model.named_parameters():
        if name in rows:
            assert parameter.to_local().shape[0] == rows[name][dist.get_rank()], name
        elif name != "linear.bias":
            assert not isinstance(parameter, DTensor), name


def fsdp_steps_as_one_process(optimizer):
    model, _ = trained(ne.distributed.fully_shard(Model()), optimizer)
    assert_equal(model, single_process(optimizer))


def fsdp_points_stay_on_the_manifold():
    model, _ = trained(ne.distributed.fully_shard(Model()), "adam")
    for name, parameter in model.named_parameters():
        manifold = ne.manifold_of(parameter)
        if manifold is not None:
            assert bool(manifold.check_point(whole(parameter)).all()), name


def fsdp_gradients_are_clipped():
    """The total norm over shards and replicas is that of one process."""
    expected, model = Model(), ne.distributed.fully_shard(Model())
    expected(INDEX).mean().backward()
    model(half()).mean().backward()
    norm = nn.utils.clip_grad_norm_(expected.parameters(), 0.1)
    assert float(norm) > 1
    found = ne.distributed.clip_grad_norm_(model.parameters(), 0.1)
    torch.testing.assert_close(found, norm)
    assert_equal_gradients(model, expected)
    again = ne.distributed.clip_grad_norm_(model.parameters(), 0.2)
    assert abs(float(again) - 0.1) < 1e-6
    assert_equal_gradients(model, expected)


def fsdp_inside_fsdp():
    outer = nn.Sequential(ne.distributed.fully_shard(Model()))
    trained(ne.distributed.fully_shard(outer), "adam")
    assert_marked(outer)
    assert_equal(outer[0], single_process("adam"))


def fsdp_accumulates_gradients():
    """Two backward passes before a step: the mean over processes of the sums."""
    expected, model = Model(), ne.distributed.fully_shard(Model())
    for _ in range(2):
        expected(INDEX).mean().backward()
        model(half()).mean().backward()
    assert_equal_gradients(model, expected)


def fsdp_starts_from_one_value():
    """Replicas that differ at first are those of the first process afterwards."""
    model = Model()
    with torch.no_grad():
        model.center.add_(dist.get_rank())
    ne.distributed.fully_shard(model)
    assert torch.equal(model.center, Model().center)


def fsdp_state_dict_round_trip():
    """Model and optimizer, sharded: what goes on from a checkpoint is what went on without one."""
    model, optimizer = trained(ne.distributed.fully_shard(Model()), "adam")
    state = copy.deepcopy(get_state_dict(model, optimizer))
    other = ne.distributed.fully_shard(Model())
    other_optimizer = OPTIMIZERS["adam"](other.parameters())
    set_state_dict(other, other_optimizer, model_state_dict=state[0], optim_state_dict=state[1])
    assert_marked(other)
    assert_equal(other, dict(model.named_parameters()), rtol=0)
    take_step(model, optimizer, half())
    take_step(other, other_optimizer, half())
    assert_equal(other, dict(model.named_parameters()), rtol=0)


def fsdp_full_state_dict():
    """One process's state dict goes into a sharded model and comes out of it."""
    source = Model()
    with torch.no_grad():
        source.points.copy_(source.space.expmap0(0.3 * source.space.logmap0(source.points)))
        source.anchor.copy_(source.mixed.origin())
    model = ne.distributed.fully_shard(Model())
    options = StateDictOptions(full_state_dict=True)
    set_model_state_dict(model, source.state_dict(), options=options)
    assert_marked(model)
    assert_equal(model, dict(source.named_parameters()), rtol=0)
    for name, value in get_model_state_dict(model, options=options).items():
        assert torch.equal(value, source.state_dict()[name]), name


def fsdp_from_the_meta_device():
    with torch.device("meta"):
        model = Model()
    ne.distributed.fully_shard(model)
    model.to_empty(device="cpu")
    options = StateDictOptions(full_state_dict=True)
    set_model_state_dict(model, Model().state_dict(), options=options)
    assert_marked(model)
    trained(model, "adam")
    assert_equal(model, single_process("adam"))


def fsdp_ignores_what_it_is_told_to():
    model = Model()
    ne.distributed.fully_shard(model, ignored_params={model.points, model.center})
    assert not isinstance(model.points, DTensor)
    model(half()).mean().backward()
    gradients = [torch.empty_like(model.center) for _ in range(2)]
    dist.all_gather(gradients, model.center.grad)
    assert not torch.equal(*gradients)  # nobody averaged them


def fsdp_on_a_mesh_of_two_axes():
    mesh = init_device_mesh("cpu", (2, 1), mesh_dim_names=("replicate", "shard"))
    model, _ = trained(ne.distributed.fully_shard(Model(), mesh=mesh), "adam")
    assert_equal(model, single_process("adam"))


def torch_fully_shard_keeps_marks():
    model = Model()
    torch_fully_shard(model)
    assert_marked(model)
    assert_marked(ne.restore_marks(model))
    assert_refused([model.points], "curvature")
    assert_refused(model.parameters(), "noneuclid.distributed.fully_shard")


def torch_fully_shard_of_single_points_is_refused():
    model = nn.Module()
    model.point = ne.ManifoldParameter(ne.Sphere(3).random(), ne.Sphere(3))
    torch_fully_shard(model)
    assert_refused(model.parameters(), "coordinates")


def assert_refused(parameters, word):
    with pytest.raises(ValueError, match=word):
        RiemannianAdam(parameters)


CHECKS = {
    "ddp_keeps_marks": ddp_keeps_marks,
    **{
        f"ddp_steps_as_one_process[{name}]": lambda name=name: ddp_steps_as_one_process(name)
        for name in ("adam", "sgd")
    },
    "ddp_state_dict_round_trip": ddp_state_dict_round_trip,
    "ddp_trains_every_layer": ddp_trains_every_layer,
    "ddp_steps_whole_models_as_one_process": ddp_steps_whole_models_as_one_process,
    "fsdp_keeps_marks": fsdp_keeps_marks,
    "fsdp_shards_batch_axes_only": fsdp_shards_batch_axes_only,
    **{
        f"fsdp_steps_as_one_process[{name}]": lambda name=name: fsdp_steps_as_one_process(name)
        for name in OPTIMIZERS
    },
    "fsdp_points_stay_on_the_manifold": fsdp_points_stay_on_the_manifold,
    "fsdp_gradients_are_clipped": fsdp_gradients_are_clipped,
    "fsdp_inside_fsdp": fsdp_inside_fsdp,
    "fsdp_accumulates_gradients": fsdp_accumulates_gradients,
    "fsdp_starts_from_one_value": fsdp_starts_from_one_value,
    "fsdp_state_dict_round_trip": fsdp_state_dict_round_trip,
    "fsdp_full_state_dict": fsdp_full_state_dict,
    "fsdp_from_the_meta_device": fsdp_from_the_meta_device,
    "fsdp_ignores_what_it_is_told_to": fsdp_ignores_what_it_is_told_to,
    "fsdp_on_a_mesh_of_two_axes": fsdp_on_a_mesh_of_two_axes,
    "torch_fully_shard_keeps_marks": torch_fully_shard_keeps_marks,
    "torch_fully_shard_of_single_points_is_refused": torch_fully_shard_of_single_points_is_refused,
}


def outcome(check):
    """Return None, or the traceback of what went wrong."""
    try:
        check()
    except Exception:
        return traceback.format_exc()
    return None


def main(path):
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=120))
    outcomes = {name: outcome(check) for name, check in CHECKS.items()}
    Path(f"{path}.{dist.get_rank()}").write_text(json.dumps(outcomes), encoding="utf-8")
    dist.destroy_process_group()


# -- the tests -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Return {check: [outcome on each of two processes]}; None is a success."""
    path = tmp_path_factory.mktemp("distributed") / "outcomes"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    torchrun += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    run = subprocess.run(
        [*torchrun, __file__, str(path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    ranks = [json.loads(Path(f"{path}.{rank}").read_text(encoding="utf-8")) for rank in range(2)]
    return {name: [rank[name] for rank in ranks] for name in CHECKS}


# One run for all: the tests are a group, so that one worker of pytest-xdist has them.
@pytest.mark.xdist_group("distributed")
@pytest.mark.parametrize("check", CHECKS)
def test_on_two_processes(check, outcomes):
    assert outcomes[check] == [None, None], "\n".join(filter(None, outcomes[check]))


if __name__ == "__main__":
    main(sys.argv[1])
