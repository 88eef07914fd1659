"""Do all stores give the same value, and do the figures say what was measured of them and of small floats?"""

from pathlib import Path

import msgspec
import pytest

from argo_bench.harness.record.records import Comparison, Counts
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.table import find_benchmarks
from argo_bench.pipeline.world import redis
from argo_bench.report.tables import markdown_table
from argo_bench.study import lookups
from argo_bench.study.report.errors import ERRORS, find_largest_errors
from argo_bench.study.report.lookups import CACHE_PAYS
from argo_bench.study.report.lookups import find_lookups as costs_of
from tests.test_report_finding import judgement, recorded, result


@pytest.mark.skipif(redis.find() is None, reason="no Redis and no Valkey here")
def test_every_store_has_the_value():
    stores = lookups.stores()
    with stores.held:
        found = [getattr(lookups, f"from_{name}")(stores) for name in ("dict", "joblib", "sqlite", "redis")]
    assert found == [lookups.VALUE] * 4


def test_the_benchmarks_are_found_in_their_file():
    assert [each.name for each in find_benchmarks(Path(lookups.__file__))] == ["joblib.Memory", "SQLite", "Redis"]


@pytest.fixture
def measured(tmp_path):
    base = result(judgement())
    return recorded(
        tmp_path,
        *(
            msgspec.structs.replace(
                base,
                comparison=Comparison(store, "call", 1, "calls", "baseline", "candidate"),
                reference_ns=100.0,
                candidate_ns=ns,
            )
            for store, ns in (("Redis", 100_000.0), ("SQLite", 10_000.0))
        ),
    )


def test_look_ups_are_sorted_by_what_they_cost(measured):
    assert list(costs_of(measured).items()) == [("dict", 100.0), ("SQLite", 10_000.0), ("Redis", 100_000.0)]


def test_a_store_pays_from_the_share_of_its_look_up_in_the_computation_on(measured):
    behind = judgement("confirmed", 2.0, claim="O07.time", workload="regime, live trace")
    regime = msgspec.structs.replace(result(behind), reference_ns=50_000.0)
    both = Recorded(None, [*measured.records, regime])
    picture = CACHE_PAYS.picture(both)
    assert [row.cells[-1] for row in picture.data.rows] == ["0.2 %", "20 %", "never"]
    again = Recorded(None, [*measured.records, msgspec.structs.replace(regime, reference_ns=1e9)])
    assert [row.cells[-1] for row in CACHE_PAYS.picture(again).data.rows] == ["less than 0.1 %"] * 3
    assert "look-ups in dict, SQLite, Redis." in picture.alt
    assert picture.svg() == CACHE_PAYS.picture(both).svg()


def test_a_run_of_anything_else_has_neither_figure(tmp_path):
    other = recorded(tmp_path, result(judgement()))
    assert CACHE_PAYS.picture(other) is None
    assert ERRORS.picture(other) is None


def test_the_largest_errors_are_the_medians_over_the_seeds_and_none_is_said_as_that(tmp_path):
    counts = [
        Counts("O09", "frames", 300, "bars", arm, seed, {"largest error of volume": error}, None)
        for arm, values in (
            ("baseline", (0.0, 0.0, 0.0)),
            ("prescribed", (1e-8, 3e-8, 2e-8)),
            ("engineered", (0.0,) * 3),
        )
        for seed, error in enumerate(values)
    ]
    run = recorded(tmp_path, *counts)
    assert find_largest_errors(run) == {"volume": {"prescribed": 2e-8, "engineered": 0.0}}
    picture = ERRORS.picture(run, "dark")
    assert picture.alt.endswith("a mark for each of prescribed, engineered.")
    assert "| volume | 2.0e-08 | none |" in markdown_table(picture.data)
