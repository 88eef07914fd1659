"""Defines ``argo-bench lab`` and ``argo-bench notebook``: the notebooks in JupyterLab, and as pages."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from argo_bench.cli.shell import say


@click.command(short_help="Open the notebooks in JupyterLab.", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGUMENTS]...")
def lab(arguments: tuple[str, ...]) -> None:
    """Open the notebooks in JupyterLab, each of which answers one question.

    They are copied to ./argo-notebooks, and a copy that you have edited is never written over. Further ARGUMENTS go to
    JupyterLab, as in `argo-bench lab --port 9999`; root needs --allow-root.
    """
    from argo_bench.extras import check_extra
    from argo_bench.integrations.notebooks import COPIES, copy_notebooks, is_refused_as_root, open_lab

    check_extra("notebooks", "JupyterLab")
    copies = copy_notebooks(Path(COPIES))
    say(f"notebooks: {copies.folder}", err=True)
    if copies.kept:
        listed = ", ".join(copies.kept)
        say(f"  {listed}: edited or from another version, kept as it is; delete it to get the new one", err=True)
    code = open_lab(copies.folder, arguments)
    if is_refused_as_root(code, arguments):
        line = " ".join(("argo-bench lab --allow-root", *arguments))
        say(f"argo-bench: JupyterLab does not start as root unless it is told to: {line}", err=True)
    sys.exit(code)


@click.command()
@click.argument("name", required=False)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter of the notebook, as in -p id O08.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write, .html or .ipynb. [default: ./<notebook>.html]"
)
def notebook(name: str | None, parameters: tuple[tuple[str, str], ...], out: Path | None) -> None:
    """Execute a notebook and write it as a page that needs no network.

    NAME is the beginning of its name, such as 02, or the path of an .ipynb file; without it all are listed. `argo-bench
    notebook 02 -p id O08 -p run results/mine` answers for that optimization and that run.
    """
    from argo_bench.integrations.notebooks import list_notebooks, render_notebook

    if name is None:
        say("\n".join(f"{each.name}  {each.question}" for each in list_notebooks()))
        return
    say(render_notebook(name, dict(parameters), out))
