"""Compares rules that turn replicates into a decision: on simulated slow processes, and on a recorded bank.

``python tests/benchmarks/study_rules.py`` prints both tables as Markdown. A rule looks after 6, 10, 16 and 24
replicates, each time at the nominal error that keeps the error of all looks at 5 % on normal values. It finds a
difference where its interval excludes zero and its estimate is 1 % at least.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from argo_bench.harness.calibration.bank import read_bank
from argo_bench.harness.record.records import Banked, Samples
from argo_bench.harness.statistics.estimate import (
    FEWEST_TRIMMED,
    compute_trimmed_mean,
    count_cut,
    student_t,
)
from argo_bench.harness.statistics.looks import LOOKS, PRECISE_ENOUGH, estimate_rows

BANK = Path(__file__).parents[2] / "results" / "reference" / "calibration"
FLOOR = math.log(1.01)
EXPERIMENTS, NULLS = 20_000, 200_000
PLANTED = 0.03
CHOSEN_BY = 6
"""Processes are chosen by so many blocks, which are not judged."""
Cut = Callable[[int, float], int]
"""Returns how many of so many values are cut from each end at a level."""
RULES: Mapping[str, Cut] = {
    "Student's t": lambda n, level: 0,
    "10 % trimmed": lambda n, level: int(0.1 * n),
    "20 % trimmed": lambda n, level: int(0.2 * n),
    "25 % trimmed, t below ten": lambda n, level: int(0.25 * n) if n >= FEWEST_TRIMMED else 0,
    "25 % trimmed": count_cut,
}


class Model(NamedTuple):
    """Says how replicates vary: the spread of all, and the shares of slow processes of the two sides."""

    spread: float
    slow: tuple[float, float]
    best_of: int = 1


MODELS = (
    Model(0.007, (0, 0)),
    Model(0.015, (0, 0)),
    Model(0.015, (1 / 12, 1 / 12)),
    Model(0.015, (1 / 8, 1 / 8)),
    Model(0.015, (1 / 6, 1 / 6)),
    Model(0.015, (1 / 12, 1 / 5)),
    Model(0.015, (1 / 8, 1 / 8), best_of=2),
    Model(0.015, (1 / 8, 1 / 8), best_of=3),
    Model(0.03, (1 / 8, 1 / 8)),
)


def summarize(values: np.ndarray, cut: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Return trimmed means, their standard errors and degrees of freedom; ``values`` has a row per experiment."""
    return *estimate_rows(values, cut), values.shape[1] - 2 * cut - 1


def find_nominal(rule: Cut, values: np.ndarray, overall: float = 0.05) -> float:
    """Return the error of each look at which ``overall`` of experiments without an effect show one at any look."""
    low, high = overall / 16, overall
    while high - low > 1e-3 * low:
        middle = math.sqrt(low * high)
        found = np.zeros(len(values), bool)
        for look in LOOKS:
            mean, error, degrees = summarize(values[:, :look], rule(look, 1 - middle))
            found |= np.abs(mean) > student_t(1 - middle / 2, degrees) * error
        low, high = (middle, high) if found.mean() < overall else (low, middle)
    return low


def draw_experiments(model: Model, effect: float, number: int, rng: np.random.Generator) -> np.ndarray:
    """Draw ln(candidate / reference) of 24 replicates; a slow process takes 8 to 300 % longer, evenly in the log."""
    shape = (number, LOOKS[-1])

    def slow(share: float) -> np.ndarray:
        grown = np.log1p(np.exp(rng.uniform(math.log(0.08), math.log(3.0), shape)))
        return np.where(rng.random(shape) < share, grown, 0.0)

    reference, candidate = (np.min([slow(share) for _ in range(model.best_of)], axis=0) for share in model.slow)
    return effect + model.spread * rng.standard_normal(shape) + candidate - reference


class Outcome(NamedTuple):
    """Holds the shares of experiments that found something, found the wrong sign, and contained the truth."""

    found: float
    wrong: float
    covered: float
    replicates: float


def decide_experiments(values: np.ndarray, rule: Cut, nominal: float, truth: float) -> Outcome:
    number = len(values)
    ended, found, wrong, covered = (np.zeros(number, bool) for _ in range(4))
    replicates = np.full(number, LOOKS[-1])
    for look in LOOKS:
        mean, error, degrees = summarize(values[:, :look], rule(look, 1 - nominal))
        half = student_t(1 - nominal / 2, degrees) * error
        differs = (np.abs(mean) > half) & (np.abs(mean) >= FLOOR)
        ends = ~ended & (differs | (np.abs(mean) + half <= FLOOR) | (half <= PRECISE_ENOUGH) | (look == LOOKS[-1]))
        found |= ends & differs
        wrong |= ends & differs & (np.sign(mean) != np.sign(truth)) if truth else ends & False
        covered |= ends & (np.abs(mean - truth) <= half)
        replicates[ends] = look
        ended |= ends
    return Outcome(found.mean(), wrong.mean(), covered.mean(), float(np.median(replicates)))


def tabulate_simulation() -> Iterator[str]:
    rng = np.random.Generator(np.random.PCG64(20))
    nulls = rng.standard_normal((NULLS, LOOKS[-1]))
    nominal = {name: find_nominal(rule, nulls) for name, rule in RULES.items()}
    columns = ("spread", "slow processes", "of", "rule", "false", "3 % found", "wrong sign", "holds", "replicates")
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for model in MODELS:
        same = draw_experiments(model, 0.0, EXPERIMENTS, rng)
        more = draw_experiments(model, math.log1p(PLANTED), EXPERIMENTS, rng)
        for name, rule in RULES.items():
            equal = decide_experiments(same, rule, nominal[name], 0.0)
            planted = decide_experiments(more, rule, nominal[name], math.log1p(PLANTED))
            slow = " and ".join(f"{100 * share:.0f} %" for share in model.slow)
            figures = (equal.found, planted.found - planted.wrong, planted.wrong, equal.covered)
            shown = " | ".join(f"{100 * figure:.1f} %" for figure in figures)
            of = f"{100 * model.spread:.1f} % | {slow} | best of {model.best_of}"
            yield f"| {of} | {name} | {shown} | {planted.replicates:.0f} |"


