"""Does every row that is not reached say when it would be, or why nowhere, and does the reference count apart?"""

from pathlib import Path

import msgspec
import pytest

from argo_bench.harness.claims.verdict import HOLDS
from argo_bench.harness.record.records import Counts, Declaration, Judgement, Spot
from argo_bench.harness.record.store import load
from argo_bench.optimizations import catalogue
from argo_bench.report import conditions, verdicts
from argo_bench.report.references import find_dependent
from argo_bench.report.title import summarize, write_title
from argo_bench.study.subject import declaration_of
from tests.test_report_finding import RUN, judgement, recorded

NOWHERE = "nowhere measured"
MISSED = "no tested condition reaches the claim"
REFERENCE = load(Path(__file__).parents[1] / "results" / "reference")


def spots(*speedups):
    return tuple(
        Spot(scale, speedup, None, "fell short") for scale, speedup in zip((6, 30, 120), speedups, strict=False)
    )


def level(verdict, low, high):
    return judgement(verdict, None, kind="level", low=0.7, high=1.0, metric="hit_rate", level_seen=(low, high))


def counted(scale, *rates):
    return [
        Counts("O06", "consensus, hit", scale, "symbols", "prescribed", seed, {"hit_rate": rate})
        for seed, rate in enumerate(rates)
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            judgement("fell short", 1.5, holds_when=NOWHERE),
            f"{MISSED}: only one input size was measured, 6 symbols: there it is 1.50x, and "
            "2.00x is the least that was claimed",
        ),
        (
            judgement("fell short", 1.5, holds_when=NOWHERE, strip=spots(1.5, 1.9, 1.7)),
            f"{MISSED}: from 6 to 120 symbols the most is 1.90x, at 30, and 2.00x is the least that was claimed",
        ),
        (
            judgement("fell short", 1.5, holds_when=NOWHERE, curve=spots(1.5, 1.2), kind="direction", low=None),
            f"{MISSED}: from 6 to 30 % ticking the most is 1.50x, at 6, and 1.01x is the least that was claimed",
        ),
        (judgement("fell short", 1.5, holds_when="from about 60 bars on"), "from about 60 bars on"),
        (
            judgement("inconclusive", 1.9, holds_when=NOWHERE),
            "undecided; it would take 31 replicates (25 more, about 40 s in all) to tell it from 2x",
        ),
        (
            judgement("inconclusive", 1.9, holds_when="from 6 to 120 symbols"),
            "from 6 to 120 symbols\n"
            "undecided; it would take 31 replicates (25 more, about 40 s in all) to tell it from 2x",
        ),
        (
            judgement("untested", None, flags=("polars is not installed",)),
            "not measured: polars is not installed",
        ),
        (
            judgement("void", 3.0, output="differs: all"),
            "never: the output differs, so that no figure counts",
        ),
    ],
)
def test_a_row_that_is_not_reached_says_why(tmp_path, row, said):
    assert conditions.explain(recorded(tmp_path, row), row) == said


def test_a_contradiction_of_the_mean_is_told(tmp_path):
    flag = "a typical call is 1.9x faster [1.7x, 2.1x], but some are dear: on the mean it is 1.2x slower [1.1x, 1.3x]"
    row = msgspec.structs.replace(judgement("inconclusive", 1.9, flags=(flag,)), needs=None)
    assert conditions.explain(recorded(tmp_path, row), row) == f"undecided, because {flag}"


def test_a_level_is_looked_for_at_every_scale(tmp_path):
    row = level("fell short", 0.5, 0.6)
    run = recorded(tmp_path, row, *counted(6, 0.5, 0.6), *counted(30, 0.75, 0.9), *counted(120, 0.65, 0.9))
    assert conditions.explain(run, row) == "at 30 symbols"
    run = recorded(tmp_path / "low", row, *counted(6, 0.5, 0.6), *counted(30, 0.55, 0.56))
    assert conditions.explain(run, row) == (
        f"{MISSED}: the nearest is 55 to 56 % at 30 symbols, and 70 % to 100 % was claimed"
    )


def test_a_bound_that_was_declared_stands_in_the_place_of_the_nearest(tmp_path):
    bound = "one analysis call is the critical path, 48 % of the time"
    declared = declaration_of(catalogue()["O06"])
    claims = [msgspec.structs.replace(each, bound=bound) for each in declared.claims]
    row = judgement("fell short", 1.5, holds_when=NOWHERE)
    run = recorded(
        tmp_path, msgspec.structs.replace(declared, claims=claims), row, run=msgspec.structs.replace(RUN, schema=4)
    )
    assert conditions.explain(run, row) == f"{MISSED}: {bound}"
    assert len(run.all(Declaration)) == 1


def test_every_row_of_the_stored_run_that_is_not_reached_says_why():
    missed = [each for each in REFERENCE.all(Judgement) if each.verdict not in HOLDS]
    rows = conditions.tabulate_conditions(REFERENCE).rows
    assert len(rows) == len(missed)
    assert all(row.cells[2] and row.cells[2] != NOWHERE for row in rows)


def against(reference, verdict, claim, *, headline=False, **more):
    return judgement(verdict, claim=claim, reference=reference, headline=headline, **more)


def test_a_claim_that_holds_against_one_reference_alone_is_counted_apart_and_named(tmp_path):
    rows = [
        against("baseline", "refuted", "O08.time", headline=True),
        against("iterrows", "exceeded", "O08.iterrows"),
        against("baseline", "confirmed", "O06.time", headline=True),
    ]
    run = recorded(tmp_path, *rows)
    assert find_dependent(rows) == {("O08.time", "prescribed"), ("O08.iterrows", "prescribed")}
    title = write_title(run)
    assert title.endswith("1 of 2 claims is reached; the output is kept; 1 depends on the reference (O08.time)")
    assert summarize(run)[0]["depends"] == ["O08.time"]
    shown = verdicts.tabulate_verdicts(run, "Verdicts", rows).rows
    assert [row.cells[0].endswith("\ndepends on the reference") for row in shown] == [True, True, False]


def test_a_claim_that_holds_against_its_own_reference_and_no_other_is_not_counted_as_reached(tmp_path):
    rows = [
        against("iterrows", "exceeded", "O08.time", headline=True),
        against("baseline", "fell short", "O08.list"),
    ]
    assert "0 of 1 claim" in write_title(recorded(tmp_path, *rows))


def test_further_references_may_stand_in_a_workload_of_the_same_inputs():
    rows = [
        against("baseline", "refuted", "O08.time", headline=True, workload="five outputs"),
        against("iloc slices", "confirmed", "O08.time-slices", workload="five outputs, loops in pandas"),
    ]
    assert find_dependent(rows) == {("O08.time", "prescribed"), ("O08.time-slices", "prescribed")}


@pytest.mark.parametrize(
    "other",
    [
        against("iterrows", "exceeded", "O08.other", text="another sentence"),
        against("iterrows", "exceeded", "O08.other", workload="elsewhere"),
        against("iterrows", "inconclusive", "O08.other"),
        against("iterrows", "fell short", "O08.other"),
        against("baseline", "confirmed", "O08.other"),
        against("iterrows", "exceeded", "O08.other", metric="wall"),
        against("iterrows", "exceeded", "O08.other", arm="engineered"),
    ],
)
def test_only_decided_words_on_one_sentence_and_workload_can_disagree(other):
    assert find_dependent([against("baseline", "refuted", "O08.time", headline=True), other]) == set()
