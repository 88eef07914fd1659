"""Draws a verdict as a bar: its interval over the range that was claimed, as SVG that needs nothing else.

Its ink is that of the notebook around it, light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from argo_bench.harness.record.records import Judgement
from argo_bench.report import finding
from argo_bench.report.tables import escape_html

WIDTH, HEIGHT, EDGE = 520, 58, 44
"""A bar is so large, in pixels, and its axis begins and ends so far from its edges."""
MIDDLE, BASE = 27, 40
"""The interval and the axis lie so many pixels below the top."""
NEAREST = 46
"""Labels of an axis are at least so many pixels apart."""
FARTHEST = 4.0
"""What lies more than this many times beyond 1x and the estimate is cut off."""
INK, MUTED = "var(--jp-ui-font-color1,#1b1f24)", "var(--jp-ui-font-color2,#57606a)"
BAND, PAPER = "var(--jp-border-color2,#d0d7de)", "var(--jp-layout-color0,#ffffff)"


def draw_bar(judgement: Judgement) -> str:
    """Return the bar as SVG; an empty text where nothing was measured, or where one replicate gave no interval."""
    if judgement.speedup is None or judgement.interval is None or judgement.speedup >= finding.NONE_LEFT:
        return ""
    said = f"{finding.describe_measured(judgement)}, interval {finding.format_interval(judgement.interval, None)}"
    look = 'font-family="sans-serif" font-size="12" style="display:block;max-width:100%;margin:4px 0 8px"'
    head = f'<svg role="img" aria-label="{escape_html(said)}" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" {look}>'
    return head + "".join(_draw_parts(judgement, judgement.speedup, judgement.interval)) + "</svg>"


def _draw_parts(judgement: Judgement, speedup: float, interval: tuple[float, float]) -> Iterator[str]:
    region = finding.find_claimed_region(judgement)
    low, high = min(0.9, speedup) / FARTHEST, max(1.1, speedup) * FARTHEST
    shown = [end for end in (*interval, *(region or ())) if low <= end <= high]
    left, right = min(0.9, speedup, *shown), max(1.1, speedup, *shown)
    margin = (right / left) ** 0.06
    left, right = left / margin, right * margin

    def place(value: float) -> float:
        share = math.log(min(max(value, left), right) / left) / math.log(right / left)
        return round(EDGE + share * (WIDTH - 2 * EDGE), 1)

    if region is not None:
        at, end = map(place, region)
        yield f'<rect x="{at}" y="{MIDDLE - 10}" width="{max(end - at, 1.0):.1f}" height="20" fill="{BAND}"/>'
    yield _draw_line(EDGE, WIDTH - EDGE, BASE, MUTED, 1)
    yield f'<path d="M{place(1)} {MIDDLE - 12}V{BASE}" stroke="{MUTED}" stroke-width="1.5"/>'
    yield _draw_line(place(interval[0]), place(interval[1]), MIDDLE, INK, 5)
    for end, limit, arrow in ((interval[0], left, "-6"), (interval[1], right, "6")):
        if end != min(max(end, left), right):
            yield f'<path d="M{place(limit)} {MIDDLE - 5}l{arrow} 5l{-int(arrow)} 5z" fill="{INK}"/>'
    fill = PAPER if finding.changes_output(judgement) else INK
    yield f'<circle cx="{place(speedup)}" cy="{MIDDLE}" r="5" fill="{fill}" stroke="{INK}" stroke-width="2"/>'
    yield _write(place(speedup), MIDDLE - 14, finding.format_factor(speedup), INK)
    labelled: list[float] = []
    for value, words in ((1.0, "same"), *((end, finding.format_factor(end)) for end in region or ())):
        if left <= value <= right and all(abs(place(value) - other) >= NEAREST for other in labelled):
            labelled.append(place(value))
            yield _write(place(value), BASE + 14, words, MUTED)


def _draw_line(start: float, end: float, y: float, ink: str, width: float) -> str:
    return f'<path d="M{start} {y}H{end}" stroke="{ink}" stroke-width="{width}"/>'


def _write(x: float, y: float, words: str, ink: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle" fill="{ink}">{escape_html(words)}</text>'
