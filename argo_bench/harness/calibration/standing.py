"""How far the harness can be trusted on this machine: the calibration that stands for a run, and where it is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import xxhash

from argo_bench.harness.machine import environment

SUMMARY = "calibration.json"
REFERENCE = Path(__file__).with_name("reference_calibration.json")
IDENTITY = ("processor", "cores", "memory_bytes", "system", "python")


class Rate(msgspec.Struct, frozen=True):
    """``events`` of ``trials`` with the exact interval of Clopper and Pearson (1934) at 95 %."""

    events: int
    trials: int
    low: float
    high: float

    @classmethod
    def of(cls, outcomes: Sequence[bool]) -> Rate:
        return cls(sum(outcomes), len(outcomes), *clopper_pearson(sum(outcomes), len(outcomes)))


class Power(msgspec.Struct, frozen=True):
    """How often a planted effect was found with its sign, the median seconds and replicates that it took, and how often
    the wrong sign was: ``change`` is the candidate's work relative to the reference's, 1.03 for 3 % more."""

    change: float
    found: Rate
    wrong: int
    seconds: float
    replicates: float


class Null(msgspec.Struct, frozen=True):
    """A speed-up that should be 1, as a mean over replicates with its interval at 95 %."""

    what: str
    speedup: float
    low: float
    high: float


class Calibration(msgspec.Struct, frozen=True):
    """The harness measured by itself on one machine. Rates by series are over contiguous draws with early stopping.

    ``any_start`` is the share of false positives over every starting point, whose draws overlap. Coverage is that of
    intervals at 95 %, at ten replicates and with stopping, on recorded replicates and on simulated ones.
    """

    machine: str
    processor: str
    when: str
    replicates: int
    false_positives: dict[str, Rate]
    all_false_positives: Rate
    any_start: float
    power: list[Power]
    coverage: Rate
    coverage_stopped: Rate
    simulated: float
    simulated_stopped: float
    nulls: list[Null]

    @property
    def floor(self) -> float:
        """The largest effect that code layout, position or role alone may have here, as a share of the time."""
        return max(abs(math.log(bound)) for null in self.nulls for bound in (null.low, null.high))


class Used(msgspec.Struct, frozen=True):
    """The calibration that stands for a run: of its own machine (``here``) or of the reference machine."""

    where: Literal["here", "reference"]
    calibration: Calibration


def used() -> Used | None:
    """This machine's calibration, else the reference machine's that comes with the package."""
    own = home(fingerprint()) / SUMMARY
    places: tuple[tuple[Literal["here", "reference"], Path], ...] = (("here", own), ("reference", REFERENCE))
    for where, file in places:
        if file.is_file():
            return Used(where, msgspec.json.decode(file.read_bytes(), type=Calibration))
    return None


def fingerprint() -> str:
    """Twelve characters that stay the same as long as the machine, its kernel and its Python do."""
    facts = environment.facts()
    return xxhash.xxh3_64_hexdigest("|".join(str(facts[name]) for name in IDENTITY).encode())[:12]


def home(machine: str | None = None) -> Path:
    """Where the calibration of a machine (this one by default) is kept."""
    return environment.user_folder() / "calibration" / (machine or fingerprint())


def clopper_pearson(events: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a binomial share (Clopper and Pearson, 1934), by bisection; (0, 1) without trials."""
    tail = (1 - level) / 2
    low = 0.0 if events == 0 else _solved(lambda share: 1 - _at_most(events - 1, trials, share), tail)
    high = 1.0 if events == trials else 1 - _solved(lambda share: _at_most(events, trials, 1 - share), tail)
    return low, high


def _solved(rising: Callable[[float], float], wanted: float) -> float:
    """Where a function that rises over [0, 1] has a value."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


def _at_most(events: int, trials: int, share: float) -> float:
    """P(X <= events) for X binomial."""
    return math.fsum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(events + 1))
