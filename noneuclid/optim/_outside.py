"""A compiled step that leaves the graph, where the kernels of the step are faster outside of it.

A graph holds the same kernels, but looks at every tensor of every parameter each time it is
called, and is made anew for each optimizer: minutes for hundreds of parameters. A step that may
leave the graph (`torch.compile` without `fullgraph=True`) therefore does.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import manifold_of
from noneuclid.numerics import are_native

_outside: dict[Any, Callable[..., Any]] = {}


def are_mostly_points(parameters: Iterable[Tensor]) -> bool:
    """Tell whether most numbers are coordinates of points whose steps have kernels."""
    marked, plain = 0, 0
    for parameter in parameters:
        if manifold_of(parameter) is None:
            plain += parameter.numel()
        elif are_native([parameter]):
            marked += parameter.numel()
        else:
            return False
    return marked > plain


def may_leave_graph(step: Callable[..., Any]) -> bool:
    """Tell whether the graph that is being made may end here; `step` runs outside of it then."""
    try:
        from torch._dynamo.symbolic_convert import InstructionTranslator

        translator = InstructionTranslator.current_tx()
        if translator.one_graph or translator.error_on_graph_break:
            return False
    except (ImportError, AttributeError):  # another torch: it does not tell
        return False
    _outside["step"] = torch.compiler.disable(step)  # the compiler is loaded by now
    return True


def outside(*arguments: Any) -> Any:
    """Call the function that `may_leave_graph` was asked about."""
    return _outside["step"](*arguments)


# Run while a graph is made, as `_name` of numerics/formula.py.
may_leave_graph._dynamo_marked_constant = True  # type: ignore[attr-defined]
