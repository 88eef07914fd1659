"""Does every form of a report begin with the same words, and does the README?"""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import load
from argo_bench.report import document, text, webpage
from argo_bench.report.tables import escape, escape_html
from argo_bench.report.title import list_sentences, write_title
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
        "As published, 1 of 1 claim is reached on this machine; the output is kept (the same). "
        "As engineered, 0 of 1 claim are reached on this machine; 1 depends on the reference (O08.time)"
    )


def test_markdown_terminal_and_html_begin_with_the_title(apart):
    title = write_title(apart)
    assert document.write_document(apart, STUDY, {}).startswith(f"# {escape(title)}\n")
    assert printed(apart).startswith(f"{title}.\n")
    assert f"<strong>{escape_html(title)}.</strong>" in text.html(apart, STUDY)
    assert f"<h1>{title}</h1>" in webpage.write_page(apart, STUDY)


def test_the_readme_has_the_two_sentences_of_the_stored_run():
    title = write_title(REFERENCE)
    assert f"*{title}.*" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert printed(REFERENCE).startswith(f"{title}.\n")
    assert len(list_sentences(REFERENCE.all(Judgement))) == 2
