"""The readers' answers are kept here, kept right by what is stored, and asked again when others have written."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

from argo_bench.pipeline.baseline.read import LATEST, LATEST_OF_SYMBOL, WIN_RATE
from argo_bench.pipeline.model import Readings, World
from argo_bench.pipeline.world.database import REASONING, SIGNAL_ID, SYMBOL, TIMESTAMP

MAXIMUM_ANSWERS = 1024
LATEST_ROWS = 10
"""The number of rows that the queries for the latest return at most."""


class Answers:
    """Serves readings, keeps each answer for as long as it is right, and hands it out immutable.

    Rows that were stored here are put into the kept lists of the latest, by the order that the queries ask for; they
    have no outcome yet, so the win rate stands. Explanations that are replaced here are replaced in the kept rows. A
    commit by another connection may change anything: at each reading
    SQLite is asked for its version, which reads no row. ``hits`` and ``misses`` are counted. When full, it forgets its
    oldest answer.
    """

    def __init__(self, tune: Callable[[World], None]) -> None:
        self.hits = 0
        self.misses = 0
        self._tune = tune
        self._answers: dict[Hashable, tuple[Any, ...]] = {}
        self._answers_of: tuple[World, int] | None = None

    def __call__(self, world: World, symbols: Sequence[str]) -> Readings:
        self._tune(world)
        version = world, world.database_version()
        if version != self._answers_of:
            if self._answers_of is None or self._answers_of[0] is not world:
                world.when_rewritten.append(partial(self._rewrite, world))
            self._answers.clear()
            self._answers_of = version
        return Readings(
            latest=self._answer(world, LATEST),
            latest_of_symbol=self._answer(world, LATEST_OF_SYMBOL, symbols[world.cycle % len(symbols)]),
            win_rate=self._answer(world, WIN_RATE)[0][0],
        )

    def _answer(self, world: World, *question: str) -> tuple[Any, ...]:
        found = self._answers.get(question)
        if found is not None:
            self.hits += 1
            return found
        self.misses += 1
        if len(self._answers) == MAXIMUM_ANSWERS:
            del self._answers[next(iter(self._answers))]
        answer = self._answers[question] = self._ask(world, *question)
        return answer

    def _ask(self, world: World, sql: str, *parameters: str) -> tuple[Any, ...]:
        return tuple(world.query(sql, parameters))

    def add(self, world: World, rows: Sequence[tuple[Any, ...]]) -> None:
        """Put rows, which have just been stored and stand as ``SELECT *`` returns them, into the answers of a world."""
        if self._answers_of is None or self._answers_of[0] is not world:
            return
        self._put_in((LATEST,), rows)
        rows_of: dict[str, list[tuple[Any, ...]]] = {}
        for row in rows:
            rows_of.setdefault(row[SYMBOL], []).append(row)
        for symbol, its_rows in rows_of.items():
            self._put_in((LATEST_OF_SYMBOL, symbol), its_rows)

    def _put_in(self, question: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
        kept = self._answers.get(question)
        if kept is not None:
            self._answers[question] = tuple(sorted((*rows, *kept), key=self._order, reverse=True)[:LATEST_ROWS])

    def _order(self, row: tuple[Any, ...]) -> tuple[float, ...]:
        """Return by what the queries order: the time, and the number of the row where times are equal."""
        return row[TIMESTAMP], row[0]

    def _rewrite(self, world: World, texts: Mapping[str, str]) -> None:
        if self._answers_of is None or self._answers_of[0] is not world:
            return
        for question, rows in self._answers.items():
            if question != (WIN_RATE,) and any(row[SIGNAL_ID] in texts for row in rows):
                self._answers[question] = tuple(_with_text(row, texts) for row in rows)

    def forget(self) -> None:
        self._answers.clear()


def _with_text(row: tuple[Any, ...], texts: Mapping[str, str]) -> tuple[Any, ...]:
    text = texts.get(row[SIGNAL_ID])
    return row if text is None else (*row[:REASONING], text, *row[REASONING + 1 :])
