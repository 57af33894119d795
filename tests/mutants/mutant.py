"""A planted bug: one exact replacement in one file, and the tests that should see it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """Replace `old`, which occurs once in `file`, by `new`.

    Args:
        file: path from the root of the repository.
        old: exact text, found exactly once.
        new: what stands there in the mutant.
        why: the bug in a line.
        tests: paths (or pytest node ids) to run, one or several; a fast subset that should fail.
        select: a pytest -k expression that narrows them further.
    """

    file: str
    old: str
    new: str
    why: str
    tests: str | tuple[str, ...]
    select: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Return `tests` as a tuple."""
        return (self.tests,) if isinstance(self.tests, str) else self.tests
