"""From a name and a number of parameters to a tagger."""

import importlib
import inspect
from typing import Any

from taggers.sizes import PRESETS
from taggers.tagger import Tagger

TAGGERS = {  # name -> file; each has a function `build`
    "observables": "observables",
    "mlp": "mlp",
    "euclidean-mlp": "euclidean_mlp",
    "pm-mlp": "pm_mlp",
    "pfn": "pfn",
    "euclidean-transformer": "euclidean_transformer",
    "pm-transformer": "pm_transformer",
    "routed-transformer": "routed_transformer",
    "particlenet": "particlenet",
    "part": "part",
    "lgatr": "lgatr",
}

_COUNTS = {
    "layers",
    "class_layers",
    "heads",
    "particles",
    "neighbours",
    "blocks",
    "jet_dim",
    "top_k",
}


def build_tagger(
    name: str,
    *,
    parameters: int | str = 45_000,
    in_features: int = 7,
    classes: int = 2,
    **options: Any,
) -> Tagger:
    """Build a tagger of a given size.

        build_tagger("pm-transformer", signature="H x E", parameters=5_000)
        build_tagger("part", parameters="45k", in_features=13, classes=10)

    Args:
        name: a key of `TAGGERS`.
        parameters: number of learnable numbers, met within 2 %, or a key of `PRESETS`.
        in_features: F, features of a particle.
        classes: number of logits.
        options: of this kind of tagger, see `options_of`.

    Raises:
        ValueError: an unknown name, preset or option; a budget that the tagger cannot meet.
        ImportError: the tagger is another package's network, which is not installed.
    """
    if isinstance(parameters, str):
        if parameters not in PRESETS:
            raise ValueError(
                f"unknown preset {parameters!r}: give one of {', '.join(PRESETS)} or a number"
            )
        parameters = PRESETS[parameters]
    known = options_of(name)
    if unknown := [option for option in options if option not in known]:
        raise ValueError(
            f"{name} has no option {unknown[0]!r}: it has {', '.join(known) or 'none'}"
        )
    for option in _COUNTS & options.keys():
        if options[option] is not None and options[option] < 1:
            raise ValueError(f"{name}: {option} must be at least 1, got {options[option]}")
    try:
        tagger = _module(name).build(in_features, classes, parameters, **options)
    except TypeError as error:  # of a size that only the network itself knows
        raise ValueError(f"{name}: {error}") from error
    except ValueError as error:
        advice = ": give more, or fewer factors or layers" if "no widths" in str(error) else ""
        raise ValueError(f"{name} with {parameters} parameters: {error}{advice}") from error
    tagger.recipe = {
        "name": name,
        "parameters": parameters,
        "in_features": in_features,
        "classes": classes,
        **options,
    }
    return tagger


def options_of(name: str) -> tuple[str, ...]:
    """List the options of a kind of tagger.

    Raises:
        ValueError: an unknown name.
    """
    if name not in TAGGERS:
        raise ValueError(f"unknown tagger {name!r}: give one of {', '.join(TAGGERS)}")
    module = _module(name)
    own = list(inspect.signature(module.build).parameters.values())[3:]
    named = [option.name for option in own if option.kind is not option.VAR_KEYWORD]
    return (*named, *getattr(module, "FURTHER", ()))


def _module(name: str) -> Any:
    return importlib.import_module(f"taggers.{TAGGERS[name]}")
