"""Does `argo-bench claims` find the claims of a document, say how each is read, and meet a mistake with a sentence?"""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from argo_bench.cli.claims import read_document
from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.harness.claims.document import list_sentences
from argo_bench.harness.claims.sentence import read_claim
from argo_bench.optimizations import subjects

DOCUMENT = Path(__file__).parents[1].parent / "shared" / "spec" / "additional_optimizations.txt"
CLAIMS = [claim for subject in subjects().values() for claim in subject.claims]

TEXT = """\
# Parsing is 3x faster

We rewrote the parser. On large files it is now **2.5x faster**
than `json.loads`. It was fun!

- Memory usage: _40-60 %_ less
- nicer messages

    It needs 60 % less memory.
1. [Startup](https://example.org/a_b) takes 10 ms instead of 20 ms.
> Throughput doubled.

```python
fast()  # 100x faster
```

Text:

    fast()  # 50x faster

| what | before | gain |
| --- | ---: | --- |
| latency | 100 ms | latency 3x |

<!-- 9x faster -->
~~7x faster~~
"""


def claims(path, *options):
    done = CliRunner().invoke(cli, ["claims", str(path), *options])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.fixture
def document(tmp_path):
    file = tmp_path / "CHANGES.md"
    file.write_text(TEXT, encoding="utf-8")
    return file


def test_sentences_are_found_where_people_write_them_and_code_is_left_out():
    found = [(each.line, each.text) for each in list_sentences(TEXT) if each.has_figure]
    assert found == [
        (1, "Parsing is 3x faster"),
        (3, "On large files it is now 2.5x faster than json.loads."),
        (6, "Memory usage: 40-60 % less"),
        (9, "It needs 60 % less memory."),
        (10, "Startup takes 10 ms instead of 20 ms."),
        (11, "Throughput doubled."),
        (23, "100 ms"),
        (23, "latency 3x"),
    ]


def test_json_has_every_sentence_with_its_reading_or_why_it_has_none(document):
    found = json.loads(claims(document, "--json"))
    assert (found["sentences_with_figures"], found["read"], found["refused"]) == (8, 6, 2)
    by_text = {each["sentence"]: each for each in found["sentences"]}
    memory = by_text["Memory usage: 40-60 % less"]
    assert (memory["line"], memory["kind"], memory["low"], memory["high"]) == (6, "reduction", 0.4, 0.6)
    assert 'metric="peak_rss"' in memory["judged_by"]
    assert "is more of something" in by_text["latency 3x"]["why"]
    assert by_text["latency 3x"]["nearest"]


def test_the_output_fits_80_columns_and_ends_with_a_summary(document):
    shown = claims(document)
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.splitlines()[-1] == "8 sentences with figures, 6 read, 2 refused"
    assert 'line 1: "Parsing is 3x faster"' in shown


def test_sentences_without_a_figure_are_shown_on_request_and_not_counted(document):
    assert "nicer messages" not in claims(document)
    shown = claims(document, "--all")
    assert "nicer messages" in shown
    assert shown.splitlines()[-1] == "8 sentences with figures, 6 read, 2 refused"


@pytest.mark.parametrize("length", [1, 10])
def test_the_call_that_judges_a_claim_can_be_pasted(tmp_path, length):
    file = tmp_path / "a.md"
    file.write_text('The "new" parser is 2x faster than a\\\\b ' + "and the slow one " * length, encoding="utf-8")
    (reading,) = json.loads(claims(file, "--json"))["sentences"]
    call = ast.parse(reading["judged_by"]).body[0].value
    assert ast.unparse(call.func) == "argo_bench.compare"
    assert [each.value.value for each in call.keywords] == [reading["sentence"]]
    assert r"a\b" in reading["sentence"]
    assert max(map(len, claims(file).splitlines())) <= 80


def test_escapes_of_a_terminal_are_shown_as_text(tmp_path):
    file = tmp_path / "a.md"
    file.write_text("\x1b[31m2x faster\x1b[0m \u202efor all\u0007", encoding="utf-8")
    shown = claims(file) + claims(file, "--json")
    assert not {"\x1b", "\u202e", "\u0007"} & set(claims(file))
    assert "\\x1b" in shown


BROKEN = {
    "an absent file": (None, "cannot be read"),
    "an empty file": (b"", "found nothing in it"),
    "blanks": (b" \n\t\n", "found nothing in it"),
    "binary data": (b"PK\x03\x04\0\0\0", "found binary data"),
    "another encoding": ("30 % weniger für alle".encode("latin-1"), "found other bytes"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_document_gets_one_sentence(kind, tmp_path):
    content, words = BROKEN[kind]
    file = tmp_path / "a.md"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        read_document(file)
    assert "\n" not in str(caught.value)


def test_a_folder_gets_one_sentence_and_exit_code_2(tmp_path):
    command = [sys.executable, "-m", "argo_bench.cli", "claims", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "found a folder" in done.stderr


def test_a_document_without_figures_has_no_claims(tmp_path):
    file = tmp_path / "a.md"
    file.write_text("Written in 2024, version 1.2 of it, in 10 chapters.\n", encoding="utf-8")
    assert claims(file) == "0 sentences with figures, 0 read, 0 refused\n"


def said(claim):
    return claim.kind, claim.low, claim.high


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_published_claim_is_one_sentence_of_a_document_and_read_as_in_the_catalogue(claim):
    found = list_sentences(f"# Impact\n\n- **{claim.text}**\n")
    assert [each.text for each in found] == ["Impact", claim.text]
    assert found[1].has_figure == (re.search(r"\d", claim.text) is not None)
    try:
        read = read_claim(found[1].text, id=claim.id, workload=claim.workload)
    except UserError:
        return  # tests/test_sentence.py holds the few texts that are refused
    assert said(read) == said(claim)


def test_the_document_of_the_catalogue_is_read_as_the_catalogue_reads_it():
    if not DOCUMENT.exists():
        pytest.skip("the document is not on this machine")
    in_document = {each.text: each for each in list_sentences(read_document(DOCUMENT))}
    published = [claim for claim in CLAIMS if claim.source.startswith(DOCUMENT.name)]
    found = [claim for claim in published if claim.text in in_document]
    assert len(found) >= 0.9 * len(published)
    for claim in found:
        if not claim.text.startswith(("70-90% cost/time", "Adaptive")):
            assert said(read_claim(claim.text, id=claim.id, workload=claim.workload)) == said(claim)
