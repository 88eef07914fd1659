"""Does the glossary have every word that a verdict or a gate can say, so that a reader can look all of them up?"""

from pathlib import Path
from typing import get_args

import pytest

from argo_bench.harness.claims.verdict import State, Word, word_for

GLOSSARY = (Path(__file__).parent.parent / "docs/glossary.md").read_text(encoding="utf-8")


def words_of(heading: str) -> set[str]:
    """The first column of the table under a heading; where words share a row, each of them."""
    part = GLOSSARY.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1].strip() for line in part.splitlines() if line.startswith("| ")]
    return {*cells, *(word for cell in cells for word in cell.split(", "))}


@pytest.mark.parametrize("word", get_args(Word))
def test_it_has_every_verdict(word):
    assert word_for(word) in words_of("Verdicts")


@pytest.mark.parametrize("state", get_args(State))
def test_it_has_every_word_of_the_gate(state):
    assert word_for(state) in words_of("In the gate")
