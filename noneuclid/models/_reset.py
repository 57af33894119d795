"""Fresh parameters for a module made of modules that know their own."""

from torch import nn


def reset_children(module: nn.Module) -> None:
    """Call `reset_parameters` of everything inside `module`, in the order it was put there.

    A child that has none is a container, and its own children are asked. Curvatures among them go
    back to where they started; as manifolds stand in front of the layers on them, those see it.
    """
    for child in module.children():
        reset = getattr(child, "reset_parameters", None)
        if callable(reset):
            reset()
        else:
            reset_children(child)
