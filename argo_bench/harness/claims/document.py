"""Finds the sentences of a Markdown document that may be claims: prose, bullets, headings and cells of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from argo_bench.harness.claims.words import names_figure

FENCE = re.compile(r"\s*(`{3,}|~{3,})")
BLOCK = re.compile(r"\s*(?:>\s?)*\s*(?:#{1,6}\s+|[-*+•]\s+|\d{1,3}[.)]\s+)")
SETEXT = re.compile(r"\s*(?:=+|-{2,}|\*{3,}|_{3,})\s*\Z")
ROW = re.compile(r"\s*\|.*\|\s*\Z")
RULE = re.compile(r"[\s|:-]+\Z")
SENTENCE_END = re.compile(r"(?<!\bvs\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bapprox\.)(?<=[.!?])\s+(?=[\"'“(]?[A-Z0-9])")
MARKUP: tuple[tuple[str, str], ...] = (
    (r"~~.*?~~", ""),
    (r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)", r"\1"),
    (r"!?\[([^\[\]]+)\]\[[^\[\]]*\]", r"\1"),
    (r"\A\[[ xX]\]\s+", ""),
    (r"</?[a-zA-Z][^<>]*>", ""),
    (r"(\*\*|__)(?=\S)(.*?\S)\1", r"\2"),
    (r"(?<![\w*])\*(?=[^\s*])([^*]*[^\s*])\*(?![\w*])", r"\1"),
    (r"(?<!\w)_(?=\S)([^_]*\S)_(?!\w)", r"\1"),
    (r"`+([^`]*)`+", r"\1"),
    (r"\\([\\`*_{}\[\]()#+.!|~-])", r"\1"),
    (r"&nbsp;", " "),
    (r"&lt;", "<"),
    (r"&gt;", ">"),
    (r"&amp;", "&"),
)
"""Markup is replaced by what a reader sees; struck-out text is not claimed any more."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Holds a sentence as a reader sees it, and the line on which it, or the paragraph around it, begins."""

    line: int
    text: str
    has_figure: bool


def list_sentences(document: str) -> list[Sentence]:
    """Return the sentences of a document in their order; blocks of code and comments are left out."""
    return [
        Sentence(line, text, names_figure(text))
        for line, block in _list_blocks(document)
        for text in map(str.strip, SENTENCE_END.split(_strip_markup(block)))
        if re.search(r"\w", text)
    ]


def _list_blocks(document: str) -> Iterator[tuple[int, str]]:
    """Yield paragraphs, bullets, headings and cells, each with the number of its first line."""
    begin, lines = 0, list[str]()
    for number, line in enumerate([*_blank_code(document), ""], 1):
        is_row = ROW.match(line) is not None
        if lines and (not line.strip() or is_row or BLOCK.match(line) or SETEXT.match(line) or _is_heading(lines[-1])):
            yield begin, " ".join(BLOCK.sub("", lines[0], count=1).split() + " ".join(lines[1:]).split())
            lines = []
        if is_row:
            if not RULE.match(line):
                yield from ((number, cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1]))
        elif line.strip() and not SETEXT.match(line):
            begin = begin if lines else number
            lines.append(re.sub(r"\A\s*(?:>\s?)+", "", line) if not lines or line.lstrip().startswith(">") else line)


def _is_heading(line: str) -> bool:
    return re.match(r"\s*#{1,6}\s", line) is not None


def _blank_code(document: str) -> Iterator[str]:
    """Yield the lines of a document, those of code and of comments as empty ones."""
    fence = ""
    commentless = re.sub(r"<!--.*?(?:-->|\Z)", lambda found: "\n" * found[0].count("\n"), document, flags=re.DOTALL)
    for line in commentless.split("\n"):
        found = FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence):
                fence = ""
            yield ""
        elif found:
            fence = found[1]
            yield ""
        else:
            yield line


def _strip_markup(text: str) -> str:
    for pattern, shown in MARKUP:
        text = re.sub(pattern, shown, text)
    return text
