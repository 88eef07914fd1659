"""A published sentence as data: what it says, how it is read, and the workload that it is judged on.

Everything here is written down before anything is measured.
"""

from __future__ import annotations

import html as markup
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, TypeGuard, get_args

import msgspec

from argo_bench.model import World
from argo_bench.pipeline import PARTS, Edit, Pipeline

Kind = Literal["reduction", "speedup", "at_least", "up_to", "direction", "level", "difference"]
Clock = Literal["cpu", "wall"]
MemoryMetric = Literal["peak_rss", "traced_peak", "live_bytes"]
Count = Literal["requests", "model_calls", "dollars", "frame_bytes", "hit_rate", "queries", "explanations"]
Metric = Clock | MemoryMetric | Count
CLOCKS: tuple[Clock, ...] = ("cpu", "wall")
MEMORY_METRICS: tuple[MemoryMetric, ...] = ("peak_rss", "traced_peak", "live_bytes")
COUNTS: tuple[Count, ...] = get_args(Count)
METRICS: tuple[Metric, ...] = (*CLOCKS, *MEMORY_METRICS, *COUNTS)
Inputs = Literal["hit", "miss", "trace", "fresh"]
Unit = Literal["bars", "symbols", "cycles", "% ticking", "rows", "in flight"]
Server = Literal["providers", "redis"]
"""What may really run behind a world's sockets."""
Trace = Literal["live", "calm", "open", "frozen"]
CYCLE = "cycle"
"""The stage of a workload that runs whole cycles."""


def is_memory(metric: Metric) -> TypeGuard[MemoryMetric]:
    """Whether it is a figure of memory."""
    return metric in MEMORY_METRICS


def is_count(metric: Metric) -> TypeGuard[Count]:
    """Whether it is counted exactly: the same on every run with a seed."""
    return metric in COUNTS


EPSILON = math.log(1.01)
"""Practical zero: a change of less than 1 % is no change."""


class Claim(msgspec.Struct, frozen=True):
    """One published figure.

    ``low`` and ``high`` are in the unit of ``kind``: a share of the baseline for a reduction (0.5 = 50 %), a factor
    for ``speedup``, ``at_least`` and ``up_to``, the level itself for ``level``; a ``direction`` (better) and a
    ``difference`` (nothing is claimed: is there any?) have neither; an end that is missing is None.
    ``reading`` says how ambiguous words were read, ``workload`` names the headline workload, ``reference`` the arm
    that it is measured against (it may depend on the ``{variant}``), ``curve`` a workload of the same stage over a
    condition (the share of ticking symbols) from which is read when a claim that was not confirmed would hold. Claims
    that are not ``headline`` are further readings of the same sentence or the figures of a later document; they get
    verdicts too, outside the family of simultaneous intervals.
    """

    id: str
    text: str
    source: str
    kind: Kind
    workload: str
    reading: str
    low: float | None = None
    high: float | None = None
    metric: Metric = "cpu"
    reference: str = "baseline"
    headline: bool = False
    curve: str = ""

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"{self.id}: a claim needs a metric, one of {', '.join(METRICS)}, got {self.metric!r}")
        for end in ("low", "high"):  # NaN stands for no end too; a record has None for it
            if (value := getattr(self, end)) is not None and math.isnan(value):
                msgspec.structs.force_setattr(self, end, None)
        low, high = self._ends()
        if self.kind == "reduction" and not 0 <= low <= high < 1:
            raise ValueError(f"{self.id}: a reduction takes 0 <= low <= high < 1, got {self.low!r} and {self.high!r}")
        if self.kind in ("speedup", "at_least", "up_to") and not (low > 0 or high > 0):
            raise ValueError(f"{self.id}: a factor must be positive, got {self.low!r} and {self.high!r}")

    def _ends(self) -> tuple[float, float]:
        """Both ends, NaN for one that is missing."""
        return (math.nan if self.low is None else self.low), (math.nan if self.high is None else self.high)

    def against(self, variant: str) -> str:
        """The arm that a variant is measured against: a reference may name the variant as ``{variant}``."""
        return self.reference.format(variant=variant)

    def region(self) -> tuple[float, float]:
        """The claimed range of lambda = ln(baseline / candidate); of the level itself for a ``level``."""
        low, high = self._ends()
        match self.kind:
            case "reduction":
                return -math.log(1 - low), -math.log(1 - high)
            case "speedup":
                return math.log(low), math.log(high)
            case "at_least":
                return math.log(low), math.inf
            case "up_to":
                return math.log(high), math.inf
            case "direction" | "difference":
                return EPSILON, math.inf
            case "level":
                return low, high

    def __str__(self) -> str:
        return f'{self.id}: "{self.text}"'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return _shown(str(self), [self])

    def edges(self) -> set[float]:
        """Where one verdict ends and the next begins, as finite values of lambda."""
        if self.kind == "difference":
            return {-EPSILON, 0.0, EPSILON}
        return {edge for edge in (EPSILON, *self.region()) if math.isfinite(edge)}


