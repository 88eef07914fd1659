"""The readers' answers are kept here, and asked of the database again only when it may have changed them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from argo_bench.pipeline.baseline.read import LATEST, LATEST_OF_SYMBOL, WIN_RATE
from argo_bench.pipeline.model import Encoded, Readings, World

VERSION = "PRAGMA data_version"
"""Asks SQLite for a number that changes after a commit by another connection, and stays after a commit by one's own."""

MAXIMUM_ANSWERS = 1024


class Answers:
    """Serves readings, keeps each answer until a commit may have changed it, and hands it out immutable.

    Signals that were stored here change the latest ones and those of their symbols; they have no outcome yet, so the
    win rate stands. A commit by another connection may change anything: SQLite is asked at each reading whether there
    was one, by a query that touches no row. ``hits`` and ``misses`` are counted. When full, it forgets its oldest
    answer.
    """

    def __init__(self, tune: Callable[[World], None]) -> None:
        self.hits = 0
        self.misses = 0
        self._tune = tune
        self._answers: dict[Hashable, tuple[Any, ...]] = {}
        self._answers_of: tuple[World, int] | None = None

    def __call__(self, world: World, symbols: Sequence[str]) -> Readings:
        self._tune(world)
        version = world, world.query(VERSION)[0][0]
        if version != self._answers_of:
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
        sql, *parameters = question
        if len(self._answers) == MAXIMUM_ANSWERS:
            del self._answers[next(iter(self._answers))]
        answer = self._answers[question] = tuple(world.query(sql, parameters))
        return answer

    def forget_stale(self, signals: Sequence[Encoded]) -> None:
        """Forget the answers that these signals, which have just been stored, make out of date."""
        self._answers.pop((LATEST,), None)
        for signal in signals:
            self._answers.pop((LATEST_OF_SYMBOL, signal.decision.symbol), None)

    def forget(self) -> None:
        self._answers.clear()
