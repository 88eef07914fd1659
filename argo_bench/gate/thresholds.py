"""Checks a record against thresholds in a TOML file, which say what a run must reach, or proposes them from one.

profile = "default"               # they hold for runs of this profile alone
[ratios]                          # speed-ups (or savings), at least; they travel between machines
"O08.time engineered" = 87.0      # or, for a gate's record, "parse" = 0.95: base / head
[levels]                          # hit rates, at least
"O01.hits prescribed" = 0.9
[times]                           # seconds per call, at most, on one processor alone
processor = "AMD EPYC"
"O08.time engineered" = 4.5e-5
"""

from __future__ import annotations

import difflib
import math
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from argo_bench.errors import UserError
from argo_bench.gate.history import GATE
from argo_bench.gate.outcome import Outcome
from argo_bench.gate.records import Gated
from argo_bench.harness.claims.claim import EPSILON
from argo_bench.harness.claims.metrics import CLOCKS
from argo_bench.harness.claims.verdict import State
from argo_bench.harness.record.records import Judgement, Result, Samples, rule_of
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics.estimate import Estimate, estimate

LEVEL = 0.95
"""An absolute time has an interval at this confidence level."""
TABLES = ("ratios", "levels", "times")
PROCESSOR = "processor"
PROFILE = "profile"
COMMAND = "argo-bench ci thresholds"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Holds least speed-ups, least levels, and most seconds per call on one ``processor``, by ``claim arm``."""

    path: Path
    ratios: Mapping[str, float]
    levels: Mapping[str, float]
    times: Mapping[str, float]
    processor: str
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """Holds the outcomes of checking thresholds.

    ``unknown`` has a sentence for each threshold that the run has nothing for; ``note`` says what could not be
    compared.
    """

    outcomes: tuple[Outcome, ...]
    unknown: tuple[str, ...]
    note: str

    def __str__(self) -> str:
        """Return the finding."""
        reached = sum(each.state == "fine" for each in self.outcomes)
        missed = sum(each.blocks for each in self.outcomes)
        undecided = len(self.outcomes) - reached - missed
        parts = [f"{reached} of {len(self.outcomes)} thresholds reached"]
        parts += [f"{missed} missed"] if missed else []
        parts += [f"{undecided} inconclusive"] if undecided else []
        return ", ".join(parts)


def read_thresholds(path: Path) -> Thresholds:
    """Read the thresholds of a file. Raises UserError, naming table and key, for what cannot be read."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"cannot read {path} ({error.strerror}): {COMMAND} RUN > {path} proposes one from a run"
        ) from None
    except (ValueError, RecursionError) as error:  # neither text nor TOML, or a number of thousands of digits
        raise UserError(f"{path} is not valid TOML ({error}): mend it, or propose it anew by {COMMAND} RUN") from None
    profile = found.pop(PROFILE, "")
    if not isinstance(profile, str):
        raise UserError(f"{path}: expected {PROFILE} to be the name of one, such as default, got {profile!r}")
    if unknown := sorted(found.keys() - set(TABLES)):
        raise UserError(f"{path}: unknown table [{unknown[0]}]: expected {', '.join(TABLES)}")
    tables = {name: found.get(name, {}) for name in TABLES}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UserError(f"{path}: expected a table [{name}], got {table!r}")
    processor = tables["times"].pop(PROCESSOR, "")
    if tables["times"] and not (isinstance(processor, str) and processor):
        raise UserError(f"{path}, [times]: expected the processor on which they hold, got {processor!r}")
    numbers = {name: _read_numbers(f"{path}, [{name}]", table) for name, table in tables.items()}
    return Thresholds(path, numbers["ratios"], numbers["levels"], numbers["times"], processor, profile)


def _read_numbers(where: str, table: Mapping[str, Any]) -> dict[str, float]:
    for key, value in table.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 < value <= sys.float_info.max:
            raise UserError(f"{where}: expected {key!r} to be a positive number, got {value!r}")
    return {key: float(value) for key, value in table.items()}


