"""Sphinx configuration. `make docs` builds the site; every warning is an error."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import noneuclid

project = "noneuclid"
author = "The noneuclid developers"
project_copyright = "The noneuclid developers, Apache License 2.0"
version = release = noneuclid.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinxcontrib.bibtex",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "myst_parser",
    "mathml",
    "plain_docstrings",
]
exclude_patterns = ["_build", "gallery", "sg_execution_times.rst"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"noneuclid {version}"
html_math_renderer = "mathml"
html_show_sphinx = False

# -- markdown --------------------------------------------------------------------------------------
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# -- API -------------------------------------------------------------------------------------------
# A package's page shows what its __all__ names, in that order.
autosummary_generate = True
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # fields of a named tuple are members already
default_role = "code"

# References to names of the package must resolve. Other projects' inventories are on the network,
# and the site builds without one; their names are let through here.
nitpicky = True
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(torch|numpy|np|scipy|geoopt|torch_geometric|matplotlib|collections|typing|abc|enum|"
        r"pathlib|os|types|nn|F)(\..*)?",
    ),
    (r"py:(class|obj)", r"noneuclid\.(\w+\.)*_.*"),  # bases that are not public
    (r"py:class", r"noneuclid\.numerics\.native\..*"),  # nor are kernels
    (r"py:class", r"noneuclid\.datasets\.jet_features\.Standard"),  # in the signature of a class
    (r"py:class", r"PARAM_LIST"),  # torch.optim.swa_utils, in an inherited signature
    (r"py:.*", r"(.*\.)?(Self|[A-Z])"),  # typing's Self, and type variables of one letter
    (
        r"py:.*",
        r"(Tensor|Module|Parameter|Generator|Optimizer|Callable|Iterable|Iterator|Sequence|Mapping|"
        r"Any|ABC|Enum|Path|NamedTuple|device|dtype|Size|optional|builtins\..*|"
        r"bool|bytes|dict|float|frozenset|int|list|object|set|slice|str|tuple|type|None|"
        r"\w*(Error|Warning|Exception))",
    ),
]

# -- bibliography ----------------------------------------------------------------------------------
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"
bibtex_default_style = "unsrt"

# -- gallery: each docs/gallery/plot_*.py is run when the site is built ----------------------------
sphinx_gallery_conf = {
    "examples_dirs": ["gallery"],
    "gallery_dirs": ["auto_gallery"],
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "show_memory": False,
    "min_reported_time": 5,
    "download_all_examples": False,
    "remove_config_comments": True,
}
