"""The laws that ship with the library: one check for every manifold, layer and optimizer."""

from noneuclid.testing.check_layer import check_layer
from noneuclid.testing.check_manifold import check_manifold, manifold_laws
from noneuclid.testing.check_optimizer import check_optimizer, optimizer_laws
from noneuclid.testing.error_budget import ErrorBudget, error_budget
from noneuclid.testing.law import LawViolation

__all__ = [
    "ErrorBudget",
    "LawViolation",
    "check_layer",
    "check_manifold",
    "check_optimizer",
    "error_budget",
    "manifold_laws",
    "optimizer_laws",
]
