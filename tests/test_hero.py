"""Can every claim of the title be counted in the picture, on a screen and on a phone, and is nothing hidden in it?"""

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from argo_bench.harness.claims.verdict import HOLDS
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import load
from argo_bench.report import finding
from argo_bench.report.chart import COLOURS, FONTS, MARK, get_hue
from argo_bench.report.charts.hero import HERO
from argo_bench.report.charts.rows import MOST_ROWS, find_hero
from argo_bench.report.inline import make_inline
from argo_bench.report.references import find_dependent
from argo_bench.report.title import summarize, write_title
from tests.test_report_finding import judgement, recorded

REFERENCE = load(Path(__file__).parents[1] / "results" / "reference")
LIGHT = COLOURS["light"]
REACHED = get_hue("bluish green", LIGHT).lower()
ONE_SCREEN, PHONE = 800, 390
"""A screen has room for so many pixels of height, where it is 1280 wide; a phone is so many wide."""
MARGIN = 16
"""A page leaves so many pixels free at either side of a phone's screen."""


def marks_of(figure):
    """The marks by the position of their verdict in the record."""
    lines = [line for axes in figure.axes for line in axes.lines]
    return {int(line.get_gid().removeprefix(MARK)): line for line in lines if (line.get_gid() or "").startswith(MARK)}


def words(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.fixture(scope="module", params=[False, True], ids=["wide", "narrow"])
def figure(request):
    return HERO.picture(REFERENCE, narrow=request.param).figure


def test_every_claim_that_the_title_counts_has_a_mark_of_its_answer_in_either_arm(figure):
    judged = REFERENCE.all(Judgement)
    headline = [each for each in judged if each.headline]
    seen = [each for each in headline if each.speedup is not None or each.level_seen is not None]
    marks = marks_of(figure)
    assert sorted(marks) == sorted(judged.index(each) for each in seen)
    dependent = find_dependent(judged)
    for position, mark in marks.items():
        of = judged[position]
        is_reached = of.verdict in HOLDS and (of.claim, of.arm) not in dependent
        assert (to_hex(mark.get_markeredgecolor()) == REACHED) == is_reached
        assert (to_hex(mark.get_markerfacecolor()) == LIGHT.background.lower()) == finding.changes_output(of)


def test_what_can_be_counted_in_the_picture_is_what_the_title_says(figure):
    judged = REFERENCE.all(Judgement)
    counted = Counter()
    for position, mark in marks_of(figure).items():
        if to_hex(mark.get_markeredgecolor()) == REACHED:
            is_full = to_hex(mark.get_markerfacecolor()) == REACHED
            counted[judged[position].arm] += 1
            counted[judged[position].arm, "kept"] += is_full
    for each in summarize(REFERENCE):
        of = each, each["apart"]
        assert counted[each["arm"]] == sum(part["reached"] for part in of)
        assert counted[each["arm"], "kept"] == sum(part["same"] + part["as_declared"] for part in of)


def test_rows_are_in_the_order_of_the_record_within_each_document():
    found = find_hero(REFERENCE)
    order = list(dict.fromkeys(each.claim for each in REFERENCE.all(Judgement) if each.headline))
    for rows in [*(group.rows for group in found.ratios), found.levels]:
        places = [order.index(row.claim) for row in rows]
        assert places == sorted(places)
    assert sorted(order) == sorted(row.claim for row in found.rows)


def test_the_heading_of_a_group_says_how_many_claims_it_has():
    found = find_hero(REFERENCE)
    counted = summarize(REFERENCE)[0]
    numbers = [int(group.heading.split()[0]) for group in found.ratios]
    assert numbers == [counted["claims"], counted["apart"]["claims"]]
    rows = sum(len(group.rows) for group in found.ratios) + len(found.levels)
    assert sum(numbers) == rows


def test_no_mark_lies_on_another(figure):
    figure.draw_without_rendering()
    for axes in figure.axes:
        at = [
            axes.transData.transform((line.get_xdata()[0], line.get_ydata()[0])) * 72 / figure.dpi
            for line in marks_of(figure).values()
            if line.axes is axes
        ]
        assert all(abs(one - other).max() >= 5 for one, other in combinations(at, 2))


def test_words_stay_on_the_figure_and_do_not_touch_each_other(figure):
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for axes in figure.axes for text in axes.texts]
    edge = figure.bbox
    assert all(edge.x0 <= box.x0 and box.x1 <= edge.x1 and edge.y0 <= box.y0 and box.y1 <= edge.y1 for box in boxes)
    rows = [box.padded(-1) for box in boxes]
    assert not [(one, other) for one, other in combinations(rows, 2) if one.overlaps(other)]
    for axes in figure.axes:
        labels = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        assert all(left.x1 < right.x0 for left, right in combinations(sorted(labels, key=lambda box: box.x0), 2))


def test_it_is_one_screen_tall_and_on_a_phone_no_letter_is_below_nine_pixels():
    wide, narrow = (HERO.picture(REFERENCE, narrow=narrow).figure for narrow in (False, True))
    width, height = wide.get_size_inches()
    assert height * 1032 / width <= ONE_SCREEN  # as wide as the page has room for
    pixels = (PHONE - 2 * MARGIN) / (72 * narrow.get_figwidth())
    texts = [text for text in narrow.findobj(lambda each: hasattr(each, "get_fontsize")) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) * pixels >= 9


