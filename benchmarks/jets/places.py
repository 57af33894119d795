"""Where things lie. Importing this makes the modules of examples/jets importable as well."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GRIDS = HERE / "grids"
RESULTS = HERE / "results"
PAGE = ROOT / "docs" / "jets_results.md"

if (EXAMPLE := str(ROOT / "examples" / "jets")) not in sys.path:
    sys.path.insert(0, EXAMPLE)
