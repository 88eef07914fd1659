"""A worker is asked about outputs by the functions here; each returns a line of the record, as JSON."""

from __future__ import annotations

from functools import cache

import msgspec

from argo_bench.optimizations import subjects
from argo_bench.optimizations.optimization import Variant
from argo_bench.study import fidelity
from argo_bench.study.recording import load_inputs


def workload(optimization: str, workload: str, arm: str, reference: str, inputs: str) -> str:
    """Compare an arm's outputs with the reference's on the recorded inputs of a workload."""
    known = subjects()[optimization]
    of = known.workload(workload)
    edits = known.edits(of)
    found = fidelity.check_workload(known, of, load_inputs(inputs), edits[reference], edits[arm], arm)
    return msgspec.json.encode(found).decode()


def variant(optimization: str, variant: Variant, universe: str, seed: int, cycles: int) -> str:
    """Compare a variant's decisions with the oracle's on a pickled universe."""
    found = fidelity.check_variant(subjects()[optimization], variant, _oracle(universe, seed, cycles))
    return msgspec.json.encode(found).decode()


def acceptance(universe: str, seed: int, cycles: int) -> str:
    """Count what the oracle's consensus accepted."""
    return msgspec.json.encode(_oracle(universe, seed, cycles).acceptance).decode()


@cache
def _oracle(universe: str, seed: int, cycles: int) -> fidelity.Oracle:
    return fidelity.Oracle.run(load_inputs(universe), seed, cycles)
