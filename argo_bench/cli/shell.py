"""Holds what commands have in common: kinds of options, exit codes, and displays of tables, JSON and progress."""

from __future__ import annotations

import functools
import io
import json
import math
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from argo_bench.controls import escape_controls, spell_controls

GATE_FAILED = 1
CUT_OFF = 141
"""Whoever read the output has closed it; others that are ended by SIGPIPE have this code."""
MISUSED = 2
OUTPUTS_DIFFER = 3
ENVIRONMENT_UNFIT = 4
"""The machine is not fit to measure, or what the code needs cannot be had: nobody's code is at fault."""
INTERRUPTED = 130
DEFAULT_WIDTH = 80
"""Output has this number of columns where neither COLUMNS nor a terminal says another one."""
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


class StoredRun(click.Path):
    """Reads where a run is; ``reference`` is the one that comes with the package, as ``argo_bench.load`` reads it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Path:
        from argo_bench.shipped import resolve_run

        return resolve_run(Path(os.fsdecode(super().convert(value, parameter, context))))


class Sizes(click.ParamType[list[int]]):
    """Reads sizes of an input such as 100,1000 or 1e2,1e3, the smallest first."""

    name = "sizes"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> list[int]:
        try:
            found = [float(each) for each in str(value).split(",")]
        except ValueError:
            found = []
        whole = [int(each) for each in found if math.isfinite(each) and each == int(each) and each >= 1]
        if len(whole) < 2 or whole != sorted(set(whole)) or len(whole) != len(found):
            self.fail(
                f"expected two or more whole sizes that grow, as in 1e2,1e3,1e4, got {value!r}", parameter, context
            )
        return whole


class List(click.ParamType[list[Any]]):
    """Reads values with commas between, each of which another type reads."""

    name = "list"

    def __init__(self, each: click.ParamType[Any]) -> None:
        self._each = each

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> list[Any]:
        if isinstance(value, list):
            return value
        return [self._each.convert(word.strip(), parameter, context) for word in str(value).split(",")]


class Factor(click.ParamType[float]):
    """Reads a positive factor such as 0.1."""

    name = "factor"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        found: float = click.FLOAT.convert(value, parameter, context)
        if not (math.isfinite(found) and found > 0):
            self.fail(f"expected a positive factor, got {value!r}", parameter, context)
        return found


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
    about = "Name of the column with adjusted closing prices, or nothing for prices as they stand."
    by = click.option("--adjust-by", metavar="COLUMN", help=about)
    dates = click.option("--dates", type=DateOrder(), help="Which comes first in dates such as 03/04/2025.")
    return dates(by(command))


def complete_ids(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the ids of the optimizations that begin like a word, for a shell that completes it.

    They are read off the names of the files, because importing these would keep the user waiting.
    """
    found = find_spec("argo_bench.optimizations")
    folders = [] if found is None else [Path(each) for each in found.submodule_search_locations or ()]
    names = sorted(each.stem for folder in folders for each in folder.glob("o[0-9][0-9]_*.py"))
    items = [CompletionItem(name[:3].upper(), help=name[4:].replace("_", " ")) for name in names]
    items += [
        CompletionItem("FIVE", help="the first five together"),
        CompletionItem("ALL", help="all fifteen together"),
    ]
    return [each for each in items if each.value.startswith(incomplete.upper())]


def takes_seed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option --seed."""
    about = "Number that all random choices follow from; the same one repeats them."
    option = click.option("--seed", type=Seed(), default=1, show_default=True, envvar="ARGO_BENCH_SEED", help=about)
    return option(command)


def takes_profile(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options --profile and --quick; it is called with the name of the profile alone."""

    @functools.wraps(command)
    def called(*given: Any, profile: str, quick: bool, **options: Any) -> Any:
        return command(*given, profile="quick" if quick else profile, **options)

    about = (
        "quick: 4 to 10 pairs of processes, main claims alone, at one input size; default: 6 to 24, every claim at "
        "every size."
    )
    profile = click.option(
        "--profile",
        type=click.Choice(["quick", "default"]),
        default="default",
        show_default=True,
        envvar="ARGO_BENCH_PROFILE",
        help=about,
    )
    return profile(click.option("--quick", is_flag=True, help="The same as --profile quick.")(called))


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
    """Make a console for stdout; rich honours NO_COLOR itself.

    It is as wide as COLUMNS says, or else as the terminal, or else 80 columns.
    """
    from argo_bench.report.console import PlainConsole

    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    is_told = os.environ.get("COLUMNS", "").isdigit()  # rich reads it, and the size of a terminal, where width is None
    return PlainConsole(width=None if is_terminal or is_told else DEFAULT_WIDTH, highlight=False)


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
