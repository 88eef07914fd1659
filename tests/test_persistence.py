"""Are verdicts that hang on how long opinions last given at three time constants, beside the headline's?"""

import pytest

from argo_bench.harness.claims.metrics import is_count
from argo_bench.optimizations import subjects
from argo_bench.optimizations.optimization import CYCLE, Call, Replay
from argo_bench.optimizations.persistence import JUDGED, MINUTES, count_changed_signals
from argo_bench.pipeline.model import Decision, Readings
from argo_bench.pipeline.record import Cycle


@pytest.mark.parametrize("identifier", JUDGED)
def test_every_headline_on_a_count_is_judged_at_every_time_constant_and_nothing_is_timed(identifier):
    subject = subjects()[identifier]
    headlines = [claim for claim in subject.claims if claim.headline and is_count(claim.metric)]
    assert headlines
    for claim in headlines:
        for minutes in MINUTES:
            further = next(each for each in subject.claims if each.id == f"{claim.id}-{minutes:g}min")
            workload = subject.workload(further.workload)
            assert (workload.opinion_minutes, workload.timed) == (minutes, False)
            assert (further.low, further.high, further.reference) == (claim.low, claim.high, claim.reference)
            assert further.reference in subject.edits(workload)
            assert not further.headline
            assert "2026-11-29" in further.reading


def test_others_are_judged_on_their_own_workloads_alone():
    for subject in subjects().values():
        if subject.id not in JUDGED:
            assert all(workload.opinion_minutes is None for workload in subject.workloads)


def test_changed_signals_are_missed_added_and_flipped(a_decision):
    def replay(*signals):
        cycles = [Cycle(tuple(each), (), (), Readings((), (), None)) for each in signals]
        return Replay([Call(0.0, 0.0, number, (), each) for number, each in enumerate(cycles)], None, None)

    long, short = a_decision("AAA", "LONG"), a_decision("AAA", "SHORT")
    other = a_decision("BBB", "LONG")
    assert count_changed_signals(replay([long, other], [long]), replay([short], [long, other])) == {
        "signals due": 3.0,
        "signals missed": 1.0,
        "signals added": 1.0,
        "signals flipped": 1.0,
    }


@pytest.fixture
def a_decision():

    def make(symbol, direction):
        return Decision("id", symbol, direction, 1.0, 1.0, 1.0, 80.0, "TRENDING", "s", (), 0.0, 1.0)

    return make


def test_whole_cycles_say_what_becomes_of_their_signals():
    for identifier in ("O03", "ALL"):
        walks = [each for each in subjects()[identifier].workloads if each.opinion_minutes is not None]
        assert {each.stage for each in walks} == {CYCLE}
        assert {each.damage for each in walks} == {count_changed_signals}
