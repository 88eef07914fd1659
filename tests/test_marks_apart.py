"""Does every arm of a figure have its own mark, and does none lie under another?"""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from argo_bench.harness.record.store import load
from argo_bench.report.charts.break_even import BREAK_EVEN, HIT_RATES
from argo_bench.report.charts.memory import MEMORY
from argo_bench.report.charts.samples import ECDF
from argo_bench.report.charts.scaling import SCALING
from argo_bench.study.report.curves import CURVES
from argo_bench.study.report.errors import ERRORS
from argo_bench.study.report.frontier import FRONTIER
from tests.test_report_curves import CURVE
from tests.test_report_finding import judgement, recorded
from tests.test_samples import at_scales

REFERENCE = load(Path(__file__).parents[1] / "results" / "reference")
CHARTS = {
    "ecdf": ECDF,
    "break_even": BREAK_EVEN,
    "hit_rates": HIT_RATES,
    "memory": MEMORY,
    "curves": CURVES,
    "frontier": FRONTIER,
    "errors": ERRORS,
}
LEAST = 2.0
"""Marks of two arms are at least so many points apart, so that either is seen."""


def marks_in(axes) -> dict[tuple[str, str], np.ndarray]:
    """The places of marks in points, by their marker and colour."""
    found: dict[tuple[str, str], list] = {}
    for line in axes.lines:
        if line.get_marker() in ("None", None, "", "|"):
            continue
        start, step = line.get_markevery() or (0, 1)
        places = line.get_transform().transform(line.get_xydata()) * 72 / axes.figure.dpi
        found.setdefault((str(line.get_marker()), to_hex(line.get_color())), []).extend(places[start::step])
    return {of: np.array(places) for of, places in found.items()}


def find_least_distance(axes) -> float:
    """How near marks of two arms come to each other, in points."""
    pairs = combinations(marks_in(axes).values(), 2)
    distances = [float(np.hypot(*(one[:, None] - other[None]).transpose(2, 0, 1)).min()) for one, other in pairs]
    return min(distances, default=float("inf"))


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", CHARTS)
def test_no_mark_of_an_arm_lies_under_that_of_another(name, narrow):
    figure = CHARTS[name].picture(REFERENCE, narrow=narrow).figure
    figure.draw_without_rendering()
    seen = [find_least_distance(axes) for axes in figure.axes]
    assert any(distance < float("inf") for distance in seen)
    assert min(seen) >= LEAST


def test_curves_that_agree_stand_beside_each_other(tmp_path):
    same = [judgement("fell short", 1.3, arm=arm, curve=CURVE) for arm in ("prescribed", "engineered", "simple")]
    figure = CURVES.picture(recorded(tmp_path, *same)).figure
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert len(marks_in(axes)) == len(same)
    assert find_least_distance(axes) >= LEAST


def test_scales_at_which_arms_agree_have_a_mark_for_each(tmp_path):
    figure = SCALING.picture(recorded(tmp_path, *at_scales({100: (1e6, 1e6), 1000: (1e7, 1e7)}))).figure
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert len(marks_in(axes)) == 2
    assert find_least_distance(axes) >= LEAST
