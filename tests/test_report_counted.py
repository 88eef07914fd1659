"""Do exact counts say what each arm does to the output, and what for?"""

import re
from itertools import combinations

import pytest
from matplotlib.text import Text

from argo_bench.harness.record.records import Caching, Counts
from argo_bench.report import counts as counted_tables
from argo_bench.report import text
from argo_bench.report.chart import COLOURS
from argo_bench.study.report.frontier import FRONTIER
from argo_bench.study.report.sections import STUDY
from tests.test_report_finding import judgement, recorded
from tests.test_report_tables import printed

DAY, TICKING = "fetch, a trading day", "fetch, by share of ticking"
ARMS = {
    "baseline": (0.0, 1000.0),
    "prescribed": (1195.0, 40.0),
    "engineered": (58.0, 180.0),
    "fixed 20 s": (19.0, 250.0),
    "fixed 60 s": (58.0, 83.0),
    "fixed 300 s": (295.0, 17.0),
    "cachetools 20 s": (19.0, 250.0),
}
"""Age and requests of every arm."""


def trading_day(workload: str = DAY, **arms: tuple[float, float]) -> list[Counts]:
    """Two seeds of every arm, the second with ten requests more, at two scales."""
    return [
        Counts(
            "O03",
            workload,
            scale,
            "cycles",
            arm,
            seed,
            {
                "requests": requests + 10 * seed,
                "model_calls": 0.0,
                **({} if arm == "baseline" else {"hits": 1.0, "misses": 1.0, "hit_rate": 0.75 + 0.05 * seed}),
                "data age p99 s": age,
                "wrong prices": 0.0,
            },
        )
        for scale in (4680, 360)
        for arm, (age, requests) in (arms or ARMS).items()
        for seed in (0, 1)
    ]


def test_damage_stands_beside_what_it_is_done_for(tmp_path):
    table = counted_tables.tabulate_damage(recorded(tmp_path, *trading_day()))
    assert [row.cells for row in table.rows[:3]] == [
        ("O03", "adaptive TTL: fetch, a trading day at 4,680 cycles", ""),
        ("baseline", "none: data age p99 s, wrong prices", "requests: 1,005 (1,000 to 1,010)"),
        (
            "prescribed",
            "data age p99 s: 1,195\nnone: wrong prices",
            "requests: 45 (40 to 50)\nhit rate: 77.5 % (75 % to 80 %)",
        ),
    ]
    assert len(table.rows) == 1 + len(ARMS)


def test_the_terminal_has_medians_and_the_arms_and_workloads_that_a_verdict_speaks_of(tmp_path):
    spoken = judgement("fell short", 2.0, claim="O03.calls", metric="requests", reference="fixed 20 s", workload=DAY)
    run = recorded(tmp_path, spoken, *trading_day(), *trading_day(TICKING))
    table = counted_tables.tabulate_damage(run, brief=True)
    assert [row.cells[0] for row in table.rows] == ["O03", "baseline", "prescribed", "fixed 20 s"]
    assert table.rows[1].cells[2] == "requests: 1,005"
    assert "The saved report has ranges, other versions and workloads" in table.note
    assert max(len(line) for line in printed(run).splitlines()) <= 80


def test_an_arm_that_raised_says_so_in_the_place_of_its_counts(tmp_path):
    error = "KeyError: 'close'"
    failed = [Counts("O03", DAY, 4680, "cycles", "engineered", seed, {}, error) for seed in (0, 1)]
    found = trading_day(baseline=(0.0, 9.0)) + failed
    assert counted_tables.tabulate_damage(recorded(tmp_path, *found)).rows[-1].cells == (
        "engineered",
        f"raised {error}",
        "-",
    )


def test_workloads_without_damage_are_left_to_the_verdicts(tmp_path):
    plain = [Counts("O03", DAY, 4680, "cycles", arm, 0, {"requests": 9.0, "hits": 1.0}) for arm in ARMS]
    assert counted_tables.tabulate_damage(recorded(tmp_path, *plain)).rows == ()


@pytest.mark.parametrize(
    ("value", "words"), [(0.0, "0"), (168480.0, "168,480"), (1234.5, "1,234"), (12.345, "12.3"), (0.000321, "0.000321")]
)
def test_a_count_is_written_whole_and_a_measure_with_three_digits(value, words):
    assert counted_tables.format_count(value) == words


