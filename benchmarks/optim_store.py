"""What the stored results of the optimizers depend on."""

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from speed import ROOT
from speed_page import processor

import noneuclid


def about(libraries: tuple[str, ...]) -> dict[str, Any]:
    """Return the machine, the versions of Python, torch and other libraries, and our sources."""
    return {
        "machine": processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("torch", *libraries)},
        "noneuclid": f"{noneuclid.__version__} ({_digest()})",
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _digest() -> str:
    """Return eight digits of the sources that results depend on."""
    digest = hashlib.sha256()
    for folder in ("noneuclid/optim", "noneuclid/manifolds", "noneuclid/numerics"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    for name in ("methods", "problems", "run", "tree"):
        digest.update((ROOT / "benchmarks" / f"optim_{name}.py").read_bytes())
    return digest.hexdigest()[:8]
