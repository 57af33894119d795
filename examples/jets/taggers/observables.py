"""The floor: four numbers of a jet in a small MLP, which know nothing of its particles."""

import torch
from torch import Tensor, nn

from taggers.sizes import fit
from taggers.tagger import Tagger

OBSERVABLES = ("mass", "multiplicity", "pT dispersion", "girth")
_SMALLEST = 1e-6  # below this a logarithm says nothing of a jet: of one without particles


class ObservablesTagger(Tagger):
    """MLP of the logarithms of mass, multiplicity, pT dispersion and girth.

    They are computed from the momenta of the particles given, m^2 = E^2 - p^2 in float64, and
    standardised by a batch norm without weights.
    """

    uses_momenta = True

    def __init__(self, classes: int, width: int, head: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(len(OBSERVABLES), affine=False)
        self.network = nn.Sequential(
            nn.Linear(len(OBSERVABLES), width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, head),
            nn.ReLU(),
            nn.Linear(head, classes),
        )

    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes)."""
        assert momenta is not None
        logarithms = observables(momenta, mask).clamp(min=_SMALLEST).log()
        if self.training and len(logarithms) < 2:  # one jet has no variance
            return self.network(torch.zeros_like(logarithms))
        return self.network(self.norm(logarithms))


def observables(momenta: Tensor, mask: Tensor) -> Tensor:
    """Return mass / GeV, multiplicity, sqrt(sum pT^2) / sum pT and sum pT dR / sum pT: (B, 4)."""
    with torch.autocast(momenta.device.type, enabled=False):
        px, py, pz, energy = momenta.double().unbind(-1)
        pt = torch.hypot(px, py)
        total = torch.where(pt.sum(-1) > 0, pt.sum(-1), 1)
        x, y, z, e = (component.sum(-1) for component in (px, py, pz, energy))
        mass = torch.relu(e**2 - x**2 - y**2 - z**2).sqrt()
        there = pt > 0
        eta = torch.where(there, torch.asinh(pz / torch.where(there, pt, 1)), 0)
        jet_pt = torch.hypot(x, y)
        axis = torch.asinh(z / torch.where(jet_pt > 0, jet_pt, 1))
        turned = torch.atan2(py, px) - torch.atan2(y, x)[:, None]
        dphi = torch.remainder(turned + torch.pi, 2 * torch.pi) - torch.pi
        girth = (pt * torch.hypot(eta - axis[:, None], dphi)).sum(-1) / total
        dispersion = pt.square().sum(-1).sqrt() / total
        return torch.stack([mass, mask.sum(-1).double(), dispersion, girth], dim=-1).float()


def build(in_features: int, classes: int, parameters: int) -> Tagger:
    """Build the tagger; it does not look at the features."""
    return fit(lambda width, head: ObservablesTagger(classes, width, head), parameters, ratio=1)
