"""Do the tables hold every verdict, readable in a terminal, on GitHub and in a notebook?"""

import re
from html.parser import HTMLParser
from io import StringIO
from typing import get_args

import msgspec
import pytest
from rich.console import Console

from argo_bench.harness.claims.verdict import Word
from argo_bench.harness.record.records import (
    Block,
    Cold,
    Comparison,
    Failure,
    Fidelity,
    Memory,
    Reading,
    Result,
    Samples,
    Spot,
)
from argo_bench.harness.record.store import Recorded
from argo_bench.report import conditions, results, text, verdicts
from argo_bench.report.document import write_document
from argo_bench.report.marks import MARKS, OKABE_ITO, compute_contrast, label_verdict, make_legible
from argo_bench.study.records import Acceptance, LiveRates
from argo_bench.study.report.sections import STUDY
from tests.test_report_finding import RUN, counts, estimate, judgement, recorded, result

WORDS: tuple[Word, ...] = get_args(Word)
HOSTILE = "<script>alert('x')</script> & | *bold* _it_ `code`"


def every_kind_of_row() -> list:
    """Every verdict word as headline and as further reading, with extreme ratios, and all other kinds of record."""
    speedups = [1480.0, 20_000.0, 95.0, 3.2, 1.006, 0.00021, 1.31, 1.001, 0.7, 1.01, 0.05, None, None]
    judgements = [
        judgement(
            word,
            speedup,
            claim=f"O{number:02d}.{'time' if headline else '21492x'}",
            kind="reduction" if headline else "at_least",
            low=0.5 if headline else 21_492,
            high=0.7 if headline else None,
            headline=headline,
            output="differs: key order of the body, volume in 12 of 40 symbol-cycles" if number == 4 else "same",
            flags=("wall time says: refuted",) if number == 2 else (),
            reference="pandas" if number == 3 else "baseline",
            text=HOSTILE if number == 1 else "50-70% reduction",
            strip=(Spot(300, 1480.0, (1200.0, 1700.0), word), Spot(1000, 0.00021, None, "refuted")),
            cold=Spot(300, 0.05, (0.04, 0.06), "fell short or worse") if number % 2 else None,
            break_even_calls=21_492.4 if number == 1 else None,
        )
        for headline in (True, False)
        for number, (word, speedup) in enumerate(zip(WORDS, speedups, strict=True), 1)
    ]
    results = {each.comparison: result(each, wall=1.5) for each in judgements if each.speedup is not None}
    place = ("O08", "full set", 300, "bars")
    extra = Comparison(*place, "baseline", "TA-Lib")
    block = Block("ABBA", (1, 1, 1, 1), (1, 1, 1, 1))
    return [
        Acceptance(1500, 312),
        Fidelity("O08", "pandas", "full set", 40, {}, 2e-16, "as declared (rounding, at most 2e-16)", True),
        Fidelity(
            "O11", "prescribed", None, 480, {"missed": 3}, 0.0, "differs: missed in 3 of 480 symbol-cycles", False
        ),
        Fidelity("O06", "prescribed", None, 480, {}, 0.0, "same", True),
        Cold(*place, "engineered", 1_100_000_000, True),
        Samples(Comparison(*place, "baseline", "engineered"), 0, 1, 1, 1, [block], None, 400_000_000, None, None),
        Result(extra, estimate(210.0), estimate(210.0), 51_200.0, 244.0, None, 0.5, []),
        *results.values(),
        *judgements,
        *weighed(),
        Failure("O08", "polars", "untested", "polars is not installed: pip install 'argo-bench[fast]'"),
        Failure("O11", "prescribed", "failed", "ValueError: bad"),
    ]


def weighed() -> list[Memory]:
    """Baseline and candidate by every method; two of them see different savings."""
    found = []
    for arm, share in (("baseline", 1.0), ("engineered", 0.25)):
        readings = [
            Reading("peak_rss", "VmHWM reset", True, peak_bytes=int(100 * share * (1 << 20))),
            Reading("traced", "tracemalloc", True, peak_bytes=50 << 20, live_bytes=int(4096 * share)),
            Reading("allocations", "memray", True, allocations=int(21_492 * share)),
            Reading("memory_profiler", "polled", False, peak_bytes=None),
        ]
        found.append(Memory("O08", "full set", 300, arm, readings))
    return found


