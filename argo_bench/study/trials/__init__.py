"""Trials are studies on real components that yield rows of numbers instead of a ratio of two arms.

What is killed, cancelled, overloaded or shared between processes has no pair of times to compare; its figures stand in
tables beside the verdicts. The trials of an optimization stand in one file, ``oNN_*.py``, as TRIALS.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from argo_bench.harness.subject import Around, Observation
from argo_bench.optimizations.optimization import Server
from argo_bench.pipeline.market import Universe
from argo_bench.pipeline.world.loopback import Address
from argo_bench.pipeline.world.redis import Server as RedisServer

if TYPE_CHECKING:
    from argo_bench.study.servers import Servers
    from argo_bench.study.supply import MarketSupply


@dataclass(frozen=True, slots=True)
class Setting:
    """Holds what a trial runs in: the servers that it asked for, a place on disk, and the market.

    ``full`` says whether all of the trial is wanted, a study of minutes, or the short form that fits into a run.
    """

    seed: int
    scratch: Path
    address: Address | None
    redis: RedisServer | None
    universe: Universe
    full: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """Describes one study of an optimization: ``run`` yields its observations as they are made.

    For the values in ``compared`` the report gives the ratio to the arm ``reference``, with an interval where an arm
    was observed several times. A trial with ``study`` runs only where studies are asked for.
    """

    optimization: str
    name: str
    description: str
    run: Callable[[Setting], Iterator[Observation]]
    servers: frozenset[Server] = frozenset()
    reference: str = "baseline"
    compared: tuple[str, ...] = ()
    study: bool = False

    def on(self, supply: MarketSupply, full: bool) -> TrialOfRun:
        """Return the trial as a run makes it, in its full or its short form."""
        return TrialOfRun(self, supply, full)


@dataclass(frozen=True, slots=True)
class TrialOfRun:
    """Holds a trial on the market of a run, and in which form it is made."""

    trial: Trial
    supply: MarketSupply
    full: bool

    @property
    def name(self) -> str:
        return self.trial.name

    @property
    def description(self) -> str:
        return self.trial.description

    @property
    def reference(self) -> str:
        return self.trial.reference

    @property
    def compared_values(self) -> tuple[str, ...]:
        return self.trial.compared

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(self.trial.servers)

    def observe(self, around: Around) -> Iterator[Observation]:
        servers: Servers = around.servers
        universe = self.supply.universe
        setting = Setting(self.supply.seed, around.scratch, servers.address, servers.redis, universe, self.full)
        return self.trial.run(setting)


@cache
def trials() -> tuple[Trial, ...]:
    """Return all trials, in the order of the optimizations."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if re.match(r"o\d\d_", module.name))
    return tuple(trial for name in names for trial in importlib.import_module(f"{__name__}.{name}").TRIALS)