class Call(NamedTuple):
    """One call of a stage: its begin and end on the virtual clock, its cycle, its arguments and its result."""

    virtual_s: float
    ended_s: float
    cycle: int
    arguments: tuple[Any, ...]
    result: Any


@dataclass(frozen=True, slots=True)
class Replay:
    """What one arm did on a recorded trace, and the pipeline and the world as they were left, with cache and ledger.

    Of a workload that runs whole cycles the arguments are empty and every result is a ``pipeline.Cycle``.
    """

    calls: Sequence[Call]
    pipeline: Pipeline
    world: World


Damage = Callable[[Replay, Replay], Mapping[str, float]]
"""From the replays of the reference and of an arm: what the arm did to the output, a number by name (zeros too)."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What both arms of a comparison are fed.

    ``stage`` is the part that is replayed with its recorded inputs, or CYCLE for whole cycles of the pipeline.
    ``inputs``: the same inputs again and again (``hit``: whatever is cached is found), distinct inputs on cold state
    (``miss``), the recorded stream of a market on cold state (``trace``), or a copy of its own for each call, since a
    variant may write to it (``fresh``). ``scales`` are numbers of ``unit``; the first is the headline scale. ``arms``
    overrides arms of the optimization for this workload only.

    ``trace``: the market of a trace ticks at each symbol's own rate (``live``), in 20 % of the steps (``calm``), with
    every step (``open``) or not at all (``frozen``); scales in "% ticking" say the rate themselves. A trace has so many
    ``symbols`` and ``cycles`` where the scale is in another unit. ``skip_unchanged`` serves the last signal of a symbol
    while its price moved by less than 0.5 %.

    ``servers`` are those that really run on this machine, behind sockets of the loopback world; without any the world
    is simulated. ``tls`` and ``rtt_s`` say how the providers are reached. Scales in "rows" are rows that the database
    holds before the first call; "in flight" are the requests that a burst of the transport keeps under way.
    ``consumers`` ask for the same at the same time.

    ``timed`` workloads are timed. ``damage`` adds exact counts of what an arm does to the output on the trace, and a
    claim about a count needs no more; ``frontier`` names two counts that are traded for each other, the damage and the
    benefit, to be drawn over all arms. ``latency_scale`` multiplies the latencies of the providers.
    """

    name: str
    stage: str
    inputs: Inputs
    description: str
    scales: tuple[int, ...]
    unit: Unit
    arms: Mapping[str, Edit] = field(default_factory=dict)
    trace: Trace = "live"
    symbols: int = 6
    cycles: int = 48
    skip_unchanged: bool = False
    timed: bool = True
    damage: Damage | None = None
    frontier: tuple[str, str] | None = None
    latency_scale: float = 1.0
    servers: frozenset[Server] = frozenset()
    tls: bool = False
    rtt_s: float = 0.0
    consumers: int = 1

    def __post_init__(self) -> None:
        if self.stage not in (*PARTS, CYCLE):
            raise ValueError(
                f"workload {self.name!r}: expected one of {', '.join(PARTS)} or {CYCLE}, got stage {self.stage!r}"
            )