@pytest.fixture
def full(tmp_path) -> Recorded:
    return recorded(tmp_path, *every_kind_of_row())


def printed(run: Recorded, width: int = 80) -> str:
    console = Console(width=width, file=StringIO(), color_system=None)
    console.print(text.terminal(run, STUDY))
    return console.file.getvalue()  # type: ignore[attr-defined]


class Text(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def test_no_line_of_the_terminal_report_is_longer_than_80_columns(full):
    assert max(len(line) for line in printed(full).splitlines()) <= 80


def test_no_line_is_too_long_for_long_names_either(tmp_path):
    long = judgement(claim="O06.a_claim_with_a_long_name", arm="joblib.Memory alone, on a disk")
    assert max(len(line) for line in printed(recorded(tmp_path, result(long), long)).splitlines()) <= 80


@pytest.mark.parametrize(
    "number", ["1,480x", "20,000x", "0.00021x", "(4,762x slower)", "-99.93 %", ">= 21,492x", "0.000206 to"]
)
def test_the_terminal_breaks_no_number(full, number):
    assert number in printed(full)


@pytest.mark.parametrize("word", WORDS)
def test_every_verdict_word_is_in_the_terminal_with_its_glyph(full, word):
    assert label_verdict(word).rsplit(" ", 2)[0] in printed(full)  # the last words may stand on a line of their own


def test_headline_verdicts_come_before_further_readings_and_those_before_other_arms(full):
    assert [table.title for table in text.tabulate(full, STUDY, "terminal")] == [
        "Verdicts",
        "Keep, fix or drop",
        "Further readings",
        "Versions that another one beats",
        "When it would hold",
        "Other input sizes, and the first call",
        "Memory",
        "Also measured",
        "First calls",
    ]


def test_a_row_holds_claim_claimed_range_measured_interval_output_and_verdict(tmp_path):
    one = judgement("refuted", 0.208, flags=("wall time says: inconclusive",))
    table = text.tabulate(recorded(tmp_path, result(one, wall=0.95), one), STUDY, "terminal")[0]
    assert table.rows[0].cells == (
        "O06.time consensus cache\nprescribed",
        "-50 to -70 %\n2.0-3.3x",
        "0.21x (4.8x slower)\n0.204 to 0.212x, n=6\nwall time 0.95x",
        "same\nbaseline beats it: better in CPU time (4.81x)",
        "✗ refuted",
    )


def test_another_reference_than_the_baseline_is_named(tmp_path):
    one = judgement(reference="pandas")
    table = text.tabulate(recorded(tmp_path, result(one), one), STUDY, "terminal")[0]
    assert table.rows[0].cells[0] == "O06.time consensus cache\nprescribed vs pandas"


def test_results_that_no_verdict_rests_on_stand_beside(full):
    assert [row.cells for row in results.tabulate_results(full).rows] == [
        ("O08 TA-Lib", "full set at 300 bars", "210x\n206 to 214x, n=6", "244 ns\nfrom 51.2 us")
    ]


def test_first_calls_stand_with_an_empty_and_with_a_filled_cache(full):
    assert [row.cells for row in results.tabulate_first_call_times(full).rows] == [
        ("O08 engineered", "full set at 300 bars", "1.1 s", "400 ms", "-")
    ]


def test_the_terminal_has_only_the_slow_first_calls(tmp_path):
    calls = [
        Cold("O08", "full set", 300, "bars", arm, first, True)
        for arm, first in (("quick", 70_000), ("slow", 70_000_000))
    ]
    shown = printed(recorded(tmp_path, *calls))
    assert ("O08 quick" in shown, "O08 slow" in shown) == (False, True)


def test_the_remarks_name_acceptance_differences_and_failures_with_their_reason(full):
    assert [line for line in text.all_remarks(full, STUDY) if "inconclusive" not in line] == [
        "In 312 of 1,500 steps of a symbol (20.8 %) enough sources agreed for a signal.",
        "O11 prescribed, decisions of the pipeline: differs: missed in 3 of 480 steps of a symbol.",
        "O08 polars: not measured, polars is not installed: pip install 'argo-bench[fast]'.",
        "O11 prescribed: failed, ValueError: bad.",
        "O08 engineered, memory: method-dependent: +75% saved by peak_rss, +0% by traced.",
        "How often this program errs here is not known: argo-bench calibrate finds out.",
    ]


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("unstable: 3 of 18 blocks invalid", "the measurement was disturbed, 3 of 18 blocks do not count"),
        ("drift: the ratio moves during a replicate", "the speed-up changes while its processes run"),
    ],
)
def test_what_samples_say_of_themselves_is_remarked_on_in_words(flag, said, tmp_path):
    one = judgement("confirmed", 2.4, flags=(flag,))
    assert f"O06 prescribed, consensus, hit: {said}." in text.all_remarks(recorded(tmp_path, one), STUDY)


