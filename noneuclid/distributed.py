"""Many processes: sharding that leaves points whole.

`torch.nn.parallel.DistributedDataParallel` needs nothing of this module: it averages gradients and
leaves parameters, their marks and the optimizer's step as they are.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.manifolds import Manifold, manifold_of, restore_marks

__all__ = ["clip_grad_norm_", "fully_shard"]


def fully_shard(
    module: nn.Module,
    *,
    mesh: Any = None,
    ignored_params: Iterable[nn.Parameter] = (),
    **options: Any,
) -> nn.Module:
    """Apply `torch.distributed.fsdp.fully_shard` to `module`, in place; return it.

    A parameter whose rows are points is sharded along its first batch axis, as torch does. A
    single point, whose only axes are coordinates, and the parameters of manifolds (curvatures)
    are replicated: broadcast from the first process, with gradients averaged over all processes,
    so that each of them takes the same step. Marks are kept. Apply it to inner modules first, as
    torch's; build the optimizer afterwards.

    Args:
        module: what to shard.
        mesh: `torch.distributed.device_mesh.DeviceMesh` of one axis (sharded) or two (replicated,
            sharded); default: all processes.
        ignored_params: further parameters that are neither sharded nor replicated.
        options: torch's, such as `mp_policy`.

    Limits: a replicated parameter must take part in the loss on every process or on none, since
    averaging its gradient is a collective operation; its gradient has first order only.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard as torch_fully_shard

    if mesh is None:
        accelerator = torch.accelerator.current_accelerator()
        kind = "cpu" if accelerator is None else accelerator.type
        mesh = init_device_mesh(kind, (torch.distributed.get_world_size(),))
    ignored = set(ignored_params)
    replicas = _Replicas(module, mesh, ignored)
    whole = {parameter for _, parameter in replicas.named()}
    torch_fully_shard(module, mesh=mesh, ignored_params=ignored | whole, **options)
    replicas.synchronize()
    module.register_forward_pre_hook(replicas.average_gradients)
    return restore_marks(module)


@torch.no_grad()
def clip_grad_norm_(
    parameters: Iterable[Tensor], max_norm: float, norm_type: float = 2.0
) -> Tensor:
    """Scale the gradients so that their total norm is at most `max_norm`; return the norm, ().

    It is `torch.nn.utils.clip_grad_norm_` for models with shards and replicas side by side, which
    torch's refuses ("got mixed torch.Tensor and DTensor"). Gradients are the ambient ones.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    shards = [gradient for gradient in gradients if hasattr(gradient, "full_tensor")]
    replicas = [gradient for gradient in gradients if not hasattr(gradient, "full_tensor")]
    norms = [nn.utils.get_total_norm(kind, norm_type) for kind in (shards, replicas) if kind]
    whole = [norm.full_tensor() if hasattr(norm, "full_tensor") else norm for norm in norms]
    total = nn.utils.get_total_norm(whole, norm_type)
    factor = max_norm / torch.maximum(total, total.new_tensor(max_norm))
    for gradient in gradients:
        gradient.mul_(factor)
    return total


class _Replicas:
    """The parameters of a module that every process holds in full.

    They are found anew at each forward, since torch exchanges parameters on some paths
    (`to_empty`, `load_state_dict(assign=True)`), and a new one has no hook.
    """

    def __init__(self, module: nn.Module, mesh: Any, ignored: set[nn.Parameter]) -> None:
        self.module, self.mesh = module, mesh
        self.ignored = {name for name, p in module.named_parameters() if p in ignored}

    def named(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield (name, parameter) of single points and of what belongs to a manifold."""
        of_manifolds = {
            parameter for manifold in self._manifolds() for parameter in manifold.parameters()
        }
        for name, parameter in self.module.named_parameters():
            manifold = manifold_of(parameter)
            single = manifold is not None and parameter.dim() == len(manifold.point_shape)
            if name not in self.ignored and (single or parameter in of_manifolds):
                yield name, parameter

    def _manifolds(self) -> Iterator[Manifold]:
        for submodule in self.module.modules():
            if isinstance(submodule, Manifold):
                yield submodule
        for parameter in self.module.parameters():
            manifold = manifold_of(parameter)
            if manifold is not None:
                yield manifold

    @torch.no_grad()
    def synchronize(self) -> None:
        """Move every replica to this process's device and give it the first process's value."""
        kind = self.mesh.device_type
        device = torch.get_device_module(kind).current_device()
        for _, parameter in self.named():
            if parameter.device.type == "meta":  # no value yet: it will be loaded
                continue
            parameter.data = parameter.data.to(torch.device(kind, 0 if kind == "cpu" else device))
            for group in self.mesh.get_all_groups():
                torch.distributed.broadcast(parameter.data, group=group, group_src=0)

    def average_gradients(self, *arguments: Any) -> None:
        """Give every replica, once, the hook that averages its gradient."""
        for _, parameter in self.named():
            if parameter.requires_grad and not hasattr(parameter, "_averages_gradient"):
                parameter.register_hook(self._mean)
                parameter._averages_gradient = True  # type: ignore[attr-defined]

    def _mean(self, gradient: Tensor) -> Tensor:
        mean = gradient.detach() / self.mesh.size()
        for group in self.mesh.get_all_groups():
            torch.distributed.all_reduce(mean, group=group)
        return mean
