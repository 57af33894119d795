"""Jet taggers of every kind behind one interface, all of the size that is asked for.

from taggers import build_tagger

tagger = build_tagger("pm-transformer", signature="H x E", parameters=5_000)
logits = tagger(features, mask=mask, momenta=momenta)

Names are keys of `TAGGERS`; `options_of(name)` lists what else can be chosen.
"""

from taggers.building import TAGGERS, build_tagger, options_of
from taggers.sizes import PRESETS
from taggers.tagger import Tagger

__all__ = ["PRESETS", "TAGGERS", "Tagger", "build_tagger", "options_of"]