def test_an_inconclusive_verdict_is_followed_by_what_it_would_take(full):
    said = [line for line in text.all_remarks(full, STUDY) if "inconclusive" in line]
    assert len(said) == 2
    assert all(
        line.endswith("it would take 31 replicates (25 more, about 40 s in all) to tell it from 2x.") for line in said
    )


def test_a_long_output_is_shortened_in_the_terminal_only(full):
    assert "key order" not in printed(full)
    assert "key order" in text.markdown(full, STUDY)


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_header(full):
    blocks = [block.splitlines() for block in text.markdown(full, STUDY).split("\n\n") if block.startswith("|")]
    widths = [{len(re.split(r"(?<!\\)\|", line)) for line in block} for block in blocks]
    assert [len(each) for each in widths] == [1] * 10


def test_markdown_shows_hostile_text_as_text(full):
    from markdown_it import MarkdownIt

    shown = Text(MarkdownIt("commonmark").enable("table").render(text.markdown(full, STUDY)))
    assert HOSTILE in shown.text


def test_html_shows_hostile_text_as_text(full):
    shown = Text(text.html(full, STUDY))
    assert "script" not in shown.tags
    assert HOSTILE in shown.text


def test_html_takes_its_colours_from_the_notebook_with_fallbacks(full):
    used = re.findall(r"var\(([^)]*)\)", text.html(full, STUDY))
    assert all(each.startswith("--jp-") and "," in each for each in used)


@pytest.mark.parametrize("word", WORDS)
def test_every_verdict_is_in_the_html_with_glyph_and_word(full, word):
    assert label_verdict(word) in Text(text.html(full, STUDY)).text


def test_no_two_verdicts_share_a_glyph():
    assert len({mark.glyph for mark in MARKS.values()}) == len(WORDS)


@pytest.mark.parametrize("hue", OKABE_ITO)
@pytest.mark.parametrize("background", ["#FFFFFF", "#E3E8EF", "#0F1317", "#232B35"])
def test_every_hue_is_made_legible_on_light_and_dark(hue, background):
    assert compute_contrast(make_legible(hue, background), background) >= 4.5


def test_black_on_white_has_the_contrast_that_the_standard_gives():
    assert compute_contrast("#000000", "#FFFFFF") == pytest.approx(21)


def test_scales_and_first_calls_are_shown_with_their_verdicts(full):
    row = verdicts.tabulate_strips(full).rows[0]
    assert row.cells[1] == "300 symbols: 1,480x ✓ confirmed\n1,000: 0.00021x ✗ refuted"
    assert row.cells[2] == "0.050x ▽ below the claim"
    assert row.cells[3] == "21,492 calls"


