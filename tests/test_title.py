"""Does every form of a report begin with the same words, and does the README?"""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import load
from argo_bench.report import document, text, webpage
from argo_bench.report.documents import find_restated
from argo_bench.report.tables import escape, escape_html
from argo_bench.report.title import list_sentences, summarize, write_aside, write_title
from argo_bench.study.report.sections import STUDY
from tests.test_report_finding import judgement, recorded

ROOT = Path(__file__).parents[1]
REFERENCE = load(ROOT / "results" / "reference")


def printed(run):
    console = Console(width=2000, file=StringIO(), color_system=None)
    console.print(text.terminal(run, STUDY))
    return console.file.getvalue()


@pytest.fixture
def apart(tmp_path):
    """A run with both variants, of which one has a claim that depends on its reference."""
    rows = [judgement("confirmed", arm=arm, claim="O08.time") for arm in ("prescribed", "engineered")]
    other = judgement("refuted", arm="engineered", claim="O08.list", reference="iterrows", headline=False)
    return recorded(tmp_path, *rows, other)


def test_the_title_is_a_sentence_for_each_variant_and_names_what_is_counted_apart(apart):
    assert write_title(apart) == (
        "As published, 1 of 1 claim is reached; the output is kept. "
        "As engineered, 0 of 1 claim is reached; 1 depends on the reference (O08.time)"
    )


def test_markdown_terminal_and_html_begin_with_the_title(apart):
    title = write_title(apart)
    assert document.write_document(apart, STUDY, {}).startswith(f"# {escape(title)}\n")
    assert printed(apart).startswith(f"{title}.\n")
    assert f"<strong>{escape_html(title)}.</strong>" in text.html(apart, STUDY)
    lines = "".join(f'<span class="line">{each}.</span> ' for each in title.split(". "))
    assert f"<h1>{lines}</h1>" in webpage.write_page(apart, STUDY)


def test_the_readme_has_the_two_sentences_of_the_stored_run():
    title = write_title(REFERENCE)
    assert f"**{title}.** " in (ROOT / "README.md").read_text(encoding="utf-8")
    assert printed(REFERENCE).startswith(f"{title}.\n")
    assert write_aside(REFERENCE) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_is_known_from_a_restatement_alone_is_counted_apart():
    """The documents of some claims are files that are here; of the others the sources describe a document in words."""
    headline = [each for each in REFERENCE.all(Judgement) if each.headline]
    sources = {claim.id: claim.source for of in REFERENCE.declarations for claim in of.claims}
    restated = {each.claim for each in headline if not sources[each.claim].startswith("additional_optimizations.txt")}
    assert restated
    assert find_restated(REFERENCE, headline) == restated
    for each in summarize(REFERENCE):
        own = [one for one in headline if one.arm == each["arm"]]
        assert each["apart"]["claims"] == sum(one.claim in restated for one in own)
        assert each["claims"] + each["apart"]["claims"] == len(own)
        assert re.search(rf"\b{each['apart']['reached']} (is|are) reached", write_aside(REFERENCE))
        assert f" {each['apart']['claims']} claims " in write_aside(REFERENCE)
        assert f"{each['reached']} of {each['claims']} claims" in write_title(REFERENCE)


def test_a_part_of_a_run_whose_claims_are_all_restated_counts_them():
    part = REFERENCE.of("O01")
    assert write_aside(part) == ""
    assert all(" of 2 claims " in each for each in list_sentences(part))


def test_where_no_source_names_a_document_nothing_is_counted_apart(apart):
    assert find_restated(apart, apart.all(Judgement)) == set()
    assert write_aside(apart) == ""
