"""Do the tables of trials say what was seen, against what, and no more than the rounds bear?"""

from pathlib import Path

import pytest
from rich.console import Console

from argo_bench.harness.record.records import Observed, Run, Tried
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics.estimate import estimate
from argo_bench.report.tables import markdown_table, terminal_table
from argo_bench.report.trials import tabulate_trials

REFERENCE, OTHER = "small pools", "large pools"
CONDITIONS = tuple(f"{number} in flight" for number in (1, 8, 32, 64))


def recorded(*records):
    run = Run(
        schema=1,
        run="a run",
        started="",
        command="",
        profile="default",
        isolation="shared",
        seed=1,
        looks=[2],
        symbols={},
        source="",
        optimizations=["O14"],
        environment={},
    )
    return Recorded(Path("nowhere"), [run, *records])


def trial(*compared, name="load"):
    return Tried("O14", name, "requests under load", REFERENCE, [*compared], False)


def seen(arm, condition=CONDITIONS[0], name="load", **values):
    return Observed("O14", name, condition, arm, values)


def rounds(condition=CONDITIONS[0], factor=2.0, count=3):
    """Rounds of the reference about 100 requests/s and of another arm with ``factor`` times as many."""
    for number in range(count):
        speed = 100.0 + 2 * number
        yield seen(REFERENCE, condition, rate=speed, failed=0.0)
        yield seen(OTHER, condition, rate=factor * speed * (1 + 0.01 * (number - 1)), failed=0.0)


def only_table(*records, brief=False):
    (table,) = tabulate_trials(recorded(*records), brief=brief)
    return table


def cells(table):
    return [row.cells for row in table.rows]


def test_every_arm_has_a_row_under_its_condition_with_its_values():
    table = only_table(trial(), seen("one", rows=3.0), seen("two", rows=4.0), seen("one", CONDITIONS[1], rows=5.0))
    assert cells(table) == [
        ("under", CONDITIONS[0]),
        ("one", "rows: 3"),
        ("two", "rows: 4"),
        ("under", CONDITIONS[1]),
        ("one", "rows: 5"),
    ]
    assert [row.strong for row in table.rows] == [True, False, False, True, False]
    assert (table.title, table.note) == ("O14 tried on real systems: load", "requests under load.")
    assert [each.name for each in table.columns] == ["version", "measured"]


def test_of_several_rounds_the_median_is_shown_and_said_to_be_one():
    table = only_table(trial(), *(seen("one", ms=value) for value in (1.0, 90.0, 2.5)))
    assert cells(table)[1] == ("one", "ms: 2.5")
    assert table.note == "requests under load. Medians of 3 rounds."


def test_numbers_are_short_and_whole_ones_whole():
    values = {"rows": 12_345.0, "us": 1_234.56, "ms": 0.123456, "s": 40.0}
    assert cells(only_table(trial(), seen("one", **values)))[1][1].split("\n") == [
        "rows: 12,345",
        "us: 1,235",
        "ms: 0.123",
        "s: 40",
    ]


def test_zeros_stand_together_in_one_line_at_the_end():
    table = only_table(trial(), seen("one", lost=0.0, kills=10.0, twice=0.0))
    assert cells(table)[1][1] == "kills: 10\nnone: lost, twice"


def test_a_value_that_is_zero_in_some_rounds_alone_is_not_among_the_zeros():
    table = only_table(trial(), seen("one", lost=0.0), seen("one", lost=0.0), seen("one", lost=3.0))
    assert cells(table)[1][1] == "lost: 0"


def test_a_compared_value_has_its_ratio_paired_by_round_with_an_interval_at_95_percent():
    table = only_table(trial("rate"), *rounds())
    _, reference, other = cells(table)
    assert reference == (REFERENCE, "rate: 102\nnone: failed")
    expected = estimate([0.6830968447064438, 0.6931471805599453, 0.703097511413113], 0.95)
    assert expected.low < expected.theta < expected.high
    assert other == (OTHER, "rate: 204   2x [1.95, 2.05]\nnone: failed")
    assert table.columns[1].name == f"measured, and its ratio to {REFERENCE}"


def test_a_single_round_has_a_ratio_without_an_interval():
    assert cells(only_table(trial("rate"), *rounds(count=1)))[2][1].startswith("rate: 198   1.98x\n")


