"""A worker is asked about outputs by the functions here; each returns a line of the record, as JSON.

Where whole cases and markets are walked, the garbage collections that a pipeline asks for are left out: they change no
output, and take most of the time.
"""

from __future__ import annotations

import gc
from functools import cache

import msgspec

from argo_bench.harness.record.records import Fidelity
from argo_bench.optimizations import subjects
from argo_bench.optimizations.optimization import Variant
from argo_bench.study.checking import check
from argo_bench.study.checking.failures import Trouble
from argo_bench.study.checking.trace import Oracle, Pace
from argo_bench.study.counts import without_collections
from argo_bench.study.recording import load_inputs


def workload(optimization: str, workload: str, arm: str, reference: str, inputs: str) -> str:
    """Compare an arm's outputs with the reference's on the recorded inputs of a workload."""
    known = subjects()[optimization]
    of = known.workload(workload)
    edits = known.edits(of)
    return encode(check.check_workload(known, of, load_inputs(inputs), edits[reference], edits[arm], arm))


def cases(optimization: str, variant: str) -> str:
    """Compare a variant, or the simple way, with the baseline on the named cases."""
    with without_collections():
        return encode(check.check_on_cases(subjects()[optimization], variant))


def markets(optimization: str, variant: str, universe: str, seeds: list[int], cycles: int) -> str:
    """Compare the decisions of a variant, or of the simple way, with the oracle's on a pickled universe.

    They are compared under every seed.
    """
    oracles = [_oracle(universe, seed, cycles, pace) for seed in seeds for pace in ("fast", "live")]
    with without_collections():
        return encode(check.check_on_markets(subjects()[optimization], variant, oracles))


def failures(optimization: str, variant: Variant, universe: str, seeds: list[int], cycles: int) -> str:
    """Say what a variant loses while providers fail, under every seed."""
    troubles = [_trouble(universe, seed, cycles) for seed in seeds]
    with without_collections():
        return encode(check.check_on_failures(subjects()[optimization], variant, troubles))


def acceptance(universe: str, seeds: list[int], cycles: int) -> str:
    """Count what the oracle's consensus accepted under the first seed."""
    return msgspec.json.encode(_oracle(universe, seeds[0], cycles, "fast").acceptance).decode()


def encode(line: Fidelity) -> str:
    return msgspec.json.encode(line).decode()


@cache
def _oracle(universe: str, seed: int, cycles: int, pace: Pace) -> Oracle:
    found = Oracle.run(load_inputs(universe), seed, cycles, pace)
    gc.freeze()  # what a worker keeps would be looked through by every collection that a variant asks for
    return found


@cache
def _trouble(universe: str, seed: int, cycles: int) -> Trouble:
    return Trouble.run(_oracle(universe, seed, cycles, "fast"))