def test_memory_is_shown_by_every_method_that_saw_something_with_its_ratio(full):
    table = results.tabulate_memory(full)
    assert [column.name for column in table.columns] == [
        "version",
        "peak RSS",
        "traced peak",
        "live after",
        "allocations",
    ]
    assert table.rows[0].cells == ("O08 baseline", "100 MiB", "50 MiB", "4 KiB", "21,492")
    quarter = "\n0.25 of baseline"
    assert table.rows[1].cells[1:] == (
        f"25 MiB{quarter}",
        "50 MiB\n1 of baseline",
        f"1 KiB{quarter}",
        f"5,373{quarter}",
    )


def test_savings_that_depend_on_the_method_are_remarked_on(full):
    assert [line for line in text.all_remarks(full, STUDY) if "method-dependent" in line] == [
        "O08 engineered, memory: method-dependent: +75% saved by peak_rss, +0% by traced."
    ]


def test_a_brief_report_tells_of_other_scales_once_and_a_whole_one_has_their_times_too(tmp_path):
    spots = (Spot(6, 2.4, (2.3, 2.5), "confirmed"), Spot(30, 2.2, (2.1, 2.3), "confirmed"))
    here = judgement("confirmed", 2.4, strip=spots)
    there = result(msgspec.structs.replace(here, comparison=msgspec.structs.replace(here.comparison, scale=30)))
    run = recorded(tmp_path, result(here), there, here)
    assert [row.cells[1] for row in results.tabulate_results(run).rows] == ["consensus, hit at 30 symbols"]
    assert results.tabulate_results(run, brief=True).rows == ()


def test_resident_memory_that_cannot_be_told_from_nothing_has_no_ratio(tmp_path):
    weighed = [
        Memory("O06", "w", 6, arm, [Reading("peak_rss", "VmHWM reset", True, peak_bytes=peak)])
        for arm, peak in (("baseline", 0), ("engineered", 8192))
    ]
    for row in results.tabulate_memory(recorded(tmp_path, *weighed)).rows:
        assert row.cells[1].startswith("< ")
        assert "of baseline" not in row.cells[1]


def of_every_metric() -> list:
    """A verdict on each clock, on memory and on an exact count, and what they rest on."""
    cpu, wall = judgement(), judgement("confirmed", 2.4, claim="O12.time", metric="wall")
    memory = judgement("confirmed", 2.0, claim="O09.memory", metric="peak_rss", half=0.01)
    calls = judgement("fell short", 1.5, claim="O03.calls", metric="requests", reference="fixed 20 s", arm="engineered")
    arms = [*counts(calls, "fixed 20 s", 9, 9), *counts(calls, "engineered", 6, 6)]
    return [result(cpu), result(wall), *arms, cpu, wall, memory, calls]


def test_the_note_says_which_metric_each_row_is_judged_on(tmp_path):
    table = text.tabulate(recorded(tmp_path, *of_every_metric()), STUDY, "terminal")[0]
    assert table.note == (
        "How many times as fast the typical call is, in CPU time (wall time for O12.time); below it stand its 95 % "
        "interval and n, the number of pairs of processes. How many times less memory it takes; below it stand its "
        "95 % interval and n, the number of pairs of readings. Requests are counted exactly; their range over the "
        "seeds stands below."
    )


def test_the_note_of_counts_alone_speaks_of_no_clock_and_no_interval(tmp_path):
    calls = judgement("fell short", 1.5, metric="requests")
    dollars = judgement("fell short", 1.5, claim="O06.cost", metric="dollars")
    assert text.tabulate(recorded(tmp_path, calls, dollars), STUDY, "terminal")[0].note == (
        "Requests and dollars are counted exactly; their range over the seeds stands below."
    )


def test_a_count_stands_with_its_share_and_its_seeds_on_a_line_each(tmp_path):
    run = recorded(tmp_path, *of_every_metric())
    assert text.tabulate(run, STUDY, "terminal")[0].rows[-1].cells == (
        "O03.calls adaptive TTL\nengineered vs fixed 20 s",
        "-50 to -70 %\n2.0-3.3x",
        "1.50x (-33 % requests)\n1.47 to 1.53x, 2 seeds",
        "same",
        "◐ fell short",
    )
    assert max(len(line) for line in printed(run).splitlines()) <= 80


