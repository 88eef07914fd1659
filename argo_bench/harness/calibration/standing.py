"""Says how far the harness can be trusted on this machine: which calibration stands for a run, and where it is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import xxhash

from argo_bench.errors import UserError
from argo_bench.harness.machine import environment
from argo_bench.harness.record.store import UNREADABLE
from argo_bench.harness.statistics.estimate import CURRENT, RETIRED, Rule

SUMMARY = "calibration.json"
REFERENCE = Path(__file__).with_name("reference_calibration.json")
IDENTITY = ("processor", "cores", "memory_bytes", "system", "python")


class Rate(msgspec.Struct, frozen=True):
    """Holds ``events`` of ``trials`` with the exact interval of Clopper and Pearson (1934) at 95 %."""

    events: int
    trials: int
    low: float
    high: float

    @classmethod
    def of(cls, outcomes: Sequence[bool]) -> Rate:
        return cls(sum(outcomes), len(outcomes), *clopper_pearson(sum(outcomes), len(outcomes)))


class Power(msgspec.Struct, frozen=True):
    """Says how often a planted effect was found with its sign, and what that took.

    ``change`` is the candidate's work relative to the reference's, 1.03 for 3 % more. ``wrong`` counts how often the
    other sign was found; ``seconds`` and ``replicates`` are medians; ``where`` names workload and
    condition.
    """

    change: float
    found: Rate
    wrong: int
    seconds: float
    replicates: float
    where: str = ""


class Null(msgspec.Struct, frozen=True):
    """Holds a speed-up that should be 1, as a mean over replicates with its interval at 95 %."""

    what: str
    speedup: float
    low: float
    high: float


class Calibration(msgspec.Struct, frozen=True):
    """Holds what the harness found about itself on one machine.

    Rates by series are over successive experiments with early stopping, which share no replicate. ``any_start`` is the
    share of false positives over every starting point, whose experiments overlap. Coverage is that of intervals at 95
    %, at ten replicates and with stopping, on recorded replicates and on simulated ones. All of it holds for the
    ``rule`` by which the experiments were judged; summaries of earlier versions do not name theirs.
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
    rule: Rule = RETIRED

    @property
    def floor(self) -> float:
        """Return the largest effect that code layout, position or role alone may have here, as a share of the time."""
        return max(abs(math.log(bound)) for null in self.nulls for bound in (null.low, null.high))


class Used(msgspec.Struct, frozen=True):
    """Holds the calibration that stands for a run: its own machine's (``here``) or the reference machine's."""

    where: Literal["here", "reference"]
    calibration: Calibration


def find_calibration() -> Used | None:
    """Return this machine's calibration, else the reference machine's from the package; None without either.

    One that was made by a rule of before says nothing about what is judged now, and is passed over. Raises UserError
    for a file that cannot be read.
    """
    own = home(fingerprint()) / SUMMARY
    places: tuple[tuple[Literal["here", "reference"], Path], ...] = (("here", own), ("reference", REFERENCE))
    for where, file in places:
        if file.is_file():
            try:
                found = msgspec.json.decode(file.read_bytes(), type=Calibration)
            except (OSError, *UNREADABLE) as error:
                raise UserError(
                    f"{file} cannot be read ({error}): delete it, and calibrate again if you like"
                ) from None
            if found.rule == CURRENT:
                return Used(where, found)
    return None


def fingerprint() -> str:
    """Return twelve characters that stay the same as long as the machine, its kernel and its Python do."""
    facts = environment.read_facts()
    return xxhash.xxh3_64_hexdigest("|".join(str(facts[name]) for name in IDENTITY).encode())[:12]


def home(machine: str | None = None) -> Path:
    """Return the folder where the calibration of a machine (this one by default) is kept."""
    return environment.user_folder() / "calibration" / (machine or fingerprint())


def clopper_pearson(events: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a binomial share (Clopper and Pearson, 1934), or (0, 1) without trials.

    It is found by bisection.
    """
    tail = (1 - level) / 2
    low = 0.0 if events == 0 else _solve(lambda share: 1 - _at_most(events - 1, trials, share), tail)
    high = 1.0 if events == trials else 1 - _solve(lambda share: _at_most(events, trials, 1 - share), tail)
    return low, high


def _solve(rising: Callable[[float], float], wanted: float) -> float:
    """Return the place in [0, 1] at which a rising function has a value."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


def _at_most(events: int, trials: int, share: float) -> float:
    """Return P(X <= events) for X binomial."""
    return math.fsum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(events + 1))
