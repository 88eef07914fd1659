"""Shows that a long run moves: by a bar with the remaining time and the interval so far, or by a line now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from argo_bench.controls import spell_controls
from argo_bench.harness.progress import Progress as State
from argo_bench.report.console import PlainConsole

LINE_EVERY_S = 10.0
REFRESHED_PER_SECOND = 2.0
"""The bar is drawn so often: often enough to move, and too seldom to disturb what is being measured."""
SETTLED = 0.02
"""The remaining time is not shown before this share of a run is done."""
LEAST_SHOWN = 16
"""A terminal that is too narrow for more still has so many columns for what is being done."""
BESIDE = 32
"""Columns that spinner, bar, share and remaining time take."""
BAR = 12
"""The bar itself has so many columns."""


def estimate_remaining(state: State) -> float | None:
    """Return the seconds left; None until enough has been done to tell."""
    return None if state.spent_s < SETTLED * (state.spent_s + state.left_s) else state.left_s


def format_clock(seconds: float | None) -> str:
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


def move_on(state: State, seconds: float) -> State:
    """Return the state as it should be after further seconds, which are spent and no longer left."""
    return state._replace(spent_s=state.spent_s + seconds, left_s=max(state.left_s - seconds, 0.0))


def draw_state(state: State, spinner: Spinner, width: int) -> Table:
    """Draw one line: the bar, the share done, the remaining time, and the interval so far or what is being done."""
    whole = state.spent_s + state.left_s
    is_known = 0 < whole < math.inf
    bar = ProgressBar(whole if is_known else None, state.spent_s, width=BAR, pulse=not is_known)
    share = f"{state.spent_s / whole:4.0%}" if is_known else "    "
    doing = shorten(state.seen or state.doing, max(width - BESIDE, LEAST_SHOWN))
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_row(spinner, bar, Text(f"{share} {format_clock(estimate_remaining(state)):>10}  {doing}", no_wrap=True))
    return line


@contextmanager
def progress_bar() -> Iterator[Callable[[State], None]]:
    """Show a line on stderr, which the callback moves, and the clock between two calls of it.

    Where there is no interval yet, it shows what is being measured.
    """
    console = PlainConsole(stderr=True)
    spinner = Spinner("dots")
    told, told_at = State(0.0, math.inf, "starting", ""), time.monotonic()

    def draw() -> Table:
        return draw_state(move_on(told, time.monotonic() - told_at), spinner, console.width)

    with Live(console=console, transient=True, refresh_per_second=REFRESHED_PER_SECOND, get_renderable=draw):

        def show(state: State) -> None:
            nonlocal told, told_at
            told, told_at = state, time.monotonic()

        yield show


@contextmanager
def progress_lines(every_s: float = LINE_EVERY_S) -> Iterator[Callable[[State], None]]:
    """Write lines to stderr from the callback, at most one in ``every_s`` seconds, for logs and pipes."""
    last = -every_s

    def show(state: State) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < every_s:
            return
        last = now
        share = state.spent_s / ((state.spent_s + state.left_s) or 1.0)
        parts = (f"{share:4.0%}", format_clock(estimate_remaining(state)), state.doing, state.seen)
        click.echo(spell_controls(shorten("  ".join(part for part in parts if part), 79)), err=True)

    yield show


def shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
