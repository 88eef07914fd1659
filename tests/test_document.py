"""Is everything that the document promises judged, or said to be beyond measuring?"""

import re
from pathlib import Path

import pytest

from argo_bench.optimizations import subjects
from argo_bench.optimizations.document import RANKS, STATEMENTS

DOCUMENT = Path(__file__).parents[1].parent / "shared" / "spec" / "additional_optimizations.txt"
CLAIMS = {claim.id: claim for subject in subjects().values() for claim in subject.claims}


def plain(text):
    return re.sub(r"\s+", " ", re.sub(r"[*`]", "", text)).strip()


def sections(text):
    """The document's text by optimization, from its headings."""
    parts = re.split(r"^## Optimization (\d+):", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def document():
    if not DOCUMENT.exists():
        pytest.skip("the document is not on this machine")
    return DOCUMENT.read_text()


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: f"{each.where}: {each.text}")
def test_a_statement_has_claims_or_a_reason_for_having_none(statement):
    assert bool(statement.claims) != bool(statement.because)
    assert set(statement.claims) <= CLAIMS.keys()


def test_every_bullet_under_expected_impact_is_listed(document):
    listed = {(each.where, each.text) for each in STATEMENTS}
    for number, section in sections(document).items():
        impact = section.split("### Expected Impact")[1].split("###")[0]
        bullets = [plain(line[2:]) for line in impact.splitlines() if line.startswith("- ")]
        assert len(bullets) == 3
        assert {(number, bullet) for bullet in bullets} <= listed


PROMISES = re.compile(r"faster|better|reduc|cleanup after|instead|slowly|expensive|significantly")


def test_every_comment_in_the_code_that_promises_something_is_listed(document):
    listed = {(each.where, each.text) for each in STATEMENTS}
    found = set()
    for number, section in sections(document).items():
        code = "".join(re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL))
        comments = {plain(each) for each in re.findall(r"#\s+(.+)$", code, flags=re.MULTILINE)}
        found |= {(f"{number}, code", each) for each in comments if PROMISES.search(each)}
    assert found == {each for each in listed if each[0].endswith(", code")}


def test_every_bullet_of_the_summary_is_listed(document):
    summary = document.split("**Expected Combined Impact:**")[1].split("---")[0]
    bullets = {plain(line[2:]) for line in summary.splitlines() if line.startswith("- ")}
    known = {each.text for each in STATEMENTS}
    assert len(bullets) == 4
    assert bullets <= known


def test_every_row_of_the_table_of_optimizations_is_listed(document):
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|", document, flags=re.MULTILINE)
    listed = {each.text for each in STATEMENTS if each.where == "table"}
    assert len(rows) == 10
    assert {f"{name}: {impact}" for _, name, impact in rows} == listed


def test_every_row_of_the_combined_table_is_listed(document):
    table = document.split("## Combined Expected Impact")[1].split("## Implementation Priority")[0]
    rows = [
        [plain(cell) for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")
    ]
    metrics = {row[0] for row in rows[1:]}
    assert metrics == {each.text.split(":")[0] for each in STATEMENTS if each.where == "combined"}
    totals = {f"{row[0]}: {row[3]}" for row in rows[1:]}
    assert totals <= {each.text for each in STATEMENTS if each.where == "combined"}


def test_the_ranks_are_those_of_the_document(document):
    rows = re.findall(r"^\| (\d+) \| .+? \| .+? \| \S+ (\w+) \| (\w+) \|", document, flags=re.MULTILINE)
    assert {f"O{int(number):02}": (priority.lower(), effort.lower()) for number, priority, effort in rows} == {
        identifier: (rank.priority, rank.effort) for identifier, rank in RANKS.items()
    }
    for phase, text in enumerate(re.split(r"### Phase \d", document)[1:], 1):
        assert {f"O{int(n):02}" for n in re.findall(r"\*\*Optimization (\d+)\*\*", text)} == {
            identifier for identifier, rank in RANKS.items() if rank.phase == phase
        }


def test_every_claim_of_the_document_is_behind_a_statement():
    named = {claim for each in STATEMENTS for claim in each.claims}
    of_document = {each.id for each in CLAIMS.values() if each.source.startswith("additional_optimizations.txt")}
    headline = {each for each in of_document if CLAIMS[each].headline}
    assert headline <= named
