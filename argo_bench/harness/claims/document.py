"""Finds the sentences of a Markdown document that may be claims: prose, bullets, headings and cells of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from argo_bench.harness.claims.words import names_figure

FENCE = re.compile(r"\s*(`{3,}|~{3,})")
QUOTE = re.compile(r"\A\s*(?:>\s?)+")
HEADING = re.compile(r"\s*#{1,6}\s")
BLOCK = re.compile(r"\A\s*(?:#{1,6}\s+|[-*+•]\s+|\d{1,3}[.)]\s+)")
LISTED = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s")
ROW = re.compile(r"\s*\|.*\|\s*\Z")
RULER = re.compile(r"\s*(?:=+|-{2,}|\*{3,}|_{3,})\s*\Z")
TABLE_RULER = re.compile(r"[\s|:-]+\Z")
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
    begin, lines, was_quoted = 0, list[str](), False
    for number, line in enumerate([*_blank_code(document), ""], 1):
        is_quoted, line = line.lstrip().startswith(">"), QUOTE.sub("", line)
        begins = (is_quoted and not was_quoted) or BLOCK.match(line) or HEADING.match(lines[-1] if lines else "")
        was_quoted = is_quoted
        if lines and (begins or not line.strip() or ROW.match(line) or RULER.match(line)):
            yield begin, " ".join(BLOCK.sub("", " ".join(lines)).split())
            lines = []
        if ROW.match(line):
            if not TABLE_RULER.match(line):
                yield from ((number, " ".join(cell.split())) for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1]))
        elif line.strip() and not RULER.match(line):
            begin = begin if lines else number
            lines.append(line)


def _blank_code(document: str) -> Iterator[str]:
    """Yield the lines of a document, those of code (in fences, or indented) and of comments as empty ones."""
    fence, above, is_text = "", "", False
    commentless = re.sub(r"<!--.*?(?:-->|\Z)", lambda found: "\n" * found[0].count("\n"), document, flags=re.DOTALL)
    for line in commentless.split("\n"):
        found = FENCE.match(line)
        is_indented = re.match(r" {4}|\t", line) is not None
        if found and (not fence or found[1].startswith(fence)):
            fence = "" if fence else found[1]
            yield ""
        elif fence or (is_indented and not is_text and not LISTED.match(above)):
            yield ""
        else:
            yield line
            above = line if line.strip() and not is_indented else above
            is_text = bool(line.strip())


def _strip_markup(text: str) -> str:
    for pattern, shown in MARKUP:
        text = re.sub(pattern, shown, text)
    return text