def check_thresholds(recorded: Recorded, thresholds: Thresholds) -> Checked:
    """Check every threshold against a run: reached, missed, or undecided where the interval lies across it.

    Raises UserError for a run of another profile than that of the thresholds.
    """
    profile = recorded.run.profile
    if thresholds.profile and profile != thresholds.profile:
        raise UserError(
            f"{thresholds.path} holds for runs of the profile {thresholds.profile}, and {recorded.directory} is one of "
            f"{profile}: propose others from it by {COMMAND}"
        )
    if profile == GATE:
        return _check_gate(recorded, thresholds)
    known = {f"{each.claim} {each.arm}": each for each in recorded.all(Judgement)}
    outcomes: list[Outcome] = []
    unknown: list[str] = []
    for name, least in (thresholds.ratios | thresholds.levels).items():  # type: ignore[operator]
        if (judgement := known.get(name)) is None:
            unknown.append(_describe_unknown(name, known, thresholds.path))
        else:
            mean = None if name in thresholds.levels else _find_mean(judgement, recorded)
            outcomes.append(_check_least(name, judgement, least, mean, is_level=name in thresholds.levels))
    note = ""
    processor = str(recorded.run.environment.get(PROCESSOR, ""))
    if thresholds.times and processor != thresholds.processor:
        note = (
            f"Times were not compared: those of {thresholds.processor} say nothing about {processor or 'another one'}; "
            "ratios were."
        )
    else:
        for name, most in thresholds.times.items():
            if (judgement := known.get(name)) is None:
                unknown.append(_describe_unknown(name, known, thresholds.path))
            else:
                outcomes.append(_check_time(name, judgement, most, recorded))
    outcomes.sort(key=lambda each: (not each.blocks, each.state == "fine"))
    return Checked(tuple(outcomes), tuple(unknown), note)


def _check_gate(recorded: Recorded, thresholds: Thresholds) -> Checked:
    """Check ratios base / head of a gate's benchmarks."""
    known = {each.benchmark: each for each in recorded.all(Gated)}
    others = [*thresholds.levels, *thresholds.times]
    unknown = [f"{thresholds.path} has a threshold for {name!r}, but a gate has ratios alone" for name in others]
    outcomes: list[Outcome] = []
    for name, least in thresholds.ratios.items():
        if (gated := known.get(name)) is None:
            unknown.append(_describe_unknown(name, known, thresholds.path))
            continue
        seen = f"{name}: {_format_interval(gated.interval, gated.speedup)}, at least {least:g} expected"
        state: State = "cannot tell"
        if gated.state in ("differs", "failed"):
            state = gated.state
        elif gated.interval is None:
            state = "not measured"
        elif gated.interval[0] >= least:
            state = "fine"
        elif gated.interval[1] < least:
            state = "worse"
        blocks = state in ("worse", "failed", "differs")
        outcomes.append(Outcome(name, state, blocks, seen, gated.speedup, gated.interval))
    outcomes.sort(key=lambda each: (not each.blocks, each.state == "fine"))
    return Checked(tuple(outcomes), tuple(unknown), "")


def _describe_unknown(name: str, known: Mapping[str, object], path: Path) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.6)
    hint = f"did you mean {close[0]!r}?" if close else "take it out, or measure it"
    return f"{path} has a threshold for {name!r}, which the run has no verdict on: {hint}"


def _find_mean(judgement: Judgement, recorded: Recorded) -> Estimate | None:
    """Return the mean over all calls behind a verdict; None where dear calls do not recur, or no times were taken."""
    if judgement.metric not in CLOCKS:
        return None
    found = [each for each in recorded.all(Result) if each.comparison == judgement.comparison]
    return found[0].mean_on(judgement.metric) if found else None


def _check_least(
    name: str, judgement: Judgement, least: float, mean: Estimate | None = None, *, is_level: bool
) -> Outcome:
    """Check an interval of ratios or levels; one that the mean over all calls contradicts says nothing."""
    unjudged = _explain_missing_figure(name, judgement)
    if unjudged is not None:
        return unjudged
    interval = judgement.level_seen if is_level else judgement.interval
    seen = f"{'level ' if is_level else ''}{_format_interval(interval, judgement.speedup)}, at least {least:g} expected"
    if interval is None:
        return Outcome(name, "cannot tell", False, f"{name}: {seen}")
    low, high = interval
    if mean is not None and mean.speedup_interval is not None and low >= least > mean.speedup_interval[1]:
        by_mean = _format_interval(mean.speedup_interval, mean.speedup)
        sentence = f"{name}: {seen}, but some calls are dear: {by_mean} by the mean"
        return Outcome(name, "cannot tell", False, sentence, judgement.speedup, judgement.interval, judgement.metric)
    return _make_outcome(name, seen, is_reached=low >= least, is_missed=high < least, judgement=judgement)


def _check_time(name: str, judgement: Judgement, most: float, recorded: Recorded) -> Outcome:
    unjudged = _explain_missing_figure(name, judgement)
    if unjudged is not None:
        return unjudged
    found = estimate_time(judgement, recorded)
    if found is None or found.low is None or found.high is None:
        return Outcome(name, "cannot tell", False, f"{name}: no time with an interval, at most {most:g} s expected")
    low, high = math.exp(found.low), math.exp(found.high)
    seen = f"{math.exp(found.theta):.3g} s [{low:.3g}, {high:.3g}], at most {most:g} s expected"
    return _make_outcome(name, seen, is_reached=high <= most, is_missed=low > most, judgement=judgement)


