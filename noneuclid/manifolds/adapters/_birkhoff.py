"""geoopt's Birkhoff polytope: doubly stochastic matrices with the Fisher metric."""

import torch
from torch import Tensor, nn

from noneuclid.manifolds.adapters._wrapper import Wrapper, across, square_side
from noneuclid.numerics import safe_divide, wants_derivatives, with_derivative_of

_BALANCINGS = 8  # of rows and columns in turn, before
_NEWTON_STEPS = 6  # that find the potentials, and
_DIFFERENTIATED = 2  # that carry first and second derivatives
_LONGEST = 1.0  # step of a potential: farther away the exponential is not nearly linear


class Birkhoff(Wrapper):
    """Positive n x n matrices whose rows and columns sum to 1; vectors have sums 0.

    <u, v>_x = sum u v / x / n. The retraction balances x exp(u / x); `transp` projects. `random`:
    balanced absolute values of normal numbers, geoopt's law. `projx` balances |x| by 8 rounds of
    rows and columns in turn and 8 Newton steps on their factors, of which the last two carry the
    derivatives; that reaches 1e-15 while entries spread over less than a factor 1e4. What
    sums of more extreme matrices lack is added at the end, as is eps^2 to every entry.

    Repaired: geoopt's projection stops at sums 1e-5 off; its `proju` multiplies by x, which makes
    it a gradient (without the factor n of its metric), not a projection: here
    `proju` is the projection and `egrad2rgrad` n proju(x g).

    Source: [douik2019manifold].
    """

    retraction_order = 1

    def __init__(self, source: nn.Module, shape: tuple[int, ...]) -> None:
        self.side = square_side(shape, "BirkhoffPolytope")
        super().__init__(source, shape)
        if self.side < 2:
            raise ValueError("the Birkhoff polytope of 1 x 1 matrices is a single point")
        self.dim = (self.side - 1) ** 2

    def _constructor(self) -> str:
        return "BirkhoffPolytope()"

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        near = self._violation(x.detach()) <= 2 * self.side * torch.finfo(dtype).eps
        inside = (near & (x >= torch.finfo(dtype).eps ** 2).all((-1, -2)))[..., None, None]
        balanced = _balance(torch.where(x == 0, torch.finfo(dtype).tiny, x.abs()).log())
        return with_derivative_of(torch.where(inside, x, _filled(balanced, dtype)), balanced)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        x, u = torch.broadcast_tensors(x, u)
        rows, columns = _multipliers(x, u.sum(-1), u.sum(-2))
        return u - x * (rows.unsqueeze(-1) + columns.unsqueeze(-2))

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return (u * v / x).sum((-1, -2)) / self.side

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self.side * self._proju(x, x * g)

    def _retr(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        balanced = _balance(x.log() + u / x)
        return with_derivative_of(_filled(balanced, dtype), balanced)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return self._proju(y, across(x, v))

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        return self._projx(self._normal(size, generator, device).abs(), dtype).to(dtype)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        normal = self._normal(x.shape[:-2], generator, x.device)
        return self._proju(x, (self.side * x).sqrt() * normal)

    def _violation(self, x: Tensor) -> Tensor:
        sums = torch.cat([x.sum(-1), x.sum(-2)], -1)
        return torch.where((x > 0).all((-1, -2)), (sums - 1).abs().amax(-1), 1.0)

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        sums = torch.cat([u.sum(-1), u.sum(-2)], -1).abs().amax(-1)
        size = u.abs().amax((-1, -2))
        return sums / torch.where(size == 0, 1, size)


def _balance(logits: Tensor) -> Tensor:
    """Return exp(logits + a_i + b_j) with sums 1: (*, n, n) -> (*, n, n)."""
    a, b = _potentials(logits.detach())
    for _ in range(_DIFFERENTIATED if wants_derivatives() else 0):
        a, b = _newton_step(logits, a, b)
    return (logits + a.unsqueeze(-1) + b.unsqueeze(-2)).exp()


def _newton_step(logits: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    x = (logits + a.unsqueeze(-1) + b.unsqueeze(-2)).exp()
    rows, columns = _multipliers(x, x.sum(-1) - 1, x.sum(-2) - 1)
    longest = torch.cat([rows, columns], -1).detach().abs().amax(-1, keepdim=True)
    cut = torch.where(longest > _LONGEST, _LONGEST / longest, 1)
    return a - cut * rows, b - cut * columns


@torch.no_grad()
def _filled(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a doubly stochastic matrix near `x`, whose sums are nearly 1.

    Rows and columns of larger sums are divided by them; what is then lacking is added as a product
    of what rows and columns lack; and a constant, which keeps entries positive.

    Source: [altschuler2017near] algorithm 2.
    """
    x = x / torch.where(x.sum(-1) > 1, x.sum(-1), 1).unsqueeze(-1)
    x = x / torch.where(x.sum(-2) > 1, x.sum(-2), 1).unsqueeze(-2)
    rows, columns = (1 - x.sum(-1)).relu(), (1 - x.sum(-2)).relu()
    both = rows.unsqueeze(-1) * columns.unsqueeze(-2)
    x = x + safe_divide(both, rows.sum(-1)[..., None, None])
    smallest = torch.finfo(dtype).eps ** 2  # what the dtype stores as a positive number
    return (1 - smallest * x.shape[-1]) * x + smallest


@torch.no_grad()
def _potentials(logits: Tensor) -> tuple[Tensor, Tensor]:
    b = torch.zeros_like(logits[..., 0, :])
    a = -torch.logsumexp(logits, -1)
    for _ in range(_BALANCINGS):
        b = -torch.logsumexp(logits + a.unsqueeze(-1), -2)
        a = -torch.logsumexp(logits + b.unsqueeze(-2), -1)
    for _ in range(_NEWTON_STEPS):
        a, b = _newton_step(logits, a, b)
    return a, b


def _multipliers(x: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return (a, b) such that x (a_i + b_j) has these row and column sums.

    The system is singular along (1, -1), where nothing depends on it: that is filled up. The sums
    of x stand on the diagonal, as in the Newton step: on the manifold they are 1.
    """
    n = x.shape[-1]
    above = torch.cat([torch.diag_embed(x.sum(-1)), x], -1)
    below = torch.cat([x.mT, torch.diag_embed(x.sum(-2))], -1)
    sign = torch.ones(2 * n, dtype=x.dtype, device=x.device)
    sign[n:] = -1
    system = torch.cat([above, below], -2) + sign * sign.unsqueeze(-1) / (2 * n)
    # blocks that nothing connects make it singular again
    system = system + torch.finfo(x.dtype).eps * torch.diag_embed(torch.ones_like(sign))
    solution = torch.linalg.solve_ex(system, torch.cat([rows, columns], -1))[0]
    return solution[..., :n], solution[..., n:]
