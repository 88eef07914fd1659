"""Shows that a long run moves: by a bar with the remaining time and the interval so far, or by a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.progress import BarColumn, Progress, TextColumn

from argo_bench.controls import spell_controls
from argo_bench.harness.progress import Progress as State
from argo_bench.report.console import PlainConsole

LINE_EVERY_S = 10.0


SETTLED = 0.02
"""The remaining time is not shown before this share of a run is done."""


def estimate_remaining(state: State) -> float | None:
    """Return the seconds left; None until enough has been done to tell."""
    return None if state.spent_s < SETTLED * (state.spent_s + state.left_s) else state.left_s


def format_clock(seconds: float | None) -> str:
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


@contextmanager
def progress_bar() -> Iterator[Callable[[State], None]]:
    """Show a bar on stderr, which the callback moves: share done, remaining time, and the interval so far.

    Where there is no interval yet, it shows what is being measured.
    """
    columns = (
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f}% {task.fields[left]:>10}  {task.description}", markup=False),
    )
    with Progress(*columns, console=PlainConsole(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=1.0, left="")

        def show(state: State) -> None:
            progress.update(
                task,
                completed=state.spent_s,
                total=state.spent_s + state.left_s,
                left=format_clock(estimate_remaining(state)),
                description=shorten(state.seen or state.doing, 46),
            )

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
        share = state.spent_s / (state.spent_s + state.left_s)
        parts = (f"{share:4.0%}", format_clock(estimate_remaining(state)), state.doing, state.seen)
        click.echo(spell_controls(shorten("  ".join(part for part in parts if part), 79)), err=True)

    yield show


def shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
