"""A published optimization is data: two edits of the pipeline, the claims on them, and the workloads of the claims.

Everything here is written down before anything is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from argo_bench.extras import Requirement
from argo_bench.harness.claims.claim import Claim, show_claims
from argo_bench.harness.claims.metrics import MEASURED
from argo_bench.pipeline.model import World
from argo_bench.pipeline.record import PARTS, Edit, Pipeline

Inputs = Literal["hit", "miss", "trace", "fresh"]
Unit = Literal["bars", "symbols", "cycles", "% ticking", "rows", "in flight"]
Server = Literal["providers", "redis"]
"""Names what may really run behind a world's sockets."""
Trace = Literal["live", "calm", "open", "frozen"]
CYCLE = "cycle"
"""The stage of a workload that runs whole cycles."""


class Call(NamedTuple):
    """Holds one call of a stage: its begin and end on the virtual clock, its cycle, its arguments and its result."""

    virtual_s: float
    ended_s: float
    cycle: int
    arguments: tuple[Any, ...]
    result: Any


@dataclass(frozen=True, slots=True)
class Replay:
    """Holds what one arm did on a recorded trace, and the pipeline
    and the world as they were left, with cache and ledger.

    In a workload that runs whole cycles the arguments are empty and every result is a ``pipeline.Cycle``.
    ``drained_s`` is how long after the last call nothing was put off any more, in seconds of the virtual clock, and
    ``observed`` holds what else was seen of the replay, by name.
    """

    calls: Sequence[Call]
    pipeline: Pipeline
    world: World
    drained_s: float = 0.0
    observed: dict[str, float] = field(default_factory=dict)


Damage = Callable[[Replay, Replay], Mapping[str, float]]
"""Computes from the replays of the reference and of an arm what
the arm did to the output, a number by name (zeros too)."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Describes what both arms of a comparison are fed.

    ``stage`` is the part that is replayed with its recorded inputs, or CYCLE for whole cycles of the pipeline.
    ``inputs`` are one of four kinds: the same inputs again and again (``hit``: whatever is cached is found), distinct
    inputs on cold state (``miss``), the recorded stream of a market on cold state (``trace``), or a copy of its own for
    each call, since a variant may write to it (``fresh``). ``scales`` are numbers of ``unit``; the first is the
    headline scale. ``arms`` overrides arms of the optimization for this workload only; ``study_arms`` are further ones,
    which are timed in a study's long form alone.

    ``trace`` says how the market of a trace ticks: at each symbol's own rate (``live``), in 20 % of the steps
    (``calm``), at every step (``open``) or not at all (``frozen``); scales in "% ticking" say the rate themselves.
    ``symbols`` and ``cycles`` give the size of a trace where the scale is in another unit. A timed pass has its first
    ``timed_cycles``, a minute; whole cycles and rows have the whole trace. ``skip_unchanged`` serves
    the last signal of a symbol while its price moved by less than 0.5 %.

    ``servers`` are those that really run on this machine, behind sockets of the loopback world; without any the world
    is simulated. ``tls`` and ``rtt_s`` say how the providers are reached. Scales in "rows" are rows that the database
    holds before the first call; "in flight" are the requests that a burst of the transport keeps under way.
    ``consumers`` is the number of callers that ask for the same at the same time. With ``generates``, scales in "bars"
    that the data is too short for are measured on generated bars. With ``pairs``, whole cycles walk one symbol on one
    day after another, so many of such pairs, and the scale is the number of cycles of each.

    ``timed`` workloads are timed. ``damage`` adds exact counts of what an arm does to the output on the trace, and a
    claim about a count needs no more. ``frontier`` names two counts that are traded for each other, the damage and the
    benefit, which are drawn over all arms; ``earlier_damage`` stands in for the first in records that have not counted
    it. ``latency_scale`` multiplies the latencies of the providers.
    ``opinion_minutes`` is the time constant of the opinions on a live trace, which is content.OPINION_MINUTES unless it
    is given; where every cycle is another day, opinions are drawn anew every time.
    """

    name: str
    stage: str
    inputs: Inputs
    description: str
    scales: tuple[int, ...]
    unit: Unit
    arms: Mapping[str, Edit] = field(default_factory=dict)
    study_arms: Mapping[str, Edit] = field(default_factory=dict)
    trace: Trace = "live"
    symbols: int = 6
    cycles: int = 48
    timed_cycles: int = 12
    skip_unchanged: bool = False
    timed: bool = True
    damage: Damage | None = None
    frontier: tuple[str, str] | None = None
    earlier_damage: str = ""
    latency_scale: float = 1.0
    opinion_minutes: float | None = None
    servers: frozenset[Server] = frozenset()
    tls: bool = False
    rtt_s: float = 0.0
    consumers: int = 1
    generates: bool = False
    pairs: int = 0

    def __post_init__(self) -> None:
        if self.stage not in (*PARTS, CYCLE):
            raise ValueError(
                f"workload {self.name!r}: expected one of {', '.join(PARTS)} or {CYCLE}, got stage {self.stage!r}"
            )


