"""The layers that are timed, each with its Euclidean twin and the input of both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import layers_twins as twins
import torch
from torch import Tensor, nn

import noneuclid as ne
from noneuclid import layers

ROWS, WIDTH, CLASSES = 4096, 128, 10  # a batch of single points
SETS, SLOTS, TOKEN, HEADS = 32, 64, 64, 4  # a batch of sets
IMAGES, PIXELS, CHANNELS = 8, 16, 16  # a batch of square images
SPACES = ("E", "H", "B", "S", "K")
ENTRIES = 1000  # of an embedding
Make = Callable[..., nn.Module]


@dataclass(frozen=True)
class Pair:
    """A layer and its twin.

    Attributes:
        curved, flat: build a module; called at the start of the measurement.
        curved_inputs, flat_inputs: the tensors they are called with; those of the first are points.
        bar: the bar for the compiled ratio, if it has one.
        memory_bar: the bar for what is kept, if it has one.
    """

    curved: Callable[[], nn.Module]
    flat: Callable[[], nn.Module]
    curved_inputs: Callable[[], tuple[Any, ...]]
    flat_inputs: Callable[[], tuple[Any, ...]]
    bar: float | None = None
    memory_bar: float | None = None


def points(signature: str, *size: int) -> Tensor:
    """Return points at the radius of activations, about 1."""
    space = ne.manifold(signature)
    return space.expmap0(space.from_frame(torch.randn(*size, space.dim) / space.dim**0.5))


def signature_of(space: str, width: int) -> str:
    return f"{space}{width}(-1)*" if space == "K" else f"{space}{width}"


def pair_of(
    signature: str, size: tuple[int, ...], curved: Make, flat: Callable[[], nn.Module] | None,
    count: int = 1, bar: float | None = None,
) -> Pair:  # fmt: skip
    """Return the pair of a layer that takes `count` tensors of points.

    Without a `flat` twin the layer on R^n is the twin.
    """
    space = ne.manifold(signature)
    factors = getattr(space, "dims", (space.dim,))
    plain = " x ".join(f"E{dim}" for dim in factors)
    return Pair(
        lambda: curved(space),
        flat or (lambda: curved(ne.manifold(plain))),
        lambda: tuple(points(signature, *size) for _ in range(count)),
        lambda: tuple(points(plain, *size) for _ in range(count)),
        bar,
    )


def linears(space: str) -> dict[str, Pair]:
    """Return the variants of `Linear`; the default one of the space has the bar."""
    signature = signature_of(space, WIDTH)
    variants = ["mobius", "poincare", "spacelike", "gated", "htc", "busemann"]
    found = {}
    for variant in variants if space != "E" else ["mobius"]:
        found[f"Linear {variant}"] = pair_of(
            signature,
            (ROWS,),
            lambda m, v=variant: layers.Linear(m, m, variant=v),
            lambda: nn.Linear(WIDTH, WIDTH),
            bar=2.0 if variant == ("spacelike" if space == "H" else "mobius") else None,
        )
    return found


def heads(space: str) -> dict[str, Pair]:
    """Return the classifiers."""
    classes = ("Hyperplane", "Busemann", "Prototype", "IdealPrototype")
    signature = signature_of(space, WIDTH)
    return {
        f"{name}Classifier": pair_of(
            signature,
            (ROWS,),
            lambda m, name=name: getattr(layers, f"{name}Classifier")(m, CLASSES),
            lambda: nn.Linear(WIDTH, CLASSES),
        )
        for name in classes
    }


def norms(space: str) -> dict[str, Pair]:
    """Return norms and other layers of single points."""
    signature = signature_of(space, WIDTH)
    kinds: dict[str, tuple[Make, Callable[[], nn.Module] | None]] = {
        "TangentLayerNorm": (layers.TangentLayerNorm, lambda: nn.LayerNorm(WIDTH)),
        "SpaceLayerNorm": (layers.SpaceLayerNorm, lambda: nn.LayerNorm(WIDTH)),
        "SpaceRMSNorm": (layers.SpaceRMSNorm, lambda: nn.RMSNorm(WIDTH)),
        "GyroBatchNorm": (layers.GyroBatchNorm, lambda: nn.BatchNorm1d(WIDTH)),
        "MidpointBatchNorm": (layers.MidpointBatchNorm, lambda: nn.BatchNorm1d(WIDTH)),
        "Activation": (lambda m: layers.Activation(m, torch.relu), nn.ReLU),
        "Dropout": (lambda m: layers.Dropout(m, 0.1), lambda: nn.Dropout(0.1)),
        "Drop": (lambda m: layers.Drop(m, WIDTH), lambda: nn.Linear(WIDTH, WIDTH)),
        "GRUCell": (
            lambda m: layers.GRUCell(m, m), lambda: nn.GRUCell(WIDTH, WIDTH)
        ),
        "CurvatureMixture": (lambda m: layers.CurvatureMixture(m, m), None),
    }  # fmt: skip
    found = {name: pair_of(signature, (ROWS,), *both) for name, both in kinds.items()}
    for kind in ("mobius", "midpoint", "lorentz"):
        found[f"ResidualSum {kind}"] = pair_of(
            signature,
            (ROWS,),
            lambda m, k=kind: layers.ResidualSum(m, k),
            lambda: twins.Plain(lambda x, y, s: x + s * y, 1),
            count=2,
        )
    return found


def attentions(space: str) -> dict[str, Pair]:
    """Return attention by every score, with a bias; that of the tangent score has the bar."""
    signature = signature_of(space, TOKEN)
    bias = torch.randn(SETS, HEADS, SLOTS, SLOTS)
    scores = ["tangent", "transported", "lorentz", "distance", "squared distance"]
    found = {}
    for score in scores if space != "E" else ["tangent"]:
        found[f"MultiheadAttention {score}"] = Pair(
            lambda s=score: twins.Biased(
                layers.MultiheadAttention(ne.manifold(signature), HEADS, score=s)
            ),
            lambda: twins.Attention(TOKEN, HEADS),
            lambda: (points(signature, SETS, SLOTS), bias.clone().requires_grad_()),
            lambda: (torch.randn(SETS, SLOTS, TOKEN), bias.clone().requires_grad_()),
            1.6 if score == "tangent" else None,
        )
    return found


def sets(space: str) -> dict[str, Pair]:
    """Return what else acts on sets, sequences and images."""
    signature, size = signature_of(space, TOKEN), (SETS, SLOTS)
    mean = twins.Plain
    kinds: dict[str, tuple[Make, Callable[[], nn.Module] | None]] = {
        "KernelAttention": (lambda m: layers.KernelAttention(m, HEADS), None),
        "TangentMean": (layers.TangentMean, lambda: mean(lambda x: x.mean(-2))),
        "MidpointPool": (layers.MidpointPool, lambda: mean(lambda x: x.mean(-2))),
        "FrechetMeanPool": (layers.FrechetMeanPool, lambda: mean(lambda x: x.mean(-2))),
        "HopePosition": (layers.HopePosition, None),
        "LearnedPosition": (
            lambda m: layers.LearnedPosition(m, SLOTS),
            lambda: twins.Plain(lambda x, p: x + p, SLOTS, TOKEN),
        ),
        "ClassToken": (
            layers.ClassToken,
            lambda: twins.Plain(
                lambda x, t: torch.cat([t.expand(SETS, 1, TOKEN), x], dim=-2), 1, TOKEN
            ),
        ),
        "Conv1d": (
            lambda m: layers.Conv1d(m, m, 3, padding=1),
            lambda: twins.Moved(nn.Conv1d(TOKEN, TOKEN, 3, padding=1)),
        ),
        "GRU": (
            lambda m: layers.GRU(m, m),
            lambda: twins.First(nn.GRU(TOKEN, TOKEN, batch_first=True)),
        ),
    }
    found = {name: pair_of(signature, size, *both) for name, both in kinds.items()}
    found["Conv2d"] = pair_of(
        signature_of(space, CHANNELS),
        (IMAGES, PIXELS, PIXELS),
        lambda m: layers.Conv2d(m, m, 3, padding=1),
        lambda: twins.Moved(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)),
    )
    return found


def products(space: str) -> dict[str, Pair]:
    """Return what mixes the factors of this space's product with R^n; the twin lives on R^n."""
    half = WIDTH // 2
    signature = f"{signature_of(space, half)} x E{half}"
    same = " x ".join(2 * [signature_of(space, half).rstrip("*")])  # one K, and not learned
    kinds: dict[str, tuple[str, Make]] = {
        "InterManifoldAttention": (signature, layers.InterManifoldAttention),
        "FactorCoupling": (signature, layers.FactorCoupling),
        "Linear mixing": (signature, lambda m: layers.Linear(m, m, mixing=True)),
        "Concat": (same, layers.Concat),
        "Split": (signature_of(space, WIDTH), lambda m: layers.Split(m, 2)),
    }
    return {name: pair_of(each, (ROWS,), make, None) for name, (each, make) in kinds.items()}


def ends(space: str) -> dict[str, Pair]:
    """Return what leads from numbers or indices to points."""

    def manifold() -> Any:
        return ne.manifold(signature_of(space, WIDTH))

    def features() -> tuple[Tensor]:
        return (torch.randn(ROWS, WIDTH),)

    def indices() -> tuple[Tensor]:
        return (torch.randint(ENTRIES, (ROWS,)),)

    return {
        "Lift": Pair(
            lambda: layers.Lift(WIDTH, manifold()),
            lambda: nn.Linear(WIDTH, WIDTH),
            features,
            features,
        ),
        "Embedding": Pair(
            lambda: layers.Embedding(ENTRIES, manifold()),
            lambda: nn.Embedding(ENTRIES, WIDTH),
            indices,
            indices,
        ),
    }


def layer_pairs() -> dict[str, Pair]:
    """Return every layer on every space, by `name | space`."""
    families = (linears, attentions, heads, norms, sets, ends)
    found = {
        f"{name} | {space}": pair
        for family in families
        for space in SPACES
        for name, pair in family(space).items()
    }
    mixing = {
        f"{name} | {space}": pair
        for space in SPACES
        if space != "E"
        for name, pair in products(space).items()
    }
    return found | mixing
