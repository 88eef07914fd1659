"""Settings by which Sphinx builds these pages: ``make docs``."""

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "argo-bench"
author = "The argo-bench authors"
version = release = _PROJECT["version"]
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True  # a link that leads nowhere is a warning, and `make docs` turns warnings into errors
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"argo-bench {release}"
html_show_sphinx = False
html_show_copyright = False
