"""How a long run shows that it moves: a bar with the remaining time and the interval so far, or a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from argo_bench.harness.experiment import Progress as State

LINE_EVERY_S = 10.0


class Remaining:
    """Seconds left: elapsed time scaled by what is left of the expected work."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started: float | None = None
        self._done_then = 0.0

    def __call__(self, state: State) -> float | None:
        """None until enough has been done to tell."""
        if self._started is None:
            if state.done > 0:
                self._started, self._done_then = self._clock(), state.done
            return None
        done = state.done - self._done_then
        if done < 0.02 * state.total:
            return None
        return (self._clock() - self._started) / done * max(0.0, state.total - state.done)


def clock_text(seconds: float | None) -> str:
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


@contextmanager
def progress_bar() -> Iterator[Callable[[State], None]]:
    """A live display on stderr: share done, remaining time, the interval so far, what is being measured."""
    remaining = Remaining()
    columns = (
        BarColumn(bar_width=16),
        TextColumn("{task.percentage:>3.0f}% {task.fields[left]:>10}  {task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=1.0, left="")

        def show(state: State) -> None:
            progress.update(
                task,
                completed=state.done,
                total=state.total,
                left=clock_text(remaining(state)),
                description=shortened(state.seen or state.doing, 46),
            )

        yield show


@contextmanager
def progress_lines(every_s: float = LINE_EVERY_S) -> Iterator[Callable[[State], None]]:
    """For logs and pipes: a line on stderr at most every few seconds."""
    remaining = Remaining()
    last = -every_s

    def show(state: State) -> None:
        nonlocal last
        left = remaining(state)
        now = time.monotonic()
        if now - last < every_s:
            return
        last = now
        parts = (f"{state.done / state.total:4.0%}", clock_text(left), state.doing, state.seen)
        click.echo(shortened("  ".join(part for part in parts if part), 79), err=True)

    yield show


def shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
