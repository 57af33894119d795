"""What a step works on: parameters cut into the factors of their manifolds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import Euclidean, Manifold, Product, SpaceForm, manifold_of

_ONE = torch.tensor(1.0, device="cpu")


@dataclass(slots=True)
class Piece:
    """A factor of a marked parameter: views of the point, its gradient and its state, all (*, S).

    What is written into the views is written into the parameter and its state.
    """

    manifold: Manifold
    x: Tensor
    gradient: Tensor
    state: dict[str, Tensor] = field(default_factory=dict)
    step: Tensor | None = None  # how many steps were taken, this one included; of the parameter
    is_first: bool = False  # whether the state is still empty


Owned = tuple[int, Piece]  # the number of the stepped parameter that a piece is of, and the piece


def factors_of(manifold: Manifold, *tensors: Tensor) -> Iterator[tuple[Manifold, list[Tensor]]]:
    """Yield (factor, views of the tensors) for each factor that is not itself a product.

    The tensors (*, S) are points, vectors or optimizer state. A step taken factor by factor makes a
    product equal to its factors' runs.
    """
    if not isinstance(manifold, Product):
        yield manifold, list(tensors)
        return
    splits = [tensor.split(manifold.widths, dim=-1) for tensor in tensors]
    for index, factor in enumerate(manifold.factors):
        yield from factors_of(factor, *(split[index] for split in splits))


def cut(piece: Piece) -> list[Piece]:
    """Return the pieces of the factors that are not themselves products."""
    if not isinstance(piece.manifold, Product):
        return [piece]
    tensors = (piece.x, piece.gradient, *piece.state.values())
    return [
        Piece(factor, x, gradient, dict(zip(piece.state, state, strict=True)), piece.step,
              piece.is_first)
        for factor, (x, gradient, *state) in factors_of(piece.manifold, *tensors)
    ]  # fmt: skip


def parts_of(parameters: list[Any]) -> tuple[list[tuple[Tensor, Manifold]], list[Tensor]]:
    """Return marked parameters, each with its manifold, and plain ones."""
    if not torch.compiler.is_compiling() and not any(p.__dict__ for p in parameters):
        return [], list(parameters)  # models have hundreds that carry no mark, nor anything else
    pairs = [(parameter, manifold_of(parameter)) for parameter in parameters]
    plain = [parameter for parameter, manifold in pairs if manifold is None]
    return [(p, manifold) for p, manifold in pairs if manifold is not None], plain


def kind_of(manifold: Manifold) -> Any:
    """Return what manifolds have in common whose pieces are stepped together."""
    if isinstance(manifold, Euclidean):
        return Euclidean
    if not isinstance(manifold, SpaceForm):
        return id(manifold)
    curvature = manifold.curvature
    value = id(curvature) if curvature.learnable else float(curvature)
    return type(manifold), manifold.point_shape, value


def sorted_by_kind(
    wholes: Sequence[Piece],
) -> tuple[list[tuple[Manifold, list[Owned]]], list[Owned]]:
    """Return the factors of parameters by what moves them together, and parameters on R^n.

    Each piece comes with the number of its parameter.
    """
    flat: list[Owned] = []
    found: dict[Any, tuple[Manifold, list[Owned]]] = {}
    kinds: dict[int, Any] = {}  # many parameters share a manifold
    for owner, whole in enumerate(wholes):
        for piece in cut(whole):
            kind = kinds.get(id(piece.manifold))
            if kind is None:
                kind = kinds[id(piece.manifold)] = kind_of(piece.manifold)
            if kind is Euclidean and piece is whole:
                flat.append((owner, piece))
                continue
            x = piece.x
            dtypes = [t.dtype for t in (x, piece.gradient, *piece.state.values())]
            width = x.shape[-1] if kind is Euclidean else 0
            key = (kind, width, x.device, number_of(piece.step), piece.is_first, *dtypes)
            found.setdefault(key, (piece.manifold, []))[1].append((owner, piece))
    return list(found.values()), flat


def steps_before(pieces: list[Piece]) -> list[Tensor]:
    """Return how many steps were taken before this one, in tensors of their own.

    torch's functional code counts the step itself; of a product with flat factors it would count
    the parameter's once for each.
    """
    steps = [p.step for p in pieces if p.step is not None]
    return count_on(list(torch._foreach_clone(steps)), -1)


def count_on(steps: list[Tensor], by: int) -> list[Tensor]:
    """Add a number to step counts, in place; return them."""
    if steps and steps[0].is_cpu and not torch.compiler.is_compiling():
        torch._foreach_add_(steps, _ONE, alpha=by)  # a number would be made a tensor for each
    elif steps:
        torch._foreach_add_(steps, by)
    return steps


def number_of(step: Tensor | None) -> float | None:
    """Return a step count; None where a look at it would wait for a device, or for a compiler."""
    if step is None or torch.compiler.is_compiling() or not step.is_cpu:
        return None
    return step.item()


def is_sharded(tensor: Tensor) -> bool:
    """Tell whether processes hold different rows of a tensor: `torch.distributed`'s DTensor."""
    return hasattr(tensor, "to_local")


def local(tensor: Tensor) -> Tensor:
    """Return the rows that this process holds of a sharded tensor; any other one as it is.

    What is written into them is written into `tensor`. Rows are points, so a step takes each
    where it is, without communication.
    """
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


@torch.no_grad()
def write_back(marked: list[tuple[Tensor, Manifold]], moved: set[int]) -> None:
    """Project the points whose manifold has a parameter among those that `moved`, by id."""
    has_moved: dict[int, bool] = {}  # many parameters share a manifold: look through it once

    def moves(manifold: Manifold) -> bool:
        if id(manifold) not in has_moved:
            has_moved[id(manifold)] = any(id(p) in moved for p in manifold.parameters())
        return has_moved[id(manifold)]

    for parameter, manifold in marked if moved else ():
        if moves(manifold):
            for factor, (x,) in factors_of(manifold, local(parameter.detach())):
                if moves(factor):
                    x.copy_(factor.projx(x))


class TouchedRows:
    """The rows of a piece that a sparse gradient names, gathered; `scatter` writes them back.

    Rows that were named several times have the sum of their gradients: all of them are cotangent
    vectors at the same point.
    """

    def __init__(self, piece: Piece) -> None:
        gradient = piece.gradient.coalesce()
        (self.rows,) = gradient.indices()
        self.whole = piece
        self.piece = Piece(
            piece.manifold,
            piece.x[self.rows],
            gradient.values(),
            {name: tensor[self.rows] for name, tensor in piece.state.items()},
            piece.step,
            piece.is_first,
        )

    def scatter(self) -> None:
        """Write the gathered rows back."""
        self.whole.x.index_copy_(0, self.rows, self.piece.x)
        for name, tensor in self.whole.state.items():
            tensor.index_copy_(0, self.rows, self.piece.state[name])
