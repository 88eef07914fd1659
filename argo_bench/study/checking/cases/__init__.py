"""Named cases for every part of the pipeline: the inputs at which a stage that is almost right goes wrong.

One file a part. A case plays a scene and returns what came of it; a variant is right where it returns what the baseline
returns. The same cases are played in every profile.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from argo_bench.pipeline.model import Bars
from argo_bench.study.checking.cases.market import TWO_SYMBOLS
from argo_bench.study.checking.scene import Scene

Play = Callable[[Scene], Any]
MODULES = (
    *("transport", "fetch", "frame", "indicators", "regime", "signals", "consensus", "reason", "validate", "encode"),
    *("store", "read", "schedule", "whole"),
)
"""The modules of this package that have cases: the parts of a pipeline in their order, and whole cycles."""


class Case(NamedTuple):
    """Holds a case: its part, what it is about, and the play.

    ``histories`` are the bars of the scene's symbols.
    """

    part: str
    about: str
    play: Play
    histories: dict[str, list[Bars]]

    @property
    def name(self) -> str:
        return f"{self.part}, {self.about}"


class Cases(list[Case]):
    """Collects the cases of a part; an instance is a decorator factory for their plays."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def __call__(self, about: str, histories: dict[str, list[Bars]] | None = None) -> Callable[[Play], Play]:
        """Return a decorator that adds a play as the case about something."""

        def add(play: Play) -> Play:
            self.append(Case(self._part, about, play, TWO_SYMBOLS if histories is None else histories))
            return play

        return add


@cache
def load_cases() -> tuple[Case, ...]:
    """Return all cases, part by part."""
    return tuple(case for name in MODULES for case in importlib.import_module(f"{__name__}.{name}").CASES)