@pytest.mark.parametrize(
    ("break_even", "words"),
    [(2.0, "never: a hit costs more than computing"), (0.42, "42 % hits"), (0.0, "any hit rate"), (1.0, "100 % hits")],
)
def test_a_cache_pays_from_a_hit_rate_on_or_never(tmp_path, break_even, words):
    rates = {"consensus, live trace, 6 symbols": 0.613, "consensus, live trace, 30 symbols": 0.64}
    run = recorded(tmp_path, Caching("O06", "engineered", 6, "symbols", break_even, rates))
    assert [row.cells for row in counted_tables.tabulate_caches(run).rows] == [
        (
            "O06 engineered\nat 6 symbols",
            "61.3 % on consensus, live trace, 6 symbols\n64 % on consensus, live trace, 30 symbols",
            words,
        )
    ]
    assert max(len(line) for line in printed(run).splitlines()) <= 80


def test_counts_and_caches_are_in_the_page_in_markdown_and_html(tmp_path):
    run = recorded(tmp_path, *trading_day(), Caching("O06", "engineered", 6, "symbols", 0.42, {}))
    titles = [table.title for table in text.tabulate(run, STUDY, "terminal")]
    assert titles == [
        "Versions that another one beats",
        "Harm to the output, and what it is done for",
        "When a cache pays",
    ]
    assert "data age p99 s: 1,195<br>none: wrong prices" in text.markdown(run, STUDY)
    assert "data age p99 s: 1,195<br>" in text.html(run, STUDY)
    assert "****" not in text.markdown(run, STUDY)


def test_the_frontier_has_a_marker_and_a_name_for_every_arm(tmp_path):
    picture = FRONTIER.picture(recorded(tmp_path, *trading_day(), *trading_day(TICKING)))
    assert picture is not None
    (axes,) = picture.figure.axes
    assert {text.get_text() for text in axes.texts} >= set(ARMS)
    marked = [line.get_marker() for line in axes.lines if line.get_marker() != "None"]
    assert len(marked) == len(set(marked)) == len(ARMS)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("data age p99 s", "requests")


def test_arms_with_a_fixed_lifetime_are_joined_in_the_order_of_their_damage(tmp_path):
    picture = FRONTIER.picture(recorded(tmp_path, *trading_day()))
    assert picture is not None
    joined = [line for line in picture.figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert [list(line.get_xdata()) for line in joined] == [[19.0, 58.0, 295.0]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_names_of_a_frontier_do_not_cover_each_other(tmp_path, theme):
    picture = FRONTIER.picture(recorded(tmp_path, *trading_day()), theme)
    assert picture is not None
    picture.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(each) for each in picture.figure.axes[0].texts if each.get_text() in ARMS]
    assert not any(box.overlaps(other) for box in boxes for other in boxes if other is not box)
    assert picture.figure.get_facecolor() == pytest.approx(_rgba(COLOURS[theme].background))


def test_names_of_marks_at_one_place_stand_apart_with_a_line_to_what_is_farther_away(tmp_path):
    picture = FRONTIER.picture(recorded(tmp_path, *trading_day(**dict.fromkeys(ARMS, (0.0, 500.0)))))
    assert picture is not None
    picture.figure.draw_without_rendering()
    names = [text for text in picture.figure.axes[0].texts if text.get_text() in ARMS]
    assert len(names) == len(ARMS)
    words = [Text.get_window_extent(name) for name in names]  # without the lines that lead to the marks
    assert not any(one.overlaps(other) for one, other in combinations(words, 2))
    assert any(name.arrow_patch is not None for name in names)


def _rgba(colour: str) -> tuple[float, ...]:
    return (*(int(each, 16) / 255 for each in re.findall("..", colour[1:])), 1.0)


def test_the_table_of_a_frontier_gives_both_counts_of_every_arm(tmp_path):
    picture = FRONTIER.picture(recorded(tmp_path, *trading_day()))
    assert picture is not None
    assert picture.alt.endswith("for O03 adaptive TTL (requests over data age p99 s).")
    assert {("baseline", "0", "1,005"), ("prescribed", "1,195", "45")} <= {row.cells for row in picture.data.rows}


def test_there_is_no_frontier_without_a_workload_that_names_one(tmp_path):
    assert FRONTIER.picture(recorded(tmp_path, *trading_day(TICKING))) is None


def test_arms_that_do_no_damage_at_all_still_make_a_frontier(tmp_path):
    picture = FRONTIER.picture(recorded(tmp_path, *trading_day(baseline=(0.0, 5.0), engineered=(0.0, 5.0))))
    assert picture is not None
    assert picture.svg().startswith(b"<?xml")
