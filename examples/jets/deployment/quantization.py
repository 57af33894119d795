"""A PM-MLP in few bits: its matrices and what flows between its layers, by Brevitas."""

import copy
from typing import Any

import torch
from taggers import Tagger
from torch import Tensor, nn
from torch.nn.utils import parametrize

from noneuclid.layers import Chain
from noneuclid.layers._base import TangentLayer
from noneuclid.manifolds import HomogeneousManifold, manifold_of


class RoundedCoordinates(TangentLayer):
    """x -> exp_o(Q(log_o x)): points whose normal coordinates are multiples of one step.

    Q is Brevitas's QuantIdentity: the step comes from the first 300 batches of training and is
    learned from then on. Flat limit: QuantIdentity itself.
    """

    def __init__(self, manifold: HomogeneousManifold, bits: int) -> None:
        super().__init__(manifold, manifold)
        self.rounding = _layers().QuantIdentity(bit_width=bits)

    def tangent(self, c: Tensor) -> Tensor:
        """Return the rounded coordinates."""
        return self.rounding(c)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the step."""
        return dict(self.rounding.named_parameters())


class RoundedMatrix(nn.Module):
    """W -> multiples of max |W| / (2^(bits - 1) - 1), with the gradient of the identity."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        _layers()
        from brevitas.core.bit_width import BitWidthConst
        from brevitas.core.function_wrapper import Identity
        from brevitas.core.quant import IntQuant, RescalingIntQuant
        from brevitas.core.scaling import IntScaling
        from brevitas.core.zero_point import ZeroZeroPoint

        self.rounding = RescalingIntQuant(
            IntQuant(narrow_range=True, signed=True, input_view_impl=Identity()),
            _Largest(),
            IntScaling(signed=True, narrow_range=True),
            ZeroZeroPoint(),
            BitWidthConst(bits),
        )

    def forward(self, weight: Tensor) -> Tensor:
        """Return the rounded matrix."""
        return self.rounding(weight)[0]


class _Largest(nn.Module):
    """The step of a matrix: its largest entry over the largest integer."""

    def forward(self, weight: Tensor, largest: Tensor) -> Tensor:
        step = weight.detach().abs().max() / largest
        return torch.where(step > 0, step, 1)


def quantized(tagger: Tagger, bits: int) -> Tagger:
    """Return a copy of a PM-MLP tagger that computes with numbers of so many bits.

    Rounded are the features, all matrices, what each layer of the particle embedding gives, and the
    head's hidden layer. Biases, norms, curvatures and the maps between tangent space and manifold
    stay in floating point: a table of values in firmware, or float16.

    Raises:
        ImportError: without the extra `noneuclid[quant]`. ValueError: it is no PM-MLP tagger.
    """
    if tagger.recipe["name"] != "pm-mlp":
        raise ValueError(f"only pm-mlp is known how to round, got {tagger.recipe['name']}")
    rounded: Any = copy.deepcopy(tagger)
    network = rounded.network
    steps: list[Any] = [RoundedCoordinates(network.particles.manifold_in, bits)]
    for layer in network.particles.layers:
        steps += [layer, RoundedCoordinates(layer.manifold_out, bits)]
    network.particles = Chain(*steps)
    first, _, last = network.head
    network.head = nn.Sequential(first, _layers().QuantReLU(bit_width=bits), last)
    for module in list(network.modules()):
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.dim() == 2 and manifold_of(parameter) is None:
                parametrize.register_parametrization(module, name, RoundedMatrix(bits))
    return rounded


def _layers() -> Any:
    try:
        import brevitas.nn
    except ImportError as error:
        raise ImportError("few bits are Brevitas's: pip install 'noneuclid[quant]'") from error
    return brevitas.nn
