"""The classes of jets: the hard process of each, and what truth must lie inside the jet.

Source: Pythia 8.3 [bierlich2022comprehensive]. The matching of tops is that of the Top Tagging
reference set [kasieczka2019machine]; the others follow the same rule, every quark of the decay
within the jet. Quarks are u, d and s: c and b jets have a structure of their own.
"""

from dataclasses import dataclass

TO_QUARKS = "onIfAny = 1 2 3 4 5"
TO_NEUTRINOS = "onIfAny = 12 14 16"


@dataclass(frozen=True)
class Process:
    """A class of jets; numbers are PDG's.

    Attributes:
        settings: Pythia's settings.
        parton: Particles of which one that leaves the hard process must lie within the jet radius;
            the charge conjugates count as well. Empty: no matching.
        resonance: Particle that must lie within the jet radius, at its decay; 0: no matching.
        decaying: Particles all of whose decay quarks must lie within the jet radius.
        antiparticle: Whether the charge conjugate of the resonance makes jets of this class too.
    """

    settings: tuple[str, ...]
    parton: tuple[int, ...] = ()
    resonance: int = 0
    decaying: tuple[int, ...] = ()
    antiparticle: bool = False


def _decay(particle: int, channels: str) -> tuple[str, str]:
    """Give the settings that let a resonance decay by some channels alone."""
    return f"{particle}:onMode = off", f"{particle}:{channels}"


PURE_Z = "WeakZ0:gmZmode = 2"  # no virtual photon beside the Z

# The code of a class in the files is its place here: add new classes at the end.
PROCESSES = {
    "qcd": Process(("HardQCD:all = on",)),
    "top": Process(
        ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *_decay(24, TO_QUARKS)),
        resonance=6,
        decaying=(6, 24),
        antiparticle=True,
    ),
    "gluon": Process(
        ("WeakBosonAndParton:qqbar2gmZg = on", PURE_Z, *_decay(23, TO_NEUTRINOS)), parton=(21,)
    ),
    "quark": Process(
        ("WeakBosonAndParton:qg2gmZq = on", PURE_Z, *_decay(23, TO_NEUTRINOS)), parton=(1, 2, 3)
    ),
    "w": Process(
        (
            "WeakBosonAndParton:qqbar2Wg = on",
            "WeakBosonAndParton:qg2Wq = on",
            *_decay(24, TO_QUARKS),
        ),
        resonance=24,
        decaying=(24,),
        antiparticle=True,
    ),
    "z": Process(
        (
            "WeakBosonAndParton:qqbar2gmZg = on",
            "WeakBosonAndParton:qg2gmZq = on",
            PURE_Z,
            *_decay(23, TO_QUARKS),
        ),
        resonance=23,
        decaying=(23,),
    ),
    "hbb": Process(
        (
            "HiggsSM:ffbar2HZ = on",
            *_decay(25, "onIfMatch = 5 -5"),
            *_decay(23, TO_NEUTRINOS),
        ),
        resonance=25,
        decaying=(25,),
    ),
}

CLASS_SETS = {
    "binary": ("qcd", "top"),
    "five": ("gluon", "quark", "top", "w", "z"),  # the classes of HLS4ML and JetNet
    "seven": tuple(PROCESSES),
}


def expand(names: list[str]) -> list[str]:
    """Put the classes of a set in the place of its name; each once, in the order of the codes.

    Raises:
        ValueError: A name is neither a class nor a set.
    """
    wanted: set[str] = set()
    for name in names:
        if name not in PROCESSES and name not in CLASS_SETS:
            known = ", ".join([*PROCESSES, *CLASS_SETS])
            raise ValueError(f"no class or set of classes {name!r}: choose from {known}")
        wanted.update(CLASS_SETS.get(name, (name,)))
    return [name for name in PROCESSES if name in wanted]