def missed() -> list:
    """Claims that do not hold: a headline one that holds somewhere, one that does nowhere, further readings."""
    return [
        judgement("fell short", 1.5, holds_when="if fewer than 12 % of symbol-cycles ticked; from about 60 bars on"),
        judgement("refuted", 0.5, arm="engineered", holds_when="nowhere measured"),
        judgement("refuted", 0.5, claim="O06.cost", headline=False, holds_when="up to about 60 bars"),
        *(
            judgement("refuted", 0.5, claim="O06.6024x", arm=arm, headline=False, holds_when="nowhere measured")
            for arm in ("prescribed", "engineered")
        ),
        judgement("confirmed", 2.5, claim="O06.more"),
    ]


NEAREST = "only one input size was measured, 6 symbols: there it is 0.50x, and 2.00x is the least that was claimed"


def test_claims_that_do_not_hold_say_where_they_would(tmp_path):
    table = conditions.tabulate_conditions(recorded(tmp_path, *missed()), brief=True)
    assert [row.cells for row in table.rows] == [
        (
            "O06.time\nprescribed",
            "◐ fell short",
            "if fewer than 12 % of symbol-cycles ticked; from about 60 bars on",
        ),
        ("O06.time\nengineered", "✗ refuted", f"no tested condition reaches the claim: {NEAREST}"),
        ("O06.cost\nprescribed", "✗ refuted", "up to about 60 bars"),
    ]
    assert table.note.endswith("No tested condition reaches these either: O06.6024x prescribed and engineered.")


def test_where_claims_hold_stands_after_the_verdicts_and_is_coloured_by_them(tmp_path):
    run = recorded(tmp_path, *missed())
    assert [table.title for table in text.tabulate(run, STUDY, "terminal")] == [
        "Verdicts",
        "Keep, fix or drop",
        "Further readings",
        "When it would hold",
    ]
    assert max(len(line) for line in printed(run).splitlines()) <= 80
    assert text.markdown(run, STUDY).count("**◐ fell short**") == 2


def test_the_terminal_has_claims_by_id_alone_where_the_saved_report_names_them(tmp_path):
    run = recorded(tmp_path, judgement())
    assert "consensus cache" not in printed(run)
    assert "O06.time consensus cache" in text.markdown(run, STUDY)
    assert "O06.time consensus cache" in text.html(run, STUDY)


def test_a_live_market_is_described_by_how_often_its_quotes_move(tmp_path):
    said = text.all_remarks(recorded(tmp_path, LiveRates({"MSFT": 0.914, "AAPL": 0.97})), STUDY)
    assert said[0] == "In a live market the price changes in 97 % of the steps of 5 s for AAPL, 91.4 % for MSFT."


def test_of_ten_thousand_symbols_a_report_names_a_few(tmp_path):
    rates = {f"S{number:05}": (number + 1) / 20_000 for number in range(10_000)}
    many = msgspec.structs.replace(RUN, symbols=dict.fromkeys(rates, "real"))
    run = recorded(tmp_path, LiveRates(rates), run=many)
    assert text.all_remarks(run, STUDY)[0] == (
        "In a live market the price changes in 50 % of the steps of 5 s for S09999, 25 % at the median of 10,000 "
        "symbols and 0.005 % for S00000."
    )
    written = write_document(run, STUDY, {})
    assert "S00019 (real) and 9,980 more" in written
    assert max(map(len, written.splitlines())) < 1000


def test_at_the_scale_of_the_claim_there_is_one_verdict(tmp_path):
    """A scale's own interval is narrower than the one that judges the claim, and may say more."""
    strip = Spot(6, 2.6, (2.4, 2.8), "confirmed"), Spot(30, 3.0, (2.8, 3.2), "confirmed")
    judged = judgement("inconclusive", 2.5, half=0.5, strip=strip)
    (row,) = verdicts.tabulate_strips(recorded(tmp_path, judged)).rows
    own, other = row.cells[1].split("\n")
    assert own == f"6 symbols: 2.50x {label_verdict('inconclusive')}"
    assert other == f"30: 3.00x {label_verdict('confirmed')}"
