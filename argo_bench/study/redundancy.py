"""Redundant requests are counted here: answers to a question that was answered within the same cycle before.

Prices stand still within a cycle, so a second answer to the same question tells nobody anything new.
"""

from __future__ import annotations

from typing import Any

from argo_bench.pipeline.model import ProviderError, Request
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.pipeline.world.simulated import SimulatedPending

Need = tuple[str, str, str, str]


class NotingWorld(SimulatedWorld):
    """Is a simulated world that counts in ``redundant_requests`` the answers beyond the first to a need of a cycle.

    A refusal is no answer, so asking again after one is not redundant.
    """

    redundant_requests = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._answered: set[Need] = set()

    def begin(self, cycle: int) -> None:
        if cycle != self.cycle:
            self._answered = set()
        super().begin(cycle)

    def exchange(self, request: Request) -> SimulatedPending:
        pending = super().exchange(request)
        if not isinstance(pending.answer, ProviderError):
            need = need_of(request)
            self.redundant_requests += need in self._answered
            self._answered.add(need)
        return pending


def need_of(request: Request) -> Need:
    """Return what a request is to find out. Bars are one need, whichever market provider is asked for them."""
    source = "market" if request.what == "bars" else request.provider
    return source, request.symbol, request.what, request.prompt
