"""Finds what comes with the package beside its code: the notebooks, and the record of the reference run."""

from __future__ import annotations

from pathlib import Path

from argo_bench.errors import UserError

REFERENCE = "reference"
"""This name opens the record of the reference run, wherever the package is installed."""
CHECKED_OUT = {"notebooks": "notebooks", REFERENCE: "results/reference"}
"""A checkout has these folders here, beside the package; an installed package has them within."""

FILES = "argo-reference"
"""Files of a report on the installed record are written into this folder of the current one."""


def find_shipped(name: str) -> Path:
    """Return a folder that comes with the package, ``notebooks`` or ``reference``.

    Raises UserError where it is missing.
    """
    package = Path(__file__).parent
    places = package / name, package.parent / CHECKED_OUT[name]
    for place in places:
        if place.is_dir():
            return place
    raise UserError(f"expected the {name} of argo-bench in {places[0]}, found nothing there: install argo-bench again")


def resolve_run(path: str | Path) -> Path:
    """Return where a run is: ``reference`` and what is below it are found in the package unless they are here.

    Raises UserError as ``find_shipped`` does.
    """
    given = Path(path)
    if given.parts[:1] == (REFERENCE,) and not given.exists():
        return find_shipped(REFERENCE).joinpath(*given.parts[1:])
    return given


def place_files(directory: Path) -> Path:
    """Return where the files of a report on the run in ``directory`` belong: there, but never in an installed package.

    What is installed may be read-only, and whoever asked would not find anything in it.
    """
    package = Path(__file__).parent.resolve()
    return Path(FILES) if package in directory.resolve().parents else directory
