"""Are verdicts on waiting judged anew at other latencies, from the samples alone?"""

from pathlib import Path

import pytest

from argo_bench.harness.record.records import Block, Samples
from argo_bench.harness.record.store import load
from argo_bench.report import text
from argo_bench.study.report.latencies import PERCENT, find_curves, is_waiting, stretch_waits, tabulate_latencies
from argo_bench.study.report.sections import STUDY
from tests.test_report_finding import judgement, recorded

MS = 1_000_000
CLAIM = judgement("exceeded", 9.0, metric="wall")


def samples(reference, candidate, replicate=0):
    """A replicate of four blocks in which an arm has a wall time and a CPU time, in milliseconds."""
    walls, cpus = (tuple(MS * each[clock] for each in (reference, candidate, candidate, reference)) for clock in (0, 1))
    blocks = [Block("ABBA", walls, cpus) for _ in range(4)]
    return Samples(CLAIM.comparison, replicate, 1, 1, 1, blocks, None, None, None, None)


WAITING = [samples((100, 10), (10, 5), number) for number in range(6)]


@pytest.mark.parametrize(
    ("factor", "walls"),
    [(1, (100, 10, 10, 100)), (0.1, (19, 5.5, 5.5, 19)), (3, (280, 20, 20, 280)), (0, (10, 5, 5, 10))],
)
def test_only_what_is_no_cpu_time_is_stretched(factor, walls):
    stretched = stretch_waits(WAITING[0], factor)
    assert stretched.blocks[0].wall_ns == tuple(round(MS * each) for each in walls)
    assert stretched.blocks[0].cpu_ns == WAITING[0].blocks[0].cpu_ns


def test_a_process_that_computes_on_two_processors_waits_for_nothing():
    busy = samples((10, 18), (10, 18))
    assert stretch_waits(busy, 3).blocks == busy.blocks
    assert not is_waiting([busy])


def test_a_claim_is_judged_at_every_latency(tmp_path):
    [curve] = find_curves(recorded(tmp_path, *WAITING, CLAIM))
    assert [spot.scale for spot in curve.spots] == list(PERCENT)
    assert [spot.speedup for spot in curve.spots] == pytest.approx([19 / 5.5, 37 / 6.5, 10.0, 14.0])
    assert {spot.verdict for spot in curve.spots} == {"exceeded"}
    assert curve.holds == "from 10 to 300 % of the latencies"


def test_the_latency_from_which_on_it_holds_is_interpolated(tmp_path):
    lines = [samples((24, 10), (10, 5), number) for number in range(6)]
    [curve] = find_curves(recorded(tmp_path, *lines, CLAIM))
    assert curve.holds == "from 10 to 300 % of the latencies"
    lines = [samples((40, 10), (16, 9), number) for number in range(6)]
    [curve] = find_curves(recorded(tmp_path / "other", *lines, CLAIM))
    assert curve.holds.startswith("from about ")


@pytest.mark.parametrize(
    ("lines", "row"),
    [
        (WAITING, judgement("exceeded", 9.0, metric="cpu")),
        (WAITING, judgement("void", 9.0, metric="wall")),
        ([samples((10, 9), (5, 4))], CLAIM),
        ([], CLAIM),
    ],
)
def test_what_does_not_wait_has_no_curve(tmp_path, lines, row):
    run = recorded(tmp_path, *lines, row)
    assert tabulate_latencies(run).rows == ()
    assert "With other latencies" not in text.markdown(run, STUDY)


def test_the_figure_of_the_shared_cache_is_that_of_its_latencies():
    run = load(Path(__file__).parents[1] / "results" / "reference")
    seen = {
        (each.judgement.claim, each.judgement.arm): [spot.speedup for spot in each.spots] for each in find_curves(run)
    }
    first, *_, last = seen["O01.access", "prescribed"]
    assert last > 10 * first
    assert {"O01.access", "O02.time", "FIVE.time", "ALL.time"} <= {claim for claim, _ in seen}
