"""The gated recurrent unit, in Moebius arithmetic."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._initial import put_at_origin
from noneuclid.layers._masking import checked_mask, points_only
from noneuclid.layers._normal import from_normal, to_normal, translate
from noneuclid.manifolds import HomogeneousManifold, ManifoldParameter


class GRUCell(TangentLayer):
    """One step of a gated recurrent unit: an input x and a state h to the next state.

    With W (x) h = exp_o(W log_o h) and (+) Moebius addition, which is not commutative:

        r = sigmoid log_o(W_hr (x) h (+) (W_ir (x) x (+) b_r)),   z likewise,
        n = tanh^(x)(r (x) (W_hn (x) h (+) b_hn) (+) (W_in (x) x (+) b_n)),
        h' = h (+) (1 - z) (x) (-h (+) n),

    r (x) and tanh^(x) acting on normal coordinates. This is the unit of Ganea et al. in the form
    that torch and cuDNN have: there r acts on h before W_hn, here after it, so that one product
    serves all gates; and z keeps the state, where theirs renews it. What depends on x alone is
    computed first.

    Args:
        manifold_in: where the input lives.
        manifold_hidden: where the state lives; any geometry and dimension. Coordinates are mixed
            across the factors of a product.
        bias: whether the four translations are there.
        device, dtype: of the parameters.

    Shapes: x (*, S_in), h (*, S_hidden), the origin by default -> (*, S_hidden). Parameters:
    `weight_ih` (3 dim_hidden, dim_in) and `weight_hh` (3 dim_hidden, dim_hidden), rows for r, z, n;
    `bias` (4, S_hidden), the points b_r, b_z, b_n, b_hn.

    Initial values: each third of the weights semi-orthogonal, biases at the origin; on inputs at
    radius min(1, |K|^-1/2) the state stays within twice that radius. With any weights a candidate
    n is within sqrt(dim_hidden) of the origin: tanh bounds its coordinates by 1.

    Flat limit: torch.nn.GRUCell. It has two biases for r and for z, of which only the sum counts:
    the second ones are 0.
    Source: [ganea2018hyperbolic] section 3.4.
    """

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_hidden: HomogeneousManifold,
        bias: bool = True,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_hidden)
        dim = manifold_hidden.dim
        self.weight_ih = nn.Parameter(
            torch.empty(3 * dim, manifold_in.dim, device=device, dtype=dtype)
        )
        self.weight_hh = nn.Parameter(torch.empty(3 * dim, dim, device=device, dtype=dtype))
        if bias:
            empty = torch.empty(4, *manifold_hidden.point_shape, device=device, dtype=dtype)
            self.bias = ManifoldParameter(empty, manifold_hidden)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights and put the biases at the origin."""
        for weight in (*self.weight_ih.chunk(3), *self.weight_hh.chunk(3)):
            nn.init.orthogonal_(weight)
        if self.bias is not None:
            put_at_origin(self.bias, self.manifold_out)

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        """Map inputs (*, S_in) and states (*, S_hidden) to the next states (*, S_hidden)."""
        state = None if h is None else to_normal(self.manifold_out, h)
        return from_normal(self.manifold_out, self.tangent(to_normal(self.manifold_in, x), state))

    def tangent(self, c: Tensor, h: Tensor | None = None) -> Tensor:
        """Return the next state's normal coordinates from those of x and h."""
        if h is None:
            h = c.new_zeros(*c.shape[:-1], self.manifold_out.dim)
        return self.step(self.drive(c), h)

    def drive(self, c: Tensor) -> Tensor:
        """Return W_i (x) x (+) b for the three gates, and b_hn: (*, dim_in) -> (*, 4, dim)."""
        driven = F.linear(c, self.weight_ih).unflatten(-1, (3, self.manifold_out.dim))
        last = driven.new_zeros(*driven.shape[:-2], 1, driven.shape[-1])
        driven = torch.cat([driven, last], dim=-2)
        if self.bias is None:
            return driven
        return translate(self.manifold_out, driven, to_normal(self.manifold_out, self.bias))

    def step(self, driven: Tensor, h: Tensor) -> Tensor:
        """Return the next state from what `drive` returns and the state, in normal coordinates."""
        space = self.manifold_out
        gates, candidate, offset = driven.split((2, 1, 1), dim=-2)
        recurrent = F.linear(h, self.weight_hh).unflatten(-1, (3, space.dim))
        sums = translate(space, recurrent, torch.cat([gates, offset], dim=-2))
        reset, keep = torch.sigmoid(sums[..., :2, :]).unbind(-2)
        n = torch.tanh(translate(space, reset * sums[..., 2, :], candidate.squeeze(-2)))
        return translate(space, h, (1 - keep) * translate(space, -h, n))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the parameters of torch.nn.GRUCell."""
        flat: dict[str, Tensor] = {"weight_ih": self.weight_ih, "weight_hh": self.weight_hh}
        if self.bias is not None:
            r, z, n, hidden = to_normal(self.manifold_out, self.bias).unbind(0)
            none = torch.zeros_like(r)
            flat["bias_ih"] = torch.cat([r, z, n])
            flat["bias_hh"] = torch.cat([none, none, hidden])
        return flat

    def extra_repr(self) -> str:
        """Return the manifolds and whether there are biases."""
        return f"{super().extra_repr()}, bias={self.bias is not None}"


class GRU(TangentLayer):
    """A gated recurrent unit along a sequence of points: every state, from the first input on.

    Between two steps the state stays in normal coordinates: exp_o and log_o are taken once for the
    whole sequence, and one product of matrices serves the inputs of all steps.

    Args:
        manifold_in, manifold_hidden, bias, device, dtype: as for `GRUCell`.

    Shapes: x (*, n, S_in), h (*, S_hidden), the origin by default, mask (*, n) bool, True where a
    point is -> (*, n, S_hidden). A masked step keeps the state, whatever stands there, so the last
    state is y[..., -1, :] for every mask; before the first point it is h.
    Parameters: `cell`, a `GRUCell`.

    Raises:
        ValueError: in `forward`, a mask of another shape, or that is not bool.

    Initial values: those of `GRUCell`.

    Flat limit: torch.nn.GRU with one layer and batch_first=True.
    Source: [ganea2018hyperbolic] section 3.4.
    """

    takes_mask = True

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_hidden: HomogeneousManifold,
        bias: bool = True,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_hidden)
        self.cell = GRUCell(manifold_in, manifold_hidden, bias, device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw the parameters of the cell."""
        self.cell.reset_parameters()

    def forward(self, x: Tensor, mask: Tensor | None = None, h: Tensor | None = None) -> Tensor:
        """Map sequences of points (*, n, S_in) to sequences of states (*, n, S_hidden)."""
        c = to_normal(self.manifold_in, points_only(self.manifold_in, x, mask))
        state = None if h is None else to_normal(self.manifold_out, h)
        return from_normal(self.manifold_out, self.tangent(c, mask, state))

    def tangent(self, c: Tensor, mask: Tensor | None = None, h: Tensor | None = None) -> Tensor:
        """Return the normal coordinates of the states from those of x and h."""
        if mask is not None:
            checked_mask(mask, c.shape[:-1])
            c = torch.where(mask[..., None], c, 0)
        state = c.new_zeros(*c.shape[:-2], self.manifold_out.dim) if h is None else h
        driven = self.cell.drive(c)
        states = []
        for i in range(c.shape[-2]):
            new = self.cell.step(driven[..., i, :, :], state)
            state = new if mask is None else torch.where(mask[..., i, None], new, state)
            states.append(state)
        if not states:
            return c.new_zeros(*c.shape[:-1], self.manifold_out.dim)
        return torch.stack(states, dim=-2)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the parameters of torch.nn.GRU."""
        return {f"{name}_l0": value for name, value in self.cell.flat_parameters().items()}
