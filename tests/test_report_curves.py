"""Do the verdicts over the change rate stand in a table and in a figure?"""

import pytest

from argo_bench.harness.record.records import Spot
from argo_bench.report import verdicts
from argo_bench.study.records import LiveRates
from argo_bench.study.report.curves import CURVES
from tests.test_report_finding import judgement, recorded
from tests.test_report_tables import printed

CURVE = (
    Spot(0, 4.0, (3.9, 4.1), "exceeded"),
    Spot(20, 1.3, (1.2, 1.4), "fell short"),
    Spot(100, 0.8, (0.7, 0.9), "refuted"),
)
STEEP = (Spot(0, 9.0, None, "exceeded"), Spot(50, 1e9, (1e9, 1e9), "exceeded"))


def test_the_change_rates_are_columns_with_ratio_and_verdict(tmp_path):
    one = judgement("fell short", 1.3, curve=CURVE)
    other = judgement("exceeded", 9.0, claim="O03.calls", metric="requests", reference="fixed 20 s", curve=STEEP)
    run = recorded(tmp_path, one, other)
    table = verdicts.tabulate_curves(run)
    assert [column.name for column in table.columns] == [
        "claim",
        "0 % ticking",
        "20 % ticking",
        "50 % ticking",
        "100 % ticking",
    ]
    assert [row.cells for row in table.rows] == [
        ("O06.time\nprescribed", "4.00x\n▲ exceeded", "1.30x\n◐ fell short", "-", "0.80x\n✗ refuted"),
        (
            "O03.calls\nprescribed vs fixed 20 s",
            "9.00x\n▲ exceeded",
            "-",
            "no requests left\n▲ exceeded",
            "-",
        ),
    ]
    assert max(len(line) for line in printed(run).splitlines()) <= 80


def panels(directory, *records, theme="light"):
    picture = CURVES.picture(recorded(directory, *records), theme)
    assert picture is not None
    return picture


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_panel_has_a_line_for_each_variant_told_by_marker_and_dashes_too(tmp_path, theme):
    variants = [judgement("fell short", 1.3, arm=arm, curve=CURVE) for arm in ("prescribed", "engineered")]
    (axes,) = panels(tmp_path, *variants, theme=theme).figure.axes
    lines = [line for line in axes.lines if line.get_marker() in ("^", "o")]
    assert [(line.get_marker(), line.get_linestyle()) for line in lines] == [("^", "--"), ("o", "-")]
    assert [list(line.get_ydata()) for line in lines] == [[4.0, 1.3, 0.8]] * 2
    intervals = [list(line.get_ydata()) for line in axes.lines if line.get_linewidth() == 4]
    assert intervals == [[3.9, 4.1], [1.2, 1.4], [0.7, 0.9]] * 2


def test_a_panel_holds_the_claimed_range_and_1x_and_says_what_is_counted(tmp_path):
    one = judgement("fell short", 1.3, claim="O03.calls", metric="requests", reference="fixed 20 s", curve=CURVE)
    (axes,) = panels(tmp_path, one).figure.axes
    low, high = axes.get_ylim()
    assert low < 0.7 and high > 4.1
    assert axes.get_title("left").strip() == "O03.calls adaptive TTL"
    assert [text.get_text() for text in axes.texts] == ["requests vs fixed 20 s"]
    assert [1, 1] in [list(line.get_ydata()) for line in axes.lines]


def test_an_open_claim_far_away_does_not_stretch_a_panel(tmp_path):
    one = judgement("fell short", 1.3, kind="at_least", low=21_492, high=None, curve=CURVE)
    (axes,) = panels(tmp_path, one).figure.axes
    assert axes.get_ylim()[1] < 10


def test_claims_on_the_same_ratios_share_a_panel_under_the_headline_ones_name(tmp_path):
    later = judgement("fell short", 1.3, claim="O06.cost", headline=False, curve=CURVE)
    headline = judgement("fell short", 1.3, curve=CURVE)
    elsewhere = judgement("fell short", 1.3, claim="O12.time", curve=CURVE)
    titles = [axes.get_title("left").split()[0] for axes in panels(tmp_path, later, headline, elsewhere).figure.axes]
    assert titles == ["O06.time", "O12.time"]


def test_the_rate_of_a_live_market_is_marked(tmp_path):
    one = judgement("fell short", 1.3, curve=CURVE)
    (axes,) = panels(tmp_path, one, LiveRates({"AAPL": 0.97, "KO": 0.87})).figure.axes
    (mark,) = (line for line in axes.lines if line.get_linestyle() == ":")
    assert list(mark.get_xdata()) == pytest.approx([92, 92])


def test_the_table_of_curves_gives_every_ratio(tmp_path):
    picture = panels(tmp_path, judgement("fell short", 1.3, curve=CURVE))
    assert picture.alt.endswith("over the share of ticking symbols, for O06.time.")
    cells = " ".join(cell for row in picture.data.rows for cell in row.cells)
    for ratio in ("4.00x", "1.30x", "0.80x"):
        assert ratio in cells


def test_there_are_no_curves_without_a_claim_that_has_one(tmp_path):
    assert CURVES.picture(recorded(tmp_path, judgement())) is None


def test_a_count_that_has_gone_does_not_stretch_a_panel(tmp_path):
    one = judgement("exceeded", 9.0, claim="O03.calls", metric="requests", curve=STEEP)
    (axes,) = panels(tmp_path, one).figure.axes
    assert axes.get_ylim()[1] < 1e3
