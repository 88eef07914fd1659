"""Holds what commands have in common: kinds of options, exit codes, and displays of tables, JSON and progress."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from argo_bench.controls import escape_controls, spell_controls

GATE_FAILED = 1
CUT_OFF = 141
"""Whoever read the output has closed it; others that are ended by SIGPIPE have this code."""
MISUSED = 2
OUTPUTS_DIFFER = 3
ENVIRONMENT_UNFIT = 4
"""The machine is not fit to measure, or what the code needs cannot be had: nobody's code is at fault."""
INTERRUPTED = 130
LARGEST_SEED = 2**62
"""A record holds no larger one."""


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


class DateOrder(click.ParamType[str]):
    """Reads the order of day and month, day-first or month-first, as ``read_bars`` takes it."""

    name = "day-first|month-first"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        order = str(value).lower().replace("-", " ")
        if order not in ("day first", "month first"):
            self.fail(f"expected day-first or month-first, got {value!r}", parameter, context)
        return order


class Latencies(click.ParamType[dict[str, dict[str, float]]]):
    """Reads a file with latencies and prices of the providers, as ``read_figures`` does."""

    name = "file"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> dict[str, dict[str, float]]:
        from argo_bench.pipeline.world.content import LATENCIES, MODELS
        from argo_bench.pipeline.world.figures import read_figures

        return read_figures(Path(value), tuple(LATENCIES), tuple(MODELS))


def takes_reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how bars are read where that cannot be told from them."""
    about = "Column of adjusted closes, or nothing for prices as they stand."
    by = click.option("--adjust-by", metavar="COLUMN", help=about)
    dates = click.option("--dates", type=DateOrder(), help="Order of day and month where the data leave it open.")
    return dates(by(command))


class Seed(click.IntRange):
    """Reads a seed that a record can hold."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        found: int = super().convert(value, parameter, context)
        if found > LARGEST_SEED:
            self.fail(f"expected a seed of {LARGEST_SEED} at the most", parameter, context)
        return found


def show_progress() -> Any:
    """Return a context manager that yields a callback for progress.

    It draws a bar on a terminal; elsewhere it writes a line every ten seconds.
    """
    from argo_bench.report.progress import progress_bar, progress_lines

    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return progress_bar() if is_terminal else progress_lines()


def say(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Write a text to stdout, or to stderr; what in it would command the terminal is spelled out."""
    click.echo(spell_controls(str(text)), err=err, nl=nl)


def prepare_streams() -> None:
    """Have streams write what their encoding lacks as escapes, as under LC_ALL=C, instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def warn(line: str) -> None:
    """Write a line to stderr, in yellow where that shows; an empty one is not written."""
    if line:
        click.secho(spell_controls(line), fg="yellow", err=True)


def make_console() -> Any:
    """Make a console for stdout, as wide as the terminal, elsewhere of 80 columns; rich honours NO_COLOR itself."""
    from argo_bench.report.console import PlainConsole

    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return PlainConsole(width=None if is_terminal else 80, highlight=False)


def print_json(value: Any) -> None:
    """Write a value as JSON."""
    import msgspec

    print_json_text(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_json_text(text: str) -> None:
    """Write JSON: in ASCII where stdout takes nothing else, and without what would command a terminal."""
    text = escape_controls(text)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=2)
    click.echo(text)
