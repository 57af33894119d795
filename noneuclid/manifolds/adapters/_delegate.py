"""A geoopt manifold that has no formulas of ours: its own are called."""

from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.manifolds.adapters._wrapper import Wrapper, largest
from noneuclid.numerics import safe_divide


class Delegate(Wrapper):
    """Any other geoopt manifold, such as one of a user's own.

    Calls geoopt's methods, on broadcast points in the dtype of its parameters and buffers (float64
    if it has none). It trusts them: `check_manifold` tells whether they obey the laws. `random` is
    geoopt's; `random_tangent` projects standard normal coordinates, which is standard normal where
    the metric is that of the ambient space. `dim` is the rank of `proju` at a random point.
    """

    retraction_order = 1

    def __init__(self, source: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__(source, shape)
        fits, reason = source._check_shape(shape, "point_shape")  # type: ignore[operator]
        if not fits:
            raise ValueError(f"{source!r}: {reason}")
        count = torch.Size(shape).numel()
        generator, device = torch.Generator().manual_seed(0), torch.device("cpu")
        x = self._random((), generator, torch.float64, device)
        frame = torch.eye(count, dtype=torch.float64).reshape(count, *shape)
        images = self._proju(x.expand_as(frame), frame).reshape(count, count)
        self.dim = int(torch.linalg.matrix_rank(images))

    def _constructor(self) -> str:
        return f"{type(self.source).__name__}({self.source.extra_repr()})"

    def _theirs(self, name: str, *arguments: Tensor) -> Tensor:
        dtype: Any = self.source.dtype or torch.float64
        together = torch.broadcast_tensors(*(each.to(dtype) for each in arguments))
        result: Tensor = getattr(self.source, name)(*together)
        return result.to(torch.float64)

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return self._theirs("projx", x)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return self._theirs("proju", x, u)

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self._theirs("inner", x, u, v)

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self._theirs("egrad2rgrad", x, g)

    def _retr(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._theirs("retr", x, u)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return self._theirs("transp", x, y, v)

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        whole = (*size, *self.shape)
        if generator is None:
            x = self._theirs_at_random(whole)
        else:  # geoopt draws from the global generator, which is put back afterwards
            seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                x = self._theirs_at_random(whole)
        return self._projx(x, dtype).to(device, dtype)

    def _theirs_at_random(self, size: tuple[int, ...]) -> Tensor:
        return self.source.random(*size).detach().to(torch.float64)  # type: ignore[operator]

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        batch = x.shape[: x.dim() - len(self.shape)]
        return self._proju(x, self._normal(batch, generator, x.device))

    def _violation(self, x: Tensor) -> Tensor:
        return self._moved(x, self._projx(x, x.dtype))

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        x, u = torch.broadcast_tensors(x, u)
        return self._moved(u, self._proju(x, u))

    def _moved(self, old: Tensor, new: Tensor) -> Tensor:
        count = -len(self.shape)
        error, size = (each.flatten(count).unsqueeze(-1) for each in (old - new, old))
        return safe_divide(largest(error), largest(size))
