"""Holds what commands have in common: kinds of options, exit codes, and displays of tables, JSON and progress."""

from __future__ import annotations

import sys
from typing import Any

import click

GATE_FAILED = 1
MISUSED = 2
OUTPUTS_DIFFER = 3
MACHINE_UNFIT = 4
INTERRUPTED = 130
SEEDS = click.IntRange(0, 2**62)
"""A record holds no larger seeds."""


class Duration(click.ParamType[float]):
    """Reads a time such as 90s, 5m or 1h, in seconds."""

    name = "duration"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        from argo_bench.harness.durations import seconds

        try:
            return seconds(str(value))
        except ValueError as error:
            self.fail(str(error), parameter, context)


class Share(click.ParamType[float]):
    """Reads a share such as 3% or 0.03."""

    name = "share"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        from argo_bench.harness.durations import share

        try:
            return share(value)
        except ValueError as error:
            self.fail(str(error), parameter, context)


def show_progress() -> Any:
    """Return a context manager that yields a callback for progress.

    It draws a bar on a terminal; elsewhere it writes a line every ten seconds.
    """
    from argo_bench.report.progress import progress_bar, progress_lines

    return progress_bar() if sys.stderr.isatty() else progress_lines()


def warn(line: str) -> None:
    """Write a line to stderr, in yellow where that shows; an empty one is not written."""
    if line:
        click.secho(line, fg="yellow", err=True)


def make_console() -> Any:
    """Make a console for stdout, as wide as the terminal, elsewhere of 80 columns; rich honours NO_COLOR itself."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 80, highlight=False)


def print_json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