def _explain_missing_figure(name: str, judgement: Judgement) -> Outcome | None:
    """Return the outcome of a verdict to which no threshold applies, such as ``void``; None where one does."""
    match judgement.verdict:
        case "void":
            return Outcome(name, "differs", True, f"{name}: {judgement.output}")
        case "failed":
            return Outcome(name, "failed", True, f"{name}: {judgement.sentence}")
        case "untested":
            return Outcome(name, "not measured", False, f"{name}: {judgement.sentence}")
        case _:
            return None


def _make_outcome(name: str, seen: str, *, is_reached: bool, is_missed: bool, judgement: Judgement) -> Outcome:
    state = "fine" if is_reached else "worse" if is_missed else "cannot tell"
    sentence = f"{name}: {seen}"
    return Outcome(name, state, is_missed, sentence, judgement.speedup, judgement.interval, judgement.metric)  # type: ignore[arg-type]


def _format_interval(interval: tuple[float, float] | None, point: float | None) -> str:
    middle = "" if point is None else f"{point:.3g} "
    return f"{middle}without an interval" if interval is None else f"{middle}[{interval[0]:.3g}, {interval[1]:.3g}]"


def estimate_time(judgement: Judgement, recorded: Recorded) -> Estimate | None:
    """Estimate ln of the candidate's seconds per call from one median per replicate; None without samples."""
    clock = "wall_ns" if judgement.metric == "wall" else "cpu_ns"
    taken = [each for each in recorded.all(Samples) if each.comparison == judgement.comparison]
    medians = [
        median(
            value
            for block in each.blocks
            for arm, value in zip(block.order, getattr(block, clock), strict=True)
            if arm == "B"
        )
        / each.candidate_calls
        / 1e9
        for each in taken
    ]
    return estimate([math.log(value) for value in medians], LEVEL, rule_of(recorded.run)) if medians else None


def propose_thresholds(recorded: Recorded, margin: float, *, with_times: bool = False) -> str:
    """Propose thresholds, as TOML, a ``margin`` below the intervals of all ratios and levels that gain.

    Arms whose output does not hold are left out. An interval speaks of one machine and hour; the margin is for others,
    where ratios move by more than it shows.
    """
    run = recorded.run
    processor = str(run.environment.get(PROCESSOR, ""))
    origin = f"# From run {run.run} of {run.started[:10]} on {processor}, {100 * margin:.0f} % below its intervals."
    lines = [" ".join(origin.split()), f"{PROFILE} = {_quote(run.profile)}"]
    if run.profile == GATE:
        return "\n".join([*lines, "", "[ratios]", *_write_rows_of_gate(recorded, margin)]) + "\n"
    gaining = [each for each in recorded.all(Judgement) if _is_gain(each, margin)]
    lines += ["", "[ratios]", *_write_rows(gaining, margin, levels=False)]
    lines += ["", "[levels]", *_write_rows(gaining, margin, levels=True)]
    if with_times:
        lines += ["", "[times]", f"{PROCESSOR} = {_quote(processor)}"]
        for each in gaining:
            found = estimate_time(each, recorded) if each.metric in CLOCKS else None
            if found is not None and found.high is not None:
                most = math.exp(found.high) * (1 + margin)
                lines.append(f"{_quote(_name(each))} = {most:.3g}  # {math.exp(found.theta):.3g} s")
    return "\n".join(lines) + "\n"


def _write_rows(judgements: list[Judgement], margin: float, *, levels: bool) -> Iterator[str]:
    for each in judgements:
        interval = each.level_seen if levels else each.interval
        if (each.level_seen is not None) == levels and interval is not None:
            least = float(f"{interval[0] * (1 - margin):.3g}")
            yield f"{_quote(_name(each))} = {least:g}  # {_format_interval(interval, each.speedup)}"


def _write_rows_of_gate(recorded: Recorded, margin: float) -> Iterator[str]:
    """Yield least ratios base / head of what the gate let pass."""
    for each in recorded.all(Gated):
        if each.interval is not None and not each.blocks:
            least = float(f"{each.interval[0] * (1 - margin):.3g}")
            yield f"{_quote(each.benchmark)} = {least:g}  # {_format_interval(each.interval, each.speedup)}"


def _is_gain(judgement: Judgement, margin: float) -> bool:
    """Say whether it gains even the margin below its interval, and its output is what it should be."""
    if judgement.verdict in ("void", "failed", "untested", "inconclusive"):
        return False
    if judgement.level_seen is not None:
        return judgement.level_seen[0] > 0
    return judgement.interval is not None and judgement.interval[0] * (1 - margin) > math.exp(EPSILON)


def _name(judgement: Judgement) -> str:
    return f"{judgement.claim} {judgement.arm}"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