def list_designs(banked: Banked) -> list[str]:
    """Return the designs that a replicate of a bank can be replayed by."""
    return ["a pair", "best of 2", "best of 3"] if banked.further else ["a pair"]


def replay(banked: Sequence[Banked], design: str, clock: str) -> list[list[float]]:
    """Return ln(candidate / reference) of every replicate, a list for each series of pairs that a design gives."""
    if design == "a pair":
        pairs = 1 + min(len(each.further) for each in banked)
        return [[_compare(*2 * [_pairs(each)[pair]], clock, 0) for each in banked] for pair in range(pairs)]
    chosen = [[_best(_pairs(each)[: int(design[-1])], side, clock) for side in "AB"] for each in banked]
    return [[_compare(reference, candidate, clock, CHOSEN_BY) for reference, candidate in chosen]]


def _pairs(banked: Banked) -> list[Samples]:
    return [banked.samples, *banked.further]


def _best(pairs: Sequence[Samples], side: str, clock: str) -> Samples:
    """Return the pair whose process on one side was fastest in the first blocks."""
    return min(pairs, key=lambda pair: median(x for block in _logs(pair, side, clock)[:CHOSEN_BY] for x in block))


def _compare(reference: Samples, candidate: Samples, clock: str, first: int) -> float:
    blocks = zip(_logs(reference, "A", clock)[first:], _logs(candidate, "B", clock)[first:], strict=True)
    return compute_trimmed_mean([sum(theirs) / 2 - sum(ours) / 2 for ours, theirs in blocks])


def _logs(samples: Samples, side: str, clock: str) -> list[list[float]]:
    calls = samples.reference_calls if side == "A" else samples.candidate_calls
    slots = [zip(block.order, getattr(block, clock), strict=True) for block in samples.blocks]
    return [[math.log(value / calls) for slot, value in each if slot == side] for each in slots]


def tabulate_replay(directory: Path) -> Iterator[str]:
    rng = np.random.Generator(np.random.PCG64(21))
    nulls = rng.standard_normal((NULLS, LOOKS[-1]))
    nominal = {name: find_nominal(rule, nulls) for name, rule in RULES.items()}
    series: dict[tuple[str, str, int], list[Banked]] = {}
    for each in read_bank(directory):
        comparison = each.samples.comparison
        series.setdefault((each.condition, comparison.workload, comparison.scale), []).append(each)
    yield "| workload | machine | work | design | spread | winsorized | " + " | ".join(RULES) + " |"
    yield "|---|---|---|---|---|---|" + "---|" * len(RULES)
    for (condition, workload, scale), banked in sorted(series.items()):
        clock = "wall_ns" if workload.startswith("disk") else "cpu_ns"
        for design in list_designs(banked[0]):
            values = replay(banked, design, clock)
            spread = median(np.std(each, ddof=1) for each in values)
            winsorized = median(_deviation(each) for each in values)
            cells = [_describe(values, rule, nominal[name]) for name, rule in RULES.items()]
            shown = f"{100 * spread:.1f} % | {100 * winsorized:.1f} %"
            yield f"| {workload} | {condition} | {scale / 100:.2f} | {design} | {shown} | {' | '.join(cells)} |"


def _deviation(values: Sequence[float]) -> float:
    _, error, degrees = summarize(np.array([values]), int(0.25 * len(values)))
    return float(error[0]) * math.sqrt(degrees + 1)


def _describe(series: Sequence[Sequence[float]], rule: Cut, nominal: float) -> str:
    """Say how many of the experiments one after the other found something, and at how many replicates."""
    found, ended = 0, []
    for values in series:
        start = 0
        while (decision := _decide(values[start:], rule, nominal)) is not None:
            found += decision[0]
            ended.append(decision[1])
            start += decision[1]
    return f"{found} of {len(ended)}, n = {median(ended):.0f}" if ended else "too few"


def _decide(values: Sequence[float], rule: Cut, nominal: float) -> tuple[bool, int] | None:
    for look in LOOKS:
        if look > len(values):
            return None
        outcome = decide_at(values[:look], rule, nominal)
        if outcome is not None or look == LOOKS[-1]:
            return bool(outcome), look
    return None


def decide_at(values: Sequence[float], rule: Cut, nominal: float) -> bool | None:
    """Say whether a look finds a difference, or none that matters; None where measuring goes on."""
    mean, error, degrees = summarize(np.array([values]), rule(len(values), 1 - nominal))
    half = student_t(1 - nominal / 2, degrees) * float(error[0])
    if abs(mean[0]) > half and abs(mean[0]) >= FLOOR:
        return True
    return False if abs(mean[0]) + half <= FLOOR or half <= PRECISE_ENOUGH else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path, default=BANK, help="the folder of a recorded bank")
    parser.add_argument("--only", choices=("simulation", "replay"), help="print one of the two tables")
    options = parser.parse_args()
    if options.only != "replay":
        sys.stdout.writelines(f"{line}\n" for line in (*tabulate_simulation(), ""))
    if options.only != "simulation":
        sys.stdout.writelines(f"{line}\n" for line in tabulate_replay(options.bank))


if __name__ == "__main__":
    main()