@pytest.mark.parametrize("value", [0.0, None])
def test_there_is_no_ratio_where_one_of_the_two_is_nothing(value):
    other = {} if value is None else {"rate": value}
    table = only_table(trial("rate"), seen(REFERENCE, rate=5.0), seen(OTHER, failed=1.0, **other))
    assert "x" not in cells(table)[2][1]


def test_there_is_no_ratio_without_the_reference():
    assert cells(only_table(trial("rate"), seen(OTHER, rate=5.0)))[1] == (OTHER, "rate: 5")


def test_over_all_conditions_it_is_said_in_how_many_an_arm_changes_anything():
    factors = dict(zip(CONDITIONS, (2.0, 3.0, 0.5, 1.0), strict=True))
    table = only_table(trial("rate"), *(each for where, factor in factors.items() for each in rounds(where, factor)))
    (heading, (arm, said)) = cells(table)[-2:]
    assert heading == ("together", "all 4 conditions")
    assert arm == OTHER
    # ln of 2, 3, 1/2 and 1: mean 0.2747, deviation 0.789, t(3) = 3.182
    assert said == (
        "rate: 1.32x [0.375, 4.62] on average; more in 2 (2x to 3x); less in 1 (0.5x); no difference shown in 1 "
        "(if any, below 1.05x)"
    )


def test_a_single_round_bounds_no_condition():
    table = only_table(trial("rate"), *(each for where in CONDITIONS for each in rounds(where, count=1)))
    assert cells(table)[-1] == (OTHER, "rate: 1.98x [1.98, 1.98] on average; no difference shown in 4")


def test_an_arm_that_has_nothing_to_compare_is_not_summed_up():
    where = [each for condition in CONDITIONS for each in (seen(REFERENCE, condition, rate=1.0), seen("x", condition))]
    assert cells(only_table(trial("rate"), *where))[-1] == ("together", "all 4 conditions")


def test_the_brief_form_of_a_grid_is_its_summary():
    grid = [each for where in CONDITIONS for each in rounds(where)]
    assert [row[0] for row in cells(only_table(trial("rate"), *grid, brief=True))] == ["together", OTHER]
    assert len(cells(only_table(trial("rate"), *grid))) == 4 * 3 + 2


def test_the_brief_form_keeps_what_is_no_grid_and_what_has_no_summary():
    few = [each for where in CONDITIONS[:3] for each in rounds(where)]
    assert len(cells(only_table(trial("rate"), *few, brief=True))) == 3 * 3 + 2
    grid = [each for where in CONDITIONS for each in rounds(where)]
    assert len(cells(only_table(trial(), *grid, brief=True))) == 4 * 3


def test_a_trial_that_saw_nothing_has_no_table():
    assert tabulate_trials(recorded(trial())) == []


def test_a_trial_that_was_begun_again_shows_the_second_time_alone():
    first, second = seen("one", rows=1.0), seen("one", rows=2.0)
    table = only_table(trial(), first, first, trial(), second)
    assert cells(table)[1:] == [("one", "rows: 2")]
    assert table.note == "requests under load."


def test_trials_do_not_mix():
    one, other = tabulate_trials(
        recorded(trial(), trial(name="idle"), seen("a", rows=1.0), seen("a", name="idle", rows=2.0))
    )
    assert (cells(one)[1], cells(other)[1]) == (("a", "rows: 1"), ("a", "rows: 2"))


def test_no_number_or_interval_is_broken_on_a_terminal_of_80_columns():
    condition = "64 in flight, TLS, RTT 20 ms"
    values = {"requests/s": 12_345.0, "p50 ms": 20.123, "p95 ms": 31.5, "discards": 0.0, "handshakes": 0.0}
    records = [
        seen(arm, condition, **{name: value * (1 + 0.01 * number) for name, value in values.items()})
        for number in range(3)
        for arm in (REFERENCE, "session at its defaults")
    ]
    table = only_table(trial("requests/s", "p50 ms"), *records)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(terminal_table(table))
    shown = capture.get()
    assert max(map(len, shown.splitlines())) <= 80
    assert condition in shown
    for line in table.rows[-1].cells[1].split("\n"):
        assert line in shown
    assert condition in markdown_table(table)
