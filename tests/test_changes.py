"""Are two runs compared honestly: what flipped, what moved, what is as before, and in what the runs are unlike?"""

import msgspec
import pytest

from argo_bench.harness.record.store import Recorded
from argo_bench.report import changes, trend
from argo_bench.report.webpage import write_page
from argo_bench.study.report.sections import STUDY
from tests.test_report_finding import judgement, recorded
from tests.test_webpage import Page

replace = msgspec.structs.replace


@pytest.fixture
def make(tmp_path):
    """Makes a run of these judgements; ``facts`` are fields of the run that differ from the usual ones."""

    def make(name: str, *judgements, **facts) -> Recorded:
        run, *rest = recorded(tmp_path / name, *judgements).records
        return Recorded(tmp_path / name, [replace(run, run=name, **facts), *rest])

    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    (tmp_path / "older").mkdir()
    return make


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (judgement("confirmed", 2.5), judgement("confirmed", 2.5), "as before"),
        (judgement("confirmed", 2.5), judgement("confirmed", 2.51), "as before"),
        (judgement("confirmed", 2.1), judgement("confirmed", 3.1), "moved"),
        (judgement("confirmed", 2.5), judgement("exceeded", 6.0), "moved"),
        (judgement("confirmed", 2.5), judgement("refuted", 0.9), "flipped"),
        (judgement("void", 2.5), judgement("confirmed", 2.5), "flipped"),
        (judgement("inconclusive", 2.5), judgement("confirmed", 2.5), "decided now"),
        (judgement("confirmed", 2.5), judgement("untested", None), "undecided now"),
        (judgement("untested", None), judgement("inconclusive", 2.5), "as before"),
        (judgement("confirmed", 2.5, half=None), judgement("confirmed", 2.6, half=None), "moved"),
        (
            judgement("confirmed", None, kind="level", metric="hit_rate", level_seen=(0.7, 0.8)),
            judgement("confirmed", None, kind="level", metric="hit_rate", level_seen=(0.81, 0.9)),
            "moved",
        ),
    ],
)
def test_a_change_is_called_what_it_is(before, after, kind):
    assert changes.Change(before, after).kind == kind


def test_flipped_verdicts_come_first_and_what_is_as_before_is_left_out(make):
    claims = "O06.time", "O07.time", "O08.time"
    before = make("before", *(judgement("confirmed", 2.5, claim=each) for each in claims))
    after = make(
        "after",
        judgement("confirmed", 2.5, claim=claims[0]),
        judgement("confirmed", 3.2, claim=claims[1]),
        judgement("refuted", 0.9, claim=claims[2]),
    )
    table = changes.tabulate_changes(before, after)
    assert [row.cells[0].partition(" ")[0] for row in table.rows] == ["O08.time", "O07.time"]
    assert table.rows[0].cells[3] == "0.360x"
    said = changes.describe_changes(before, after)
    assert said == ("Of 3 verdicts in both runs, 1 flipped, 1 the same verdict from figures that moved, 1 as before")


def test_runs_that_are_unlike_are_said_to_be(make):
    before = make("before", judgement(), seed=1)
    environment = {**before.run.environment, "python": "CPython 9.9", "versions": {"numpy": "9.9"}}
    after = make("after", judgement(), seed=2, profile="default", environment=environment)
    (said,) = changes.list_remarks(before, after)
    for words in (f"profile {before.run.profile} against default", "seed 1 against 2", "against CPython 9.9", "numpy"):
        assert words in said
    assert changes.list_remarks(before, before) == []


def test_what_one_run_alone_judged_is_named(make):
    before = make("before", judgement(claim="O06.time"))
    after = make("after", judgement(claim="O07.time"))
    assert changes.describe_changes(before, after) == "The runs have no claim in common"
    earlier, later = changes.list_remarks(before, after)
    assert earlier == "1 verdict of the earlier run alone: O06.time prescribed."
    assert later == "1 verdict of the later run alone: O07.time prescribed."


def test_a_trend_has_a_column_for_each_run_and_a_place_for_each_measurement(make):
    runs = [
        make("older", judgement("refuted", 0.9)),
        make("before", judgement("untested", None)),
        make("after", judgement("confirmed", 2.5)),
    ]
    table = trend.tabulate_trend(runs)
    assert [len(row.cells) for row in table.rows] == [4]
    older, newer = trend.list_dots(runs, "O06.time", "prescribed")
    assert older.x < newer.x
    assert older.y > newer.y  # higher is better, and y points down


def test_a_trend_is_level_where_nothing_surely_moved(make):
    runs = [make("before", judgement("confirmed", 2.5)), make("after", judgement("confirmed", 2.51))]
    one, other = trend.list_dots(runs, "O06.time", "prescribed")
    assert one.y == other.y


def test_the_page_shows_what_changed_and_from_three_runs_on_the_trend(make):
    older, before = make("older", judgement("confirmed", 2.4)), make("before", judgement("confirmed", 2.5))
    after = make("after", judgement("refuted", 0.9))
    alone, two, three = (Page(write_page(after, STUDY, earlier)) for earlier in ([], [before], [older, before]))
    assert "What changed since" not in alone.text
    assert "1 flipped" in two.text
    assert "Trend over" not in two.text
    assert "Trend over 3 runs" in three.text
    for page in (two, three):
        assert {each[1:] for each in page.all("href") if each.startswith("#")} <= set(page.all("id"))
        assert "onerror" not in page.source
