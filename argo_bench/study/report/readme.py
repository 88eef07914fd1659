"""Writes the README's table of what was measured from a stored run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from argo_bench.errors import UserError
from argo_bench.harness.judging.outputs import describe_damage
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.optimizations import subjects
from argo_bench.optimizations.optimization import VARIANTS
from argo_bench.report import finding
from argo_bench.report.marks import MARKS, label_verdict
from argo_bench.report.references import DEPENDS, find_dependent
from argo_bench.report.simple import describe_simple, find_simple
from argo_bench.report.tables import escape
from argo_bench.report.title import write_aside, write_title
from argo_bench.study.report.advice import advise_all

BEGIN, END = "<!-- measured: argo-bench report RUN --readme README.md -->", "<!-- end of measured -->"
A_FEW = 4
"""Up to this number of verdicts a subject has few claims: two, each in two variants."""
FOLDED = "<details><summary>Every claim in a table, with advice for each optimization</summary>"
ABOUT_FACTORS = "A factor below 1x means slower, or more of what is counted."
COLUMNS = ("id", "optimization", "published claim", "as prescribed", "as engineered", "advice")
WITH_SIMPLE = (*COLUMNS[:-1], "the simple way", COLUMNS[-1])


def make_table(recorded: Recorded) -> str:
    """Return the table as Markdown, a row for every subject of the run.

    A row has the headline claims, what was seen of each in both variants with the signals that it costs, the same of
    the simple way where the record has any, and the advice. The finding stands above the table, which is folded away
    until somebody opens it, and the glyphs of the verdicts stand below the rows.
    """
    judged: dict[str, list[Judgement]] = {}
    for each in recorded.all(Judgement):
        if each.headline:
            judged.setdefault(each.optimization, []).append(each)
    words = {each.subject: each.label for each in advise_all(recorded)}
    simple, dependent = find_simple(recorded), find_dependent(recorded.all(Judgement))
    columns = WITH_SIMPLE if simple else COLUMNS
    rows = [_write_row(columns), _write_row(["---"] * len(columns))]
    for identifier, known in subjects().items():
        if identifier in judged:
            found = judged[identifier]
            claims = "<br>".join({each.claim: _write_claim(each, len(found)) for each in found}.values())
            seen = ["<br>".join(_describe_seen(found, variant, dependent)) for variant in VARIANTS]
            seen += [_describe_simple([simple.get(each) for each in dict.fromkeys(e.claim for e in found)])] * bool(
                simple
            )
            rows.append(_write_row([identifier, known.name, claims, *seen, words.get(identifier, "")]))
    used = {each.verdict for rows in judged.values() for each in rows}
    legend = ", ".join(label_verdict(word) for word in MARKS if word in used)
    aside = write_aside(recorded)
    parts = [f"**{write_title(recorded)}.**{aside and f' {aside}.'}", FOLDED, "\n".join(rows)]
    return "\n\n".join([*parts, f"{legend}. {ABOUT_FACTORS}", "</details>"])


def _write_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _write_claim(judgement: Judgement, judged: int) -> str:
    """Return the claim's words; where a subject has many, whose words are short, add what they are about."""
    words = escape(judgement.text)
    return words if judged <= A_FEW else f"{words} ({finding.noun_of(judgement.metric)})"


def _describe_seen(judged: Sequence[Judgement], variant: str, dependent: Collection[tuple[str, str]]) -> Iterator[str]:
    own = [each for each in judged if each.arm == variant]
    for each in own:
        apart = f" ({DEPENDS})" if (each.claim, each.arm) in dependent else ""
        yield f"{MARKS[each.verdict].glyph} {escape(finding.describe_measured(each))}{apart}"
    if said := next(filter(None, (describe_damage(each.damage) for each in own)), ""):
        yield said


def _describe_simple(seen: Sequence[Judgement | None]) -> str:
    """Return a line for every claim, and one for the signals that the simple way costs; a dash where there is none."""
    known = [each for each in seen if each is not None]
    lines = [escape(describe_simple(each)) for each in known]
    said = next(filter(None, (describe_damage(each.damage) for each in known)), "")
    return "<br>".join([*lines, *[said] * bool(said)]) or "-"


def write_table(readme: Path, recorded: Recorded) -> None:
    """Put the table between the two markers of a file, or raise UserError where they are not there."""
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise UserError(f"{readme}: expected the line {BEGIN} and after it the line {END}, once each")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{make_table(recorded)}\n{END}{after}", encoding="utf-8")
