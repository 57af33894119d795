"""A mixture of curvatures: every point chooses among experts that live on spaces of their own."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from noneuclid.layers._ambient import from_ambient, to_ambient
from noneuclid.layers._base import Layer, TangentLayer
from noneuclid.layers._normal import from_normal, principal, to_normal
from noneuclid.layers.coupling._perceptron import Perceptron
from noneuclid.layers.coupling._router import Router
from noneuclid.manifolds import Euclidean, HomogeneousManifold, Stereographic
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import safe_divide


class CurvatureMixture(TangentLayer):
    """Mix experts, each with a learnable curvature of either sign, by weights of each point's own.

    With c = log_o x and the k experts whose scores R c + r are largest, for each point by itself:

        w_e = softmax over the k chosen of (R c + r)_e, 0 for the others,   y = mean_e(E_e(x), w_e).

    E_e is a map through a space of curvature K_e: `MobiusLinear` to Stereographic(width, K_e), a
    ReLU there, `MobiusLinear` to `manifold_out`. All experts are computed for all points and
    weighed by 0 where not chosen, so no shape depends on the data.

    Args:
        manifold_in: where the input lives.
        manifold_out: where the output lives; any geometry and dimension.
        experts: for each expert the first value of its K_e, or a layer from `manifold_in` to
            `manifold_out` that stands in its place.
        top_k: k, at least 2: the weight of a single choice is 1 and would teach the router nothing.
        width: dimension of the experts' spaces; by default the larger of input and output.
        shared: whether one expert more, on R^width, is mixed in everywhere, at weight 1/2.
        mean: "tangent", the mean of log_o E_e(x), or "midpoint", the gyromidpoint of E_e(x).
        noise: standard deviation of normal noise on the scores in training mode.
        device, dtype: of the parameters.

    Shapes: (*, S_in) -> (*, S_out). Parameters: `router.weight` (experts, dim_in), `router.bias`
    (experts,), and those of the `experts` and the `shared` one, K_e among them. Buffer:
    `router.offset` (experts,), which only `rebalance` moves.

    Raises:
        ValueError: fewer than two experts, `top_k` outside [2, experts], `width` < 1, `noise` < 0,
            an unknown `mean`, or an expert that is no layer between the two manifolds.

    Initial values: the router as torch.nn.Linear, the matrices as `Linear` (the second of an expert
    without gain), the experts' first translations to random points at half of min(1, |K_e|^-1/2),
    so that curvature counts from the first step. A mean lies no farther out than its ends.

    Flat limit: a mixture of two-layer perceptrons with the same weights.
    Source: [he2025helm] for experts on curvatures of their own, [shazeer2017outrageously] section 2
    for top-k weights. Signs that may change and the router on logarithms are this library's.
    """

    def __init__(  # noqa: PLR0913 - options, all but three by keyword
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        experts: Sequence[float | Layer] = (-1.0, 0.0, 1.0),
        *,
        top_k: int = 2,
        width: int | None = None,
        shared: bool = False,
        mean: Literal["tangent", "midpoint"] = "tangent",
        noise: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out)
        _check_options(len(experts), top_k, width, mean, noise)
        self.mean = mean
        size = max(manifold_in.dim, manifold_out.dim) if width is None else width

        def build(space: HomogeneousManifold) -> Layer:
            return Perceptron(manifold_in, space, manifold_out, device=device, dtype=dtype)

        self.experts = nn.ModuleList(
            self._checked(expert)
            if isinstance(expert, nn.Module)
            else build(Stereographic(size, expert, learnable=True).to(device))
            for expert in experts
        )
        self.shared = build(Euclidean(size)) if shared else None
        self.router = Router(
            manifold_in.dim, len(experts), top_k, noise, device=device, dtype=dtype
        )

    def _checked(self, expert: nn.Module) -> Layer:
        if not (
            isinstance(expert, Layer)
            and expert.manifold_in.same_as(self.manifold_in)
            and expert.manifold_out.same_as(self.manifold_out)
        ):
            raise ValueError(
                "an expert must be a curvature or a layer from"
                f" {self.manifold_in!r} to {self.manifold_out!r}, got {expert!r}"
            )
        return expert

    def reset_parameters(self) -> None:
        """Draw fresh parameters everywhere; the curvatures stay where they have moved."""
        for expert in (*self.experts, *([] if self.shared is None else [self.shared])):
            expert.reset_parameters()
        self.router.reset_parameters()

    def tangent(self, c: Tensor) -> Tensor:
        """Return the normal coordinates of the mean of the chosen experts."""
        weights = list(self.router(c).split(1, dim=-1))
        outputs = [self._output(expert, c) for expert in self.experts]
        if self.shared is not None:
            weights = [weight / 2 for weight in weights] + [torch.full_like(weights[0], 0.5)]
            outputs.append(self._output(self.shared, c))
        if self.mean == "tangent":
            return _sum(weights, outputs)
        parts = zip(factors_of(self.manifold_out), *(self._split(y) for y in outputs), strict=True)
        means = []
        for factor, *ends in parts:
            ambient = [to_ambient(factor, end) for end in ends]
            X, T = (_sum(weights, [pair[i] for pair in ambient]) for i in range(2))
            means.append(from_ambient(factor, X, T))
        return torch.cat(means, dim=-1)

    def _output(self, expert: nn.Module, c: Tensor) -> Tensor:
        if isinstance(expert, TangentLayer):
            return principal(self.manifold_out, expert.tangent(c))
        return to_normal(self.manifold_out, expert(from_normal(self.manifold_in, c)))

    def _split(self, c: Tensor) -> tuple[Tensor, ...]:
        return c.split([factor.dim for factor in factors_of(self.manifold_out)], dim=-1)

    # -- the balance of the experts ----------------------------------------------------------------

    def load(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the share of choices that falls on each expert: points (*, S) -> (experts,).

        Args:
            x: points of `manifold_in`.
            mask: (*,) bool, True where a point is.
        """
        scores, here = self._scores(x, mask)
        return _mean(self.router.chosen(scores).to(scores.dtype), here) / self.router.top_k

    def balance_loss(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return E sum_e f_e P_e, a penalty for favourites: 1 where all experts get the same.

        f is the `load` and P the mean over the points of the softmax of all scores; the gradient
        goes through P. Add it, times about 0.01, to the loss of a model. No points give 0.
        Source: [fedus2022switch] Eq. (4).
        """
        scores, here = self._scores(x, mask)
        load = _mean(self.router.chosen(scores).to(scores.dtype), here) / self.router.top_k
        share = _mean(torch.softmax(scores, dim=-1), here)
        return len(self.experts) * (load.detach() * share).sum()

    @torch.no_grad()
    def rebalance(self, x: Tensor, mask: Tensor | None = None, rate: float = 1e-3) -> None:
        """Move the offset of each expert by `rate` towards its fair share: after a step, if at all.

        An offset counts where experts are chosen, not where they are weighed, so that balance costs
        the loss no gradient. Source: [wang2024auxiliary] Algorithm 1.
        """
        load = self.load(x, mask)
        self.router.offset.add_(rate * torch.sign(load.mean() - load))

    def _scores(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return scores (n, experts), and (n, 1) with 1 where a point is, else 0."""
        if mask is not None:
            if mask.dtype != torch.bool or mask.shape != x.shape[:-1]:
                raise ValueError(
                    f"mask must be a bool tensor of shape {tuple(x.shape[:-1])}, True where a point"
                    f" is, got {mask.dtype} of shape {tuple(mask.shape)}"
                )
            origin = self.manifold_in.origin(dtype=x.dtype, device=x.device)
            x = torch.where(mask[..., None], x, origin)
        scores = self.router.scores(to_normal(self.manifold_in, x)).flatten(0, -2)
        here = torch.ones_like(scores[:, :1])
        return scores, here if mask is None else here * mask.reshape(-1, 1)

    # -- what it is made of ------------------------------------------------------------------------

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return those of the router, the experts and the shared one."""
        flat: dict[str, Tensor] = {
            "router.weight": self.router.weight,
            "router.bias": self.router.bias,
        }
        named = [(f"experts.{i}", expert) for i, expert in enumerate(self.experts)]
        for name, expert in [*named, ("shared", self.shared)]:
            if isinstance(expert, Layer):
                flat |= {f"{name}.{key}": t for key, t in expert.flat_parameters().items()}
        return flat

    def extra_repr(self) -> str:
        """Return the manifolds and the kind of mean."""
        return f"{super().extra_repr()}, mean={self.mean!r}"


def _check_options(experts: int, top_k: int, width: int | None, mean: str, noise: float) -> None:
    if experts < 2:
        raise ValueError(f"CurvatureMixture needs at least two experts, got {experts}")
    if not 2 <= top_k <= experts:
        raise ValueError(
            f"top_k must be in [2, {experts}], got {top_k}; the weight of a single choice is 1 and"
            " has no gradient"
        )
    if width is not None and width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    if mean not in ("tangent", "midpoint"):
        raise ValueError(f"mean must be 'tangent' or 'midpoint', got {mean!r}")
    if noise < 0:
        raise ValueError(f"noise must be at least 0, got {noise}")


def _sum(weights: list[Tensor], values: list[Tensor]) -> Tensor:
    """Return the sum of w_e v_e, (*, 1) and (*, n), without all products at a time."""
    total = weights[0] * values[0]
    for weight, value in zip(weights[1:], values[1:], strict=True):
        total = total + weight * value
    return total


def _mean(values: Tensor, here: Tensor) -> Tensor:
    """Return the mean over the rows that are there, 0 without any: (n, E), (n, 1) -> (E,)."""
    return safe_divide((here * values).sum(0), here.sum(0))
