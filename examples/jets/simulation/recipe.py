"""What decides the jets of a folder, and how it is told to Pythia.

Sources: Pythia 8.3 [bierlich2022comprehensive]; tunes: Monash 2013 (arXiv:1404.5630), A14
(ATL-PHYS-PUB-2014-021), CP5 (arXiv:1903.12179); Vincia (arXiv:2003.00702).
"""

from dataclasses import asdict, dataclass
from typing import Any

from .processes import Process

# What a tagger should not depend on: how quarks and gluons radiate. Strong couplings at the Z mass
# of the final-state shower: Monash 0.1365, A14 and CP5 0.127. "fsr-up" and "fsr-down" are the usual
# variations of its scale by a half and two, factors 1/4 and 4 on the square.
SHOWERS: dict[str, tuple[str, ...]] = {
    "monash": (),
    "a14": ("Tune:pp = 21",),
    "cp5": ("Tune:pp = 32",),
    "vincia": ("PartonShowers:model = 2",),  # antennae instead of dipoles, with its own tune
    "fsr-up": ("TimeShower:renormMultFac = 0.25",),
    "fsr-down": ("TimeShower:renormMultFac = 4.0",),
}
LARGEST_SEED = 900_000_000  # of Pythia's, which counts from 1


@dataclass(frozen=True)
class Recipe:
    """What decides the jets of a folder, besides the class and the number of the shard.

    The fields from ``jet_pt`` on have the defaults that files written before them were made with.
    """

    seed: int
    window: tuple[float, float]  # pTHat in GeV
    level: str  # "detector" or "particle"
    shard_jets: int
    jet_pt: tuple[float, float] = (550.0, 650.0)  # GeV
    mpi: bool = False
    shower: str = "monash"

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Recipe":
        """Give the recipe that was stored with a file; a TypeError if it is none."""
        stored = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
        return cls(**stored)

    def differences(self, wanted: "Recipe") -> str:
        """Say in a clause where this recipe differs from another, "" if nowhere."""
        mine, other = asdict(self), asdict(wanted)
        return ", ".join(
            f"{key} {mine[key]} instead of {value}"
            for key, value in other.items()
            if mine[key] != value
        )

    def settings(self, process: Process, seed: int) -> tuple[str, ...]:
        """List Pythia's settings: the tune first, since a tune sets many others."""
        return (
            "Print:quiet = on", *SHOWERS[self.shower], "Beams:eCM = 14000",
            f"PartonLevel:MPI = {'on' if self.mpi else 'off'}",
            f"PhaseSpace:pTHatMin = {self.window[0]}", f"PhaseSpace:pTHatMax = {self.window[1]}",
            "Random:setSeed = on", f"Random:seed = {seed % LARGEST_SEED + 1}", *process.settings,
        )  # fmt: skip

    def describe(self) -> str:
        """Say in a line how the jets were made."""
        low, high = self.jet_pt
        interactions = "with" if self.mpi else "no"
        return (
            f"Pythia 8 ({self.shower}), pp 14 TeV, {interactions} MPI; anti-kT R = 0.8; "
            f"{low:g} < pT < {high:g} GeV, |eta| < 2"
        )


def default_window(jet_pt: tuple[float, float]) -> tuple[float, float]:
    """Give the window of pTHat for a window of jet pT: 500 to 800 GeV for 550 to 650 GeV."""
    return float(round(jet_pt[0] / 1.1)), float(round(jet_pt[1] * 16 / 13))
