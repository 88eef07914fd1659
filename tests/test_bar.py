"""Does the display of a comparison begin with a bar that shows its interval where it is?"""

import re
from xml.etree import ElementTree

import pytest

from argo_bench.comparison import Compared
from argo_bench.harness.record.store import load
from argo_bench.report import finding
from argo_bench.report.bar import EDGE, WIDTH, draw_bar
from tests.goldens import RECORDS
from tests.test_report_finding import judgement

COMPARISON = RECORDS["compare"]


def parts(bar: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(bar))


def interval_of(bar: str) -> tuple[float, float]:
    (line,) = [each for each in parts(bar) if each.get("stroke-width") == "5"]
    start, end = re.fullmatch(r"M([\d.]+) 27H([\d.]+)", line.get("d")).groups()
    return float(start), float(end)


def test_the_display_of_a_comparison_begins_with_its_bar():
    found = Compared(load(COMPARISON))
    shown = found._repr_mimebundle_()
    assert shown["text/html"].startswith("<svg")
    assert shown["text/html"].startswith(draw_bar(found.judgement))
    assert finding.format_interval(found.judgement.interval, None) in shown["text/html"].split("</svg>")[0]
    assert shown["text/plain"] == str(found)


def test_a_comparison_without_an_interval_has_no_bar():
    assert draw_bar(judgement("failed", None, kind="difference")) == ""
    assert draw_bar(judgement("inconclusive", 2.0, half=None)) == ""
    assert draw_bar(judgement("exceeded", 1e9, metric="requests")) == ""


def test_the_interval_lies_around_the_estimate_and_right_of_the_same_where_it_is_faster():
    bar = draw_bar(judgement("faster", 2.0, kind="difference"))
    (mark,) = [each for each in parts(bar) if each.tag == "circle"]
    (same,) = [each for each in parts(bar) if each.get("stroke-width") == "1.5"]
    start, end = interval_of(bar)
    assert EDGE <= float(re.match(r"M([\d.]+)", same.get("d"))[1]) < start < float(mark.get("cx")) < end <= WIDTH - EDGE


def test_the_claimed_range_is_behind_it_as_a_band():
    claimed = draw_bar(judgement("confirmed", 2.5))
    (band,) = [each for each in parts(claimed) if each.tag == "rect"]
    start, end = interval_of(claimed)
    assert float(band.get("x")) < start < end < float(band.get("x")) + float(band.get("width"))
    assert [each for each in parts(draw_bar(judgement("faster", 2.0, kind="difference"))) if each.tag == "rect"] == []


@pytest.mark.parametrize(("output", "fill"), [("same", "--jp-ui-font-color1"), ("differs: all", "--jp-layout-color0")])
def test_the_mark_is_hollow_where_the_output_differs(output, fill):
    (mark,) = [each for each in parts(draw_bar(judgement(output=output))) if each.tag == "circle"]
    assert fill in mark.get("fill")


def test_a_very_wide_interval_is_cut_off_with_arrows():
    start, end = interval_of(bar := draw_bar(judgement("inconclusive", 1.0, kind="difference", half=20.0)))
    assert (start, end) == (EDGE, WIDTH - EDGE)
    assert len([each for each in parts(bar) if "l6 5" in each.get("d", "") or "l-6 5" in each.get("d", "")]) == 2
