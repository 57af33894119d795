"""The standardisation of jet features, one object that a checkpoint keeps."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from noneuclid.datasets._block import IDENTITY
from noneuclid.datasets.jet_features import AS_IT_IS, CLIP, STANDARDS, Standard, feature_names

if TYPE_CHECKING:
    from noneuclid.datasets.jets import Jets


class FeatureNormalization(nn.Module):
    """Standardise the features of one set: y = (x - centre) scale, cut off at low and high.

    The readers apply it as jets are read (``load_jets(normalization=...)``), or a model does so,
    as its first layer. Its constants and the names of its features are part of ``state_dict``, so
    that a checkpoint knows its inputs; loading that of another feature set raises a ValueError.

    Args:
        feature_set: ``"kin"``, ``"kinpid"`` or ``"full"``.
        standards: Constants of each feature, see ``Standard``; None: those of Particle Transformer.

    Shape: (..., F) to (..., F), F the number of features.

    Source: [qu2022particle].
    """

    table: Tensor  # (4, F): rows centre, scale, low, high

    def __init__(self, feature_set: str = "kin", standards: Sequence[Standard] | None = None):
        super().__init__()
        names = feature_names(feature_set)
        if standards is None:
            standards = [STANDARDS.get(name, AS_IT_IS) for name in names]
        if len(standards) != len(names):
            raise ValueError(f"{feature_set!r} needs {len(names)} standards, got {len(standards)}")
        self.feature_set = feature_set
        self.standards = tuple(Standard(*(float(v) for v in values)) for values in standards)
        # derived from the standards, which the extra state holds exactly
        self.register_buffer("table", torch.tensor(self.standards).T, persistent=False)

    @classmethod
    def identity(cls, feature_set: str = "kin") -> "FeatureNormalization":
        """Give the normalization that changes nothing: raw features."""
        return cls(feature_set, [AS_IT_IS] * len(feature_names(feature_set)))

    @classmethod
    def fit(cls, batches: "Iterable[Jets]", feature_set: str = "kin") -> "FeatureNormalization":
        """Fit centres and scales so that each feature has mean 0 and variance 1 over particles.

        One pass in float64 that merges the moments of batches:
        M2 = M2_a + M2_b + (mean_b - mean_a)^2 n_a n_b / (n_a + n_b). Charge and flags stay as they
        are, a constant feature keeps its scale, the others are cut off at 5. Source:
        [chan1983algorithms].

        Args:
            batches: Jets with raw features, such as a ``JetStream`` with ``normalization=
                FeatureNormalization.identity(feature_set)``.
            feature_set: The set.

        Raises:
            ValueError: The features are of another set, or normalized already; there is no
                particle; a feature is NaN or infinite.
        """
        names = feature_names(feature_set)
        moments = _Moments(len(names))
        for jets in batches:
            _check_raw(jets, feature_set)
            moments.add(jets.features[jets.mask].double())
        mean, deviation = moments.result(names)
        return cls(
            feature_set,
            [
                AS_IT_IS if name in IDENTITY else Standard(m, 1 / (d or 1.0), -CLIP, CLIP)
                for name, m, d in zip(names, mean, deviation, strict=True)
            ],
        )

    @property
    def is_identity(self) -> bool:
        """Whether nothing is changed."""
        return all(standard == AS_IT_IS for standard in self.standards)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Standardise raw features.

        Args:
            features: (..., F).
            mask: (...) True where a particle is; elsewhere the result is 0. None: all are.

        Raises:
            ValueError: The last dimension is not F.
        """
        if features.shape[-1] != len(self.standards):
            raise ValueError(
                f"features of the set {self.feature_set!r} have {len(self.standards)} columns, "
                f"got {features.shape[-1]}"
            )
        centre, scale, low, high = self.table.to(features.dtype)
        standard = torch.minimum(torch.maximum((features - centre) * scale, low), high)
        return standard if mask is None else torch.where(mask[..., None], standard, 0.0)

    def apply_to(self, jets: "Jets") -> "Jets":
        """Standardise jets that were read with raw features.

        Raises:
            ValueError: Their features are of another set, or normalized already.
        """
        _check_raw(jets, self.feature_set)
        features = self(jets.features, jets.mask)
        return replace(jets, features=features, normalized=not self.is_identity)

    def apply_to_array(self, features: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Standardise an array (n, W, F) in its own precision; 0 where the mask is False."""
        centre, scale, low, high = np.array(self.standards).T
        standard = ((features - centre) * scale).clip(low, high)
        return np.where(mask[..., None], standard, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Describe it in values that JSON knows; None stands for no bound."""
        rows = [[v if math.isfinite(v) else None for v in values] for values in self.standards]
        names = list(feature_names(self.feature_set))
        return {"feature_set": self.feature_set, "features": names, "standards": rows}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "FeatureNormalization":
        """Make it from what ``to_dict`` gave.

        Raises:
            ValueError: The features of the set are not those that were stored.
        """
        feature_set = stored["feature_set"]
        if tuple(stored["features"]) != feature_names(feature_set):
            raise ValueError(
                f"the stored features {stored['features']} are not those of {feature_set!r}: "
                f"{list(feature_names(feature_set))}"
            )
        return cls(
            feature_set,
            [
                Standard(
                    centre,
                    scale,
                    -math.inf if low is None else low,
                    math.inf if high is None else high,
                )
                for centre, scale, low, high in stored["standards"]
            ],
        )

    def get_extra_state(self) -> dict[str, Any]:
        """Give what a checkpoint keeps."""
        return self.to_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the constants of a checkpoint.

        Raises:
            ValueError: They are of another feature set.
        """
        if state["feature_set"] != self.feature_set:
            raise ValueError(
                f"the checkpoint was made with the feature set {state['feature_set']!r}, "
                f"this normalization is of {self.feature_set!r}"
            )
        self.standards = self.from_dict(state).standards
        self.table.copy_(torch.tensor(self.standards).T)

    def extra_repr(self) -> str:
        """Name the feature set."""
        return f"{self.feature_set!r}, {len(self.standards)} features"


def _check_raw(jets: "Jets", feature_set: str) -> None:
    """Refuse features of another set, or normalized ones."""
    if jets.feature_set != feature_set:
        raise ValueError(
            f"the jets have the features {jets.feature_set!r}, the normalization is of "
            f"{feature_set!r}"
        )
    if jets.normalized:
        raise ValueError(
            "the features are normalized already: read them with "
            f"normalization=FeatureNormalization.identity({feature_set!r})"
        )


class _Moments:
    """Count, means and sums of squared deviations of columns, merged batch by batch."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self.mean, self.squares = (torch.zeros(width, dtype=torch.float64) for _ in range(2))

    def add(self, rows: Tensor) -> None:
        """Merge the moments of rows (m, F)."""
        if not len(rows):
            return
        count, mean = self.count + len(rows), rows.mean(0)
        shift = mean - self.mean
        weight = len(rows) / count
        self.squares += ((rows - mean) ** 2).sum(0) + shift**2 * (self.count * weight)
        self.mean += shift * weight
        self.count = count

    def result(self, names: Sequence[str]) -> tuple[list[float], list[float]]:
        """Give means and standard deviations."""
        if not self.count:
            raise ValueError("there is no particle to fit the normalization on")
        bad = ~(torch.isfinite(self.mean) & torch.isfinite(self.squares))
        if bad.any():
            name = names[int(bad.nonzero()[0])]
            raise ValueError(f"the feature {name!r} holds NaN or infinite values")
        return self.mean.tolist(), (self.squares / self.count).sqrt().tolist()