def test_the_title_states_the_finding_and_the_narrow_picture_leaves_it_to_the_page():
    wide, narrow = (HERO.picture(REFERENCE, narrow=narrow).figure for narrow in (False, True))
    assert " ".join(text.get_text() for text in wide.texts) == f"{write_title(REFERENCE)}."
    assert narrow.texts == []


def test_words_are_text_in_a_font_that_every_system_has_something_like():
    svg = HERO.picture(REFERENCE).svg().decode()
    assert all(f">{row.label}" in svg for row in find_hero(REFERENCE).rows)
    assert svg.count("DejaVu Sans") == svg.count(FONTS) > 0


def test_the_published_range_is_a_band_with_a_line_at_each_end(tmp_path):
    axes = HERO.picture(recorded(tmp_path, judgement("refuted", 0.5))).figure.axes[0]
    (band,) = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert (band.get_x(), band.get_x() + band.get_width()) == (pytest.approx(2), pytest.approx(1 / 0.3))
    edges = [line.get_xdata()[0] for line in axes.lines if to_hex(line.get_color()) == LIGHT.edge.lower()]
    assert edges == [pytest.approx(2), pytest.approx(1 / 0.3)]


def test_what_lies_far_beyond_the_axis_is_an_arrow_at_its_end(tmp_path):
    one = judgement("inconclusive", 2.0, half=20.0)
    axes = HERO.picture(recorded(tmp_path, one)).figure.axes[0]
    left, right = axes.get_xlim()
    assert right < 100
    arrows = {line.get_marker(): line.get_xdata()[0] for line in axes.lines if line.get_marker() in ("<", ">")}
    assert arrows == {"<": left, ">": right}


def test_a_count_of_which_none_is_left_stands_at_the_edge_and_says_so(tmp_path):
    figure = HERO.picture(recorded(tmp_path, judgement("exceeded", 1e9, metric="requests"))).figure
    assert marks_of(figure)[0].get_xdata()[0] == figure.axes[0].get_xlim()[1] < 100
    assert "none left" in words(figure)


def test_a_level_has_an_axis_of_its_own_below(tmp_path):
    level = judgement(
        "fell short", None, claim="O01.hits", kind="level", low=0.7, high=None, metric="hit_rate", level_seen=(0.1, 0.2)
    )
    figure = HERO.picture(recorded(tmp_path, judgement(), level)).figure
    above, below = figure.axes
    assert above.get_position().y0 > below.get_position().y1
    assert marks_of(figure)[1].axes is below
    assert marks_of(figure)[1].get_xdata()[0] == pytest.approx(0.15)
    assert "10-20 %" in words(figure)
    alone = HERO.picture(recorded(tmp_path / "alone", level)).figure
    assert len(alone.axes) == 1


def test_what_was_not_measured_has_a_row_and_no_mark(tmp_path):
    figure = HERO.picture(recorded(tmp_path, judgement("failed", None), judgement(arm="engineered"))).figure
    assert list(marks_of(figure)) == [1]
    assert "-" in words(figure)


def test_a_claim_that_depends_on_the_reference_is_undecided_and_starred(tmp_path):
    rows = [
        judgement("confirmed", 2.5, claim="O08.time"),
        judgement("refuted", 0.5, claim="O08.list", reference="iterrows", headline=False),
    ]
    figure = HERO.picture(recorded(tmp_path, *rows)).figure
    assert to_hex(marks_of(figure)[0].get_markeredgecolor()) == get_hue("grey", LIGHT).lower()
    assert any(each.endswith(" *") for each in words(figure))
    legend = [text.get_text() for of in figure.legends for text in of.get_texts()]
    assert {"undecided", "* depends on the reference"} <= set(legend)


def test_a_comparison_of_two_functions_has_a_row_in_words_of_its_own(tmp_path):
    one = judgement("faster", 2.0, kind="difference", claim="new against old", arm="new")
    figure = HERO.picture(recorded(tmp_path, one)).figure
    assert "new against old" in words(figure)
    assert {"faster", "new"} <= {text.get_text() for of in figure.legends for text in of.get_texts()}
    assert figure.get_figheight() < 2


def test_many_arms_have_a_lane_each_and_no_numbers(tmp_path):
    arms = ("prescribed", "engineered", "simple", "mine")
    figure = HERO.picture(recorded(tmp_path, *(judgement(arm=arm) for arm in arms))).figure
    marks = marks_of(figure)
    assert len({mark.get_ydata()[0] for mark in marks.values()}) == len(arms)
    assert len({mark.get_marker() for mark in marks.values()}) == len(arms)
    assert not any(each.endswith("x") for each in words(figure))


def test_of_further_readings_alone_as_many_are_drawn_as_have_room(tmp_path):
    further = [judgement(claim=f"O06.{number}", headline=False) for number in range(MOST_ROWS + 1)]
    assert len(marks_of(HERO.picture(recorded(tmp_path, *further)).figure)) == MOST_ROWS


def test_there_is_no_picture_of_a_run_without_verdicts(tmp_path):
    assert HERO.picture(recorded(tmp_path)) is None


def test_a_mark_on_a_page_says_which_verdict_it_is():
    drawing = str(make_inline(HERO.picture(REFERENCE, title=False), "wide"))
    marked = sorted(map(int, re.findall(r'data-mark="(\d+)"', drawing)))
    assert marked == sorted(marks_of(HERO.picture(REFERENCE).figure))
    assert "#" not in re.sub(r'(href="|url\()#', "", drawing)
