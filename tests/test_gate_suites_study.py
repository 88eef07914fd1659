"""Does the page on CI say of public suites what the record of the study has?"""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_has_the_sums_of_the_stored_suites():
    text = (ROOT / "results" / "reference" / "suites.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    run, found = (sum(line[key] for line in lines) for key in ("run", "found"))
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    assert f"{run:,} of {found:,} benchmarks run" in page
    names = [line["repository"].rpartition("/")[2] for line in lines]
    assert all(name in page for name in names)
    assert sum(line["run"] == line["found"] for line in lines) == 8
