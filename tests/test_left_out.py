"""Does the report say what a set is without each of its members?"""

from pathlib import Path

import msgspec

from argo_bench.harness.record.records import Comparison, Counts, Result
from argo_bench.harness.record.store import Recorded, load
from argo_bench.optimizations.together import MISSING
from argo_bench.study.report.left_out import tabulate_left_out

REFERENCE = Path(__file__).parents[1] / "results" / "reference"


def counts(arm, seed, **found):
    return Counts("FIVE", "cycles, counted", 60, "cycles", arm, seed, {name: float(of) for name, of in found.items()})


def recorded_with(*lines):
    """The stored run, with these lines in the place of all counts of the sets."""
    recorded = load(REFERENCE)
    others = [
        each
        for each in recorded.records[:-1]
        if not (isinstance(each, Counts) and each.optimization in ("FIVE", "ALL"))
    ]
    return Recorded(recorded.directory, [*others, *lines, recorded.records[-1]])


def test_a_record_without_such_counts_has_no_such_table():
    assert tabulate_left_out(recorded_with()).rows == ()


def test_the_stored_run_has_every_member_of_both_sets():
    rows = [row.cells[0] for row in tabulate_left_out(load(REFERENCE)).rows]
    assert len(rows) == len(set(rows)) == 2 * (1 + 5) + 2 * (1 + 15)


def test_each_member_stands_below_its_set_with_counts_of_the_same_seed():
    found = recorded_with(
        counts("prescribed", 2, requests=99),
        counts("prescribed", 1, requests=76, explanations=5, dollars=0.035, hit_rate=0.74),
        counts("prescribed without O03", 1, requests=1470, explanations=8, dollars=0.038),
        counts("prescribed without O04", 1, requests=77),
    )
    rows = [row.cells for row in tabulate_left_out(found).rows]
    assert rows == [
        ("FIVE prescribed", "76", "5", "0.035", "74 %", "-"),
        ("FIVE prescribed without O03", "1,470", "8", "0.038", "-", "-"),
        ("FIVE prescribed without O04", "77", "-", "-", "-", "-"),
    ]


def test_the_time_of_a_signal_stands_beside_what_was_counted():
    recorded = load(REFERENCE)
    result = next(each for each in recorded.all(Result) if each.comparison.optimization == "FIVE")
    at = Comparison("FIVE", MISSING.name, 7, "cycles", "baseline", "prescribed without O03")
    timed = msgspec.structs.replace(result, comparison=at, candidate_ns=98e6)
    found = recorded_with(counts("prescribed without O03", 1, requests=1470), timed)
    assert [row.cells[-1] for row in tabulate_left_out(found).rows] == ["-", "98 ms"]
