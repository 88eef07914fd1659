"""Is the forest plot complete, legible and the same every time?"""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from argo_bench.harness.claims.verdict import word_for
from argo_bench.opening import open_report
from argo_bench.report.chart import COLOURS, list_colours
from argo_bench.report.charts import forest
from argo_bench.report.marks import compute_contrast
from argo_bench.report.title import write_title
from tests.test_report_finding import judgement, recorded, result
from tests.test_report_tables import WORDS, every_kind_of_row

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
DRAW = """
import hashlib, sys
from argo_bench.harness.record.store import load
from argo_bench.report.charts.forest import FOREST
picture = FOREST.picture(load(sys.argv[1]), sys.argv[2])
print(hashlib.sha256(picture.svg()).hexdigest(), hashlib.sha256(picture.png()).hexdigest())
"""


@pytest.fixture
def full(tmp_path):
    return recorded(tmp_path, *every_kind_of_row())


def drawn(directory, *judgements):
    run = recorded(directory, *(result(each) for each in judgements if each.speedup), *judgements)
    return forest.FOREST.picture(run).figure


def words(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_two_processes_draw_the_same_bytes(full, theme):
    shown = [
        subprocess.run(
            [sys.executable, "-c", DRAW, str(full.directory), theme], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert shown[0] == shown[1] != ""


def test_the_title_states_the_finding(full):
    assert forest.FOREST.picture(full).figure.get_suptitle().replace("\n", " ") == write_title(full)


def test_headline_rows_come_first_by_verdict_and_then_by_effect(tmp_path):
    figure = drawn(
        tmp_path,
        judgement("exceeded", 5.0, claim="O01.more", headline=False),
        judgement("refuted", 0.5, claim="O01.time"),
        judgement("confirmed", 2.5, claim="O02.time"),
        judgement("confirmed", 3.0, claim="O03.time"),
        judgement("exceeded", 9.0, claim="O04.time"),
    )
    names = [each.split()[0] for each in words(figure) if each.startswith("O0")]
    assert names == ["O04.time", "O03.time", "O02.time", "O01.time", "O01.more"]


@pytest.mark.parametrize(
    "text", ["✗ refuted", "consensus cache, claimed -50 to -70 %", "0.21x (4.8x slower)  ≠ output"]
)
def test_a_row_says_in_words_what_it_shows(tmp_path, text):
    assert text in words(drawn(tmp_path, judgement(output="differs: everything")))


def test_the_axis_holds_every_estimate_and_claimed_edge(tmp_path):
    figure = drawn(
        tmp_path,
        judgement("refuted", 0.001),
        judgement("exceeded", 20_000.0, claim="O07.time", kind="speedup", low=10, high=100),
    )
    left, right = figure.axes[0].get_xlim()
    assert left < 0.001 and right > 20_000


def test_a_claim_far_beyond_what_was_seen_does_not_stretch_the_axis(tmp_path):
    figure = drawn(tmp_path, judgement("fell short", 2.0, kind="at_least", low=1e9, high=None))
    assert figure.axes[0].get_xlim()[1] < 10


def test_an_open_end_of_a_claimed_range_is_an_arrow_at_the_edge_of_the_axis(tmp_path):
    axes = drawn(tmp_path, judgement("confirmed", 2.0, kind="direction", low=None, high=None)).axes[0]
    arrows = [line for line in axes.lines if line.get_marker() == ">"]
    assert [line.get_xdata()[0] for line in arrows] == [axes.get_xlim()[1]]


def test_labels_of_a_wide_axis_do_not_touch_each_other(tmp_path):
    figure = drawn(tmp_path, judgement("refuted", 0.001), judgement("exceeded", 20_000.0, claim="O07.time"))
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_one_replicate_is_drawn_without_an_interval(tmp_path):
    axes = drawn(tmp_path, judgement("inconclusive", 1.5, half=None)).axes[0]
    assert [line for line in axes.lines if line.get_linewidth() > 3] == []


def test_a_run_without_verdicts_still_makes_a_picture(tmp_path):
    assert forest.FOREST.picture(recorded(tmp_path)).svg().startswith(b"<?xml")


def test_the_alternative_text_counts_the_verdicts_and_the_table_has_them(full):
    picture = forest.FOREST.picture(full)
    for word in WORDS:
        assert f"2 {word_for(word)}" in picture.alt
    assert len(picture.data.rows) == 2 * len(WORDS)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_legible_on_its_background(theme):
    colours = COLOURS[theme]
    assert min(compute_contrast(text, colours.background) for text in (colours.ink, colours.muted)) >= 4.5


def test_drawing_does_not_load_pyplot(tmp_path):
    code = DRAW + "\nassert 'matplotlib.pyplot' not in sys.modules"
    run = recorded(tmp_path, *every_kind_of_row())
    subprocess.run([sys.executable, "-c", code, str(run.directory), "light"], check=True, capture_output=True)


def test_a_picture_shows_itself_as_drawing_with_its_alternative_text(full):
    picture = forest.FOREST.picture(full)
    shown = picture._repr_mimebundle_()
    assert set(shown) >= {"text/html", "text/plain"}
    assert shown["text/plain"] == picture.alt
    assert f'aria-label="{picture.alt}"' in shown["text/html"]


def test_a_dark_picture_stays_dark_wherever_it_is_shown(full):
    picture = forest.FOREST.picture(full, "dark")
    shown = picture._repr_mimebundle_()
    assert set(shown) == {"image/svg+xml", "text/plain"}
    assert COLOURS["dark"].background.lower() in shown["image/svg+xml"]
    assert picture.dark_svg() == picture.svg()


def test_in_a_notebook_a_figure_takes_the_colours_of_the_theme_around_it(full):
    shown = forest.FOREST.picture(full)._repr_mimebundle_()["text/html"]
    style, drawing = shown.split("</style>")
    used = set(re.findall(r"var\(--([\w-]+)\)", drawing)) - {"sans"}
    for theme, selector in (("light", "^.*?"), ("dark", r'\[data-jp-theme-light="false"\] \.argo-figure.*?')):
        rule = re.search(selector + r"\{(.*?)\}", style, re.DOTALL)[1]
        colours = list_colours(theme)
        assert used and all(f"--{name}:{colours[name]};" in rule for name in used)
    assert "#" not in re.sub(r'(href="|url\()#', "", drawing)


@pytest.mark.slow
def test_what_a_notebook_keeps_of_a_figure_is_small():
    report = open_report(REFERENCE)
    sizes = {each.name: report.draw(each.name) for each in report.outline.sections if each.chart}
    shown = {name: sum(map(len, picture._repr_mimebundle_().values())) for name, picture in sizes.items() if picture}
    assert shown["hero"] > 10_000
    assert max(shown.values()) < 300_000


def test_counts_and_memory_are_drawn_beside_times_and_said_in_the_axis_and_the_legend(tmp_path):
    figure = drawn(
        tmp_path,
        judgement("refuted", 0.5),
        judgement("confirmed", 2.5, claim="O03.calls", metric="requests", reference="fixed 20 s"),
        judgement("confirmed", 2.2, claim="O09.memory", metric="peak_rss"),
    )
    shown = words(figure)
    assert {"2.50x (-60 % requests)", "2.20x (-55 % peak RSS)", "vs fixed 20 s"} <= set(shown)
    assert {"◂ slower or more", "faster or less ▸"} <= set(shown)
    said = figure.axes[0].get_xlabel().replace("\n", " ")
    assert said == "reference / candidate in requests, peak RSS, CPU time, log scale"
    assert "95 % interval, counts: range over seeds" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_level_has_a_row_without_an_interval(tmp_path):
    one = judgement("fell short", None, kind="level", low=0.7, high=None, metric="hit_rate", level_seen=(0.12, 0.15))
    figure = drawn(tmp_path, one)
    assert {"hit rate 12 to 15 %", "consensus cache, claimed >= 70 %"} <= set(words(figure))
    assert [line for line in figure.axes[0].lines if line.get_linewidth() > 3] == []


def test_a_count_that_has_gone_is_an_arrow_and_does_not_stretch_the_axis(tmp_path):
    axes = drawn(tmp_path, judgement("exceeded", 1e9, metric="requests")).axes[0]
    assert axes.get_xlim()[1] < 10
    assert [line.get_xdata()[0] for line in axes.lines if line.get_marker() == ">"] == [axes.get_xlim()[1]]


def test_too_many_further_readings_are_left_to_the_tables(tmp_path):
    further = [judgement(claim=f"O06.{number}", headline=False) for number in range(forest.MOST_ROWS)]
    run = recorded(tmp_path, judgement(), *further)
    figure = forest.FOREST.picture(run).figure
    assert not any(each.startswith("O06.1 ") for each in words(figure))
    assert figure.axes[0].get_xlabel().endswith("40 further readings in the tables")
    assert forest.FOREST.picture(run).alt.endswith("The tables have 40 further readings.")


def test_further_readings_alone_are_drawn_however_many(tmp_path):
    further = [judgement(claim=f"O06.{number}", headline=False) for number in range(forest.MOST_ROWS + 1)]
    shown = words(forest.FOREST.picture(recorded(tmp_path, *further)).figure)
    assert sum(each.startswith("O06.") for each in shown) == forest.MOST_ROWS + 1