@dataclass(frozen=True, slots=True)
class Requirement:
    """A module that an arm needs, and the extra of this package that installs it."""

    module: str
    extra: str

    @property
    def is_met(self) -> bool:
        return find_spec(self.module) is not None

    @property
    def install_line(self) -> str:
        return f"pip install 'argo-bench[{self.extra}]'"


Layer = Literal["transport", "replace", "wrap", "schedule"]
LAYERS: tuple[Layer, ...] = ("transport", "replace", "wrap", "schedule")
Variant = Literal["prescribed", "engineered"]
VARIANTS: tuple[Variant, ...] = ("prescribed", "engineered")


@dataclass(frozen=True, slots=True)
class Optimization:
    """One published optimization: its two variants as edits, its claims and the workloads that they are judged on.

    ``arms`` are further implementations laid beside the two; ``requires`` names the module that an arm needs and the
    extra of this package that installs it. What the engineered variant may change: ``tolerance`` is the relative
    difference in a number, ``permits`` are the fields that may read differently (such as ``reasoning``), and
    ``staleness_s`` is how old the data behind a decision may be; ``may_change`` says it in words.
    """

    id: str
    name: str
    layer: Layer
    prescribed: Edit
    engineered: Edit
    claims: tuple[Claim, ...]
    workloads: tuple[Workload, ...]
    arms: Mapping[str, Edit] = field(default_factory=dict)
    requires: Mapping[str, Requirement] = field(default_factory=dict)
    may_change: str = "nothing"
    tolerance: float = 0.0
    permits: frozenset[str] = frozenset()
    staleness_s: float = 0.0

    @property
    def order(self) -> tuple[int, str]:
        """When its edit is applied among others."""
        return LAYERS.index(self.layer), self.id

    @property
    def variants(self) -> tuple[str, ...]:
        """The arms that every claim is judged on."""
        return VARIANTS

    def edits(self, workload: Workload) -> dict[str, Edit]:
        """Every arm of a workload by name, the baseline first."""
        common: dict[str, Edit] = {"prescribed": self.prescribed, "engineered": self.engineered, **self.arms}
        return {"baseline": unedited, **common, **workload.arms}

    def __str__(self) -> str:
        return f"{self.id}, {self.name}: {len(self.claims)} published figures, two variants."

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return _shown(str(self), self.claims)

    def workload(self, name: str) -> Workload:
        return next(workload for workload in self.workloads if workload.name == name)


def _shown(title: str, claims: Sequence[Claim]) -> dict[str, str]:
    """Claims for a notebook, as tables that need no style: in their words, as they were read, and judged on what."""
    head = ("claim", "as published", "read as", "judged on", "source")
    rows = [(each.id, each.text, each.reading, each.workload, each.source) for each in claims]
    cells = [[markup.escape(text, quote=False) for text in row] for row in rows]
    cell = '<td style="text-align:left;vertical-align:top">'
    body = "".join(f"<tr>{cell}{f'</td>{cell}'.join(row)}</td></tr>" for row in (head, *cells))
    marked = [[text.replace("|", r"\|").replace("~", r"\~") for text in row] for row in cells]
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *marked)]
    return {
        "text/html": f"<strong>{markup.escape(title)}</strong><table>{body}</table>",
        "text/markdown": f"**{markup.escape(title, quote=False)}**\n\n" + "\n".join(lines),
        "text/plain": title,
    }


def unedited(pipeline: Pipeline) -> Pipeline:
    """The edit that changes nothing: the baseline as an arm."""
    return pipeline
