"""Parameter groups that tell curvatures from everything else."""

from typing import Any

from torch import nn

from noneuclid.manifolds import Curvature, manifold_of


def groups(model: nn.Module, *, curvature_lr: float, **options: Any) -> list[dict[str, Any]]:
    """Return two groups for an optimizer: the model's parameters, and its learnable curvatures.

    Args:
        model: whose parameters to list, with their names; curvatures of manifolds that only a
            `ManifoldParameter` knows are found too.
        curvature_lr: the learning rate of the curvatures.
        options: further options of their group, such as `betas`; weight decay is 0 there, as the
            parameter of a curvature is near 0 at |K| = 1, or at K = 0, for no reason of the data.

    Without curvatures there is one group.
    """
    curvatures: dict[int, tuple[str, nn.Parameter]] = {}
    for where, module in model.named_modules():
        _collect(curvatures, where, module)
    for name, parameter in model.named_parameters():
        manifold = manifold_of(parameter)
        for where, module in [] if manifold is None else manifold.named_modules():
            _collect(curvatures, f"{name}.manifold.{where}".rstrip("."), module)
    others = [(name, p) for name, p in model.named_parameters() if id(p) not in curvatures]
    own = {"params": list(curvatures.values()), "lr": curvature_lr, "weight_decay": 0.0, **options}
    return [{"params": others}, own] if curvatures else [{"params": others}]


def _collect(found: dict[int, tuple[str, nn.Parameter]], where: str, module: nn.Module) -> None:
    if isinstance(module, Curvature) and module.learnable:
        found.setdefault(id(module.raw), (f"{where}.raw", module.raw))
