"""The laws that ship with the library: `check_manifold` holds a manifold to all of them."""

from noneuclid.testing.check_manifold import check_manifold, manifold_laws
from noneuclid.testing.error_budget import ErrorBudget, error_budget
from noneuclid.testing.law import LawViolation

__all__ = ["ErrorBudget", "LawViolation", "check_manifold", "error_budget", "manifold_laws"]
