"""Do the shares of the fifteen say what each contributes, and what they do not add up to?"""

import math

import pytest

from argo_bench.harness.record.records import Block, Comparison, Samples
from argo_bench.harness.record.store import Recorded, load
from argo_bench.optimizations import BASELINE, build, catalogue
from argo_bench.pipeline.record import find_changed_parts
from argo_bench.report.chart import NARROW
from argo_bench.study.attribution import NAME, ONLY, OPTIMIZATION, WITHOUT, WORKLOAD
from argo_bench.study.report.shares import SHARES, find_shares
from tests.program import argo_here
from tests.test_gate import RUN
from tests.test_report_finding import judgement, recorded

TWO = {"only O07": 2.0, "without O07": 3.0, "only O08": 3.0, "without O08": 2.0, "engineered": 6.0}


def samples(speedups, replicates=3):
    """Of arms that are so many times as fast as the baseline, by a little more in every replicate."""
    found = []
    for arm, speedup in speedups.items():
        comparison = Comparison(NAME, WORKLOAD.name, 24, "cycles", "baseline", arm)
        for number in range(replicates):
            times = tuple(round(1e9 / (1 if slot == "A" else speedup)) for slot in "ABBA")
            block = Block("ABBA", times, times)
            found.append(Samples(comparison, number, number, 1, 1, [block], None, None, None, None))
    return found


def factors(found):
    parts = {each.id: round(math.exp(each.share.theta), 4) for each in found.parts}
    return parts, round(math.exp(found.whole.theta), 4)


def test_independent_switches_share_the_whole_between_them():
    assert factors(find_shares(Recorded(None, [RUN, *samples(TWO)]))) == ({"O08": 3.0, "O07": 2.0}, 6.0)


def test_of_two_that_are_worth_less_together_each_gets_half_of_what_is_lost():
    found = find_shares(Recorded(None, [RUN, *samples(TWO | {"engineered": 4.0})]))
    # alone 3x and 2x; without the one 2x and 3x of 4x are left, so that as the last they are worth 2x and 1.33x
    assert factors(found) == ({"O08": round(math.sqrt(3 * 2), 4), "O07": round(math.sqrt(2 * 4 / 3), 4)}, 4.0)
    assert all(each.interaction == pytest.approx(math.log(4 / 6), abs=1e-6) for each in found.parts)


def test_a_run_without_the_configurations_has_no_shares(tmp_path):
    assert SHARES.picture(recorded(tmp_path, judgement("confirmed", 2.0))) is None


def test_the_figure_says_in_its_table_what_the_shares_do_not_add_up_to():
    picture = SHARES.picture(Recorded(None, [RUN, *samples(TWO | {"engineered": 9.0})]))
    assert picture.figure.get_figwidth() == NARROW
    rows = [row.cells for row in picture.data.rows]
    assert [row[0] for row in rows] == ["O08", "O07", "", ""]
    assert rows[0][5] == "worth 1.50x more"
    assert rows[-1][2].startswith("9x")
    product = math.prod(float(row[2].split("x")[0]) for row in rows[:-1])
    assert product == pytest.approx(9.0, rel=0.02)
    assert picture.svg() == SHARES.picture(Recorded(None, [RUN, *samples(TWO | {"engineered": 9.0})])).svg()


def test_the_configurations_are_each_alone_and_all_but_each():
    edits = OPTIMIZATION.edits(WORKLOAD)
    assert {name for name in edits if name.startswith("only")} == {ONLY.format(each) for each in catalogue()}
    assert {name for name in edits if name.startswith("without")} == {WITHOUT.format(each) for each in catalogue()}
    base = build(BASELINE)
    assert set(find_changed_parts(base, edits["only O11"](base))) == {"encode"}


def test_the_stored_shares_follow_from_their_samples():
    shown = argo_here("verify", "results/reference/shares")
    assert (shown.returncode, shown.stderr) == (0, "")
    found = find_shares(load("results/reference/shares"))
    parts, whole = found.parts, found.whole
    assert {each.id for each in parts} == set(catalogue())
    assert whole.low < whole.theta < whole.high
