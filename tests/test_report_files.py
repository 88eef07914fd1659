"""Does a report open, show and save itself?"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from argo_bench.errors import UserError
from argo_bench.opening import open_report
from argo_bench.report import Report
from tests.test_report_counted import trading_day
from tests.test_report_curves import CURVE
from tests.test_report_finding import judgement, recorded, result
from tests.test_report_tables import every_kind_of_row

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.fixture
def report(tmp_path) -> Report:
    return open_report(recorded(tmp_path, *every_kind_of_row()).directory)


def test_a_report_is_one_sentence_as_text(report):
    assert str(report) == ("3 of 13 claims are reached; all of them keep the output; 1 not measured and 1 failed.")


def test_a_report_shows_itself_as_html_markdown_and_text(report):
    assert set(report._repr_mimebundle_()) == {"text/html", "text/markdown", "text/plain"}


def test_a_notebook_keeps_a_summary_of_a_long_run():
    shown = open_report(REFERENCE)._repr_mimebundle_()
    assert sum(map(len, shown.values())) < 300_000
    assert "text/markdown" not in shown
    part = open_report(REFERENCE).of("O08")._repr_mimebundle_()
    assert "Further readings" in part["text/html"]
    assert "Further readings" in part["text/markdown"]


def test_the_frame_has_a_row_for_every_judgement(report):
    assert list(report.to_frame()["verdict"]) == [each.verdict for each in report.judgements]


def test_the_frame_holds_both_clocks_and_the_interval(tmp_path):
    one = judgement("refuted", 0.208)
    frame = Report(recorded(tmp_path, result(one, wall=0.95), one)).to_frame()
    got = frame.loc[0, ["cpu_speedup", "wall_speedup", "interval_low", "interval_high", "replicates", "holds"]]
    expected = pd.Series([0.208, 0.95, one.interval[0], one.interval[1], 6, False], got.index, name=0, dtype=object)
    pd.testing.assert_series_equal(got, expected)


def test_the_dictionary_is_json(report):
    assert json.loads(json.dumps(report.to_dict()))["finding"] == report.finding


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """The folder of a report that was saved."""
    folder = tmp_path_factory.mktemp("saved")
    open_report(recorded(folder, *every_kind_of_row()).directory).save(folder / "out")
    return folder / "out"


def test_saving_writes_the_figure_in_both_themes_and_the_text(saved):
    names = sorted(path.name for path in saved.iterdir())
    heroes = ["hero-dark.svg", "hero-narrow-dark.svg", "hero-narrow.svg", "hero.png", "hero.svg"]
    assert names == [*heroes, "report.html", "report.md"]


@pytest.fixture
def traded(tmp_path) -> Report:
    """With counts that are traded for each other, and a claim over the change rate."""
    one = judgement("fell short", 1.3, claim="O03.calls", metric="requests", curve=CURVE, holds_when="if it ticks")
    return open_report(recorded(tmp_path, one, *trading_day()).directory)


def test_saving_writes_frontier_and_curves_where_there_is_something_to_draw(traded, tmp_path):
    traded.save(tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    figures = {
        f"{name}{theme}.svg" for name in ("hero", "hero-narrow", "frontier", "curves") for theme in ("", "-dark")
    }
    assert names == figures | {"hero.png", "report.html", "report.md"}
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    places = [text.index(f'src="{name}.svg"') for name in ("hero", "curves", "frontier")]
    assert places == sorted(places)
    assert (
        "*Requests, calls or hits of each version, over the harm that it does to the output: left is less harm.*"
        in text
    )
    assert all(path.stat().st_size < 400_000 for path in (tmp_path / "out").iterdir() if path.suffix != ".html")


DRAW = """
import hashlib, sys
from argo_bench.opening import open_report
report = open_report(sys.argv[1])
pictures = report.frontier("dark"), report.curves("dark")
print(*(hashlib.sha256(each.svg()).hexdigest() for each in pictures), "matplotlib.pyplot" in sys.modules)
"""


@pytest.mark.slow
def test_two_processes_draw_the_same_frontier_and_curves_without_pyplot(traded):
    shown = [
        subprocess.run(
            [sys.executable, "-c", DRAW, str(traded.directory)], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert shown[0] == shown[1]
    assert shown[0].endswith(" False\n")


def test_there_is_no_frontier_and_no_curve_of_a_run_without(report):
    assert (report.frontier(), report.curves()) == (None, None)


def test_the_frame_says_where_a_claim_would_hold_and_over_how_many_seeds(traded):
    row = traded.to_frame().loc[0]
    assert (row["metric"], row["replicates"], row["holds_when"]) == ("requests", 0, "if it ticks")


def test_saving_twice_gives_the_same_bytes(saved, tmp_path):
    open_report(saved.parent / "run").save(tmp_path)
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (saved, tmp_path))
    assert first == second


@pytest.mark.parametrize(
    "text",
    [
        "# 3 of 13 claims are reached",
        '<source media="(max-width: 600px) and (prefers-color-scheme: dark)" srcset="hero-narrow-dark.svg">',
        '<source media="(max-width: 600px)" srcset="hero-narrow.svg">',
        'srcset="hero-dark.svg"',
        "<code>argo-bench run --profile quick</code>",
        "versions: numpy 2.4",
        "## What this does not show",
        "&lt;b&gt;BBB&lt;/b&gt; (generated)",
        "what was seen of O01.time, prescribed",
    ],
)
def test_the_saved_text_has_finding_figure_command_machine_and_limits(saved, text):
    assert text in (saved / "report.md").read_text(encoding="utf-8")


def test_saving_where_nothing_can_be_written_is_one_sentence(report, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="expected a folder that can be written"):
        report.save(tmp_path / "file")


def test_opening_what_is_no_run_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"no run at .*: expected a directory"):
        open_report(tmp_path / "missing")


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_stripped_and_says_what_its_pair_says(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    _, *parts = re.split(r"^# %%(.*)\n", path.with_suffix(".py").read_text(encoding="utf-8"), flags=re.MULTILINE)
    magics = re.compile(r"^# (?=%)", re.MULTILINE)
    pair = [
        magics.sub("", body).strip()
        for kind, body in zip(parts[::2], parts[1::2], strict=True)
        if "[markdown]" not in kind
    ]
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert ["".join(cell["source"]) for cell in code] == pair