def at_opinion_minutes(workload: Workload, minutes: float) -> Workload:
    """Return the same trace with another time constant of the opinions: it is counted, and nothing is timed on it."""
    name = f"{workload.name}, opinions of {minutes:g} min"
    return replace(workload, name=name, opinion_minutes=minutes, timed=False)


COUNTS: Mapping[str, str] = {
    "requests": "requests",
    "redundant_requests": "redundant requests",
    "model_calls": "model calls",
    "dollars": "dollars",
    "frame_bytes": "bytes of frames",
    "hit_rate": "hits",
    "layer_hit_rate": "hits",
    "queries": "database queries",
    "queries_and_checks": "database queries and version checks",
    "explanations": "explanations asked for",
    "cycle s": "seconds of a cycle",
    "redundant": "redundant calculations",
}
"""The counts that may be taken of a trace, by name, with the noun that each is a count of."""
Layer = Literal["transport", "replace", "wrap", "schedule"]
LAYERS: tuple[Layer, ...] = ("transport", "replace", "wrap", "schedule")
Variant = Literal["prescribed", "engineered"]
VARIANTS: tuple[Variant, ...] = ("prescribed", "engineered")
SIMPLE = "simple"
"""The name of the arm that an optimization's ``simple`` is."""

LEFT_OUT = "{variant} without {member}"
"""The name of the arm that is a set of optimizations without one of them, to be filled."""


def is_left_out(arm: str) -> bool:
    """Say whether an arm is a set of optimizations without one of them."""
    return arm.startswith(tuple(LEFT_OUT.format(variant=variant, member="") for variant in VARIANTS))


@dataclass(frozen=True, slots=True)
class Optimization:
    """Holds one published optimization: its two variants as
    edits, its claims and the workloads that they are judged on.

    ``simple`` is what an engineer would write first: a fixed time to live, a local dict, straight-line code that
    recomputes. It is laid beside the two, as are the further implementations in ``arms``. ``requires`` names the module
    that an arm needs and the extra of this package that installs it. Four fields say what the engineered variant may
    change: ``tolerance`` is the relative difference in a number, ``permits`` are the fields that may read differently
    (such as ``reasoning``), ``staleness_s`` is how old the data behind a decision may be, and ``may_change`` says it in
    words.
    """

    id: str
    name: str
    layer: Layer
    prescribed: Edit
    engineered: Edit
    claims: tuple[Claim, ...]
    workloads: tuple[Workload, ...]
    simple: Edit | None = None
    arms: Mapping[str, Edit] = field(default_factory=dict)
    requires: Mapping[str, Requirement] = field(default_factory=dict)
    may_change: str = "nothing"
    tolerance: float = 0.0
    permits: frozenset[str] = frozenset()
    staleness_s: float = 0.0

    def __post_init__(self) -> None:
        known = (*MEASURED, *COUNTS)
        for claim in self.claims:
            if claim.metric not in known:
                raise ValueError(f"{claim.id}: a claim needs a metric, one of {', '.join(known)}, got {claim.metric!r}")

    @property
    def order(self) -> tuple[int, str]:
        """The key by which edits are sorted when several optimizations are applied."""
        return LAYERS.index(self.layer), self.id

    @property
    def variants(self) -> tuple[str, ...]:
        """The arms that every claim is judged on."""
        return VARIANTS

    def edits(self, workload: Workload) -> dict[str, Edit]:
        """Return every arm of a workload by name, the baseline first."""
        common: dict[str, Edit] = {"prescribed": self.prescribed, "engineered": self.engineered}
        if self.simple is not None:
            common[SIMPLE] = self.simple
        return {"baseline": keep_baseline, **common, **self.arms, **workload.arms, **workload.study_arms}

    def __str__(self) -> str:
        return f"{self.id}, {self.name}: {len(self.claims)} published figures, two variants."

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return show_claims(str(self), self.claims)

    def workload(self, name: str) -> Workload:
        return next(workload for workload in self.workloads if workload.name == name)


def keep_baseline(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline unchanged: this edit makes the baseline an arm."""
    return pipeline
