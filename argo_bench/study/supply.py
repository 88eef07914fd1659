"""The study's subjects are fed from here: from the bars of a market, and the servers behind the loopback world."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from argo_bench.harness.functions import search_path
from argo_bench.harness.subject import Around, OutputCheck
from argo_bench.harness.surroundings import scratch_directory
from argo_bench.harness.workers.messages import Call
from argo_bench.optimizations import SKIP_UNCHANGED, TRACE, headline_claims
from argo_bench.optimizations.together import SETS
from argo_bench.pipeline.market import Universe
from argo_bench.pipeline.memo import digest_all
from argo_bench.study.recording import UNIVERSE, describe_drawn, live_rates, write_inputs
from argo_bench.study.records import Acceptance, LiveRates
from argo_bench.study.servers import start_servers

PUBLISHED = "published"
"""The name that the family of the catalogue's headline claims has."""


@dataclass(frozen=True, slots=True)
class MarketSupply:
    """Supplies the bars of a universe.

    ``ids`` are the optimizations that were asked for, ``cycles`` is the number of cycles that a check runs under each
    of ``seeds``.
    """

    universe: Universe
    seed: int
    seeds: tuple[int, ...]
    cycles: int
    ids: tuple[str, ...]

    def header(self) -> dict[str, Any]:
        return {
            "symbols": dict(self.universe.origin),
            "source": self.universe.source,
            "optimizations": [*self.ids],
            "trace": os.environ.get(TRACE),
            "skip_unchanged": SKIP_UNCHANGED in os.environ,
            "bars": digest_of(self.universe),
            "choices": [*self.universe.describe_choices(), *describe_drawn(self.universe)],
        }

    def families(self) -> Mapping[str, Sequence[str]]:
        return {PUBLISHED: [claim.id for claim in headline_claims()]}

    @contextmanager
    def open(self, needs: Collection[str]) -> Iterator[Around]:
        with scratch_directory() as around, start_servers(needs, around):
            write_inputs(around.scratch / UNIVERSE, self.universe)
            yield around

    def lines(self) -> list[msgspec.Struct]:
        return [LiveRates(live_rates(self.universe))]

    def checks(self, scratch: Path) -> list[OutputCheck]:
        """Return the check that says how much the consensus accepts of the market that outputs are checked on."""
        return [OutputCheck("", None, "markets", self.call("acceptance", scratch, {}), Acceptance)]

    def call(self, function: str, scratch: Path, arguments: Mapping[str, object], *, half: bool = False) -> Call:
        """Return a call of a function of ``checking.questions`` with the market, under all seeds or half of them."""
        seeds = self.seeds[: (len(self.seeds) + 1) // 2] if half else self.seeds
        market = {"universe": str(scratch / UNIVERSE), "seeds": [*seeds], "cycles": self.cycles}
        return make_call(function, {**arguments, **market})

    def preload(self) -> tuple[str, ...]:
        return ("argo_bench.study.replay",)

    def first(self) -> frozenset[str]:
        """Return the sets, whose further arms are timed first: the
        report says what these would explain of the combined claims."""
        return frozenset(SETS)


def make_call(function: str, arguments: Mapping[str, object]) -> Call:
    """Return a call of a function of ``checking.questions``."""
    text = msgspec.json.encode(arguments).decode()
    return Call(f"argo_bench.study.checking.questions:{function}", text, tuple(search_path()))


def digest_of(universe: Universe) -> str:
    """Return a digest of the symbols and all their bars."""
    return digest_all(chain(universe.symbols, universe.frames.values())).hex()
