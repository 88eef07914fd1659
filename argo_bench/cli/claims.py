"""Defines ``argo-bench claims``: how the sentences of somebody's document are read, and what would judge them."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from argo_bench.cli.shell import print_json
from argo_bench.controls import spell_controls
from argo_bench.errors import UserError

if TYPE_CHECKING:
    from argo_bench.harness.claims.document import Sentence

WIDTH, PIECE, INDENT = 80, 56, 4 * " "
"""Lines are at most so wide, and a literal of a longer sentence holds so many characters."""


@click.command(short_help="Show how the claims in a document are understood.")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.md")
@click.option("--all", "shows_all", is_flag=True, help="Also show sentences without a figure.")
@click.option("--json", "as_json", is_flag=True, help="Print the readings as JSON.")
def claims(file: Path, shows_all: bool, as_json: bool) -> None:
    """Show how the claims in a document of yours are understood, and the call that would judge each of them.

    Every sentence with a figure is read; where it cannot be understood as a claim, the reason is given. FILE.md is
    Markdown or plain text; code in it is left out.
    """
    from argo_bench.harness.claims.document import list_sentences

    sentences = [each for each in list_sentences(read_document(file)) if each.has_figure or shows_all]
    readings = [describe_reading(each) for each in sentences]
    with_figure = [reading for each, reading in zip(sentences, readings, strict=True) if each.has_figure]
    counts = {
        "sentences_with_figures": len(with_figure),
        "read": sum("kind" in each for each in with_figure),
        "refused": sum("kind" not in each for each in with_figure),
    }
    if as_json:
        print_json({"file": str(file), "sentences": readings, **counts})
        return
    for reading in readings:
        click.echo(write_reading(reading) + "\n")
    if counts["read"]:
        click.echo("before and after are two functions of yours that compute the same, or their")
        click.echo('names as "module:name"; setup= is a function that makes their arguments.\n')
    number = counts["sentences_with_figures"]
    click.echo(
        f"{number} {'sentence' if number == 1 else 'sentences'} with figures, "
        f"{counts['read']} read, {counts['refused']} refused"
    )


def read_document(file: Path) -> str:
    """Return the text of a document; raise UserError where there is none."""
    expected = f"{spell_controls(str(file))}: expected a document in Markdown or plain text"
    try:
        content = file.read_bytes()
    except IsADirectoryError:
        raise UserError(f"{expected}, found a folder; name a file of it") from None
    except OSError as error:
        raise UserError(f"{expected}, which cannot be read ({error.strerror}); check the path") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{expected} in UTF-8, found other bytes; save it as UTF-8") from None
    if "\0" in text:
        raise UserError(f"{expected}, found binary data; name the text that it was made from")
    if not text.strip():
        raise UserError(f"{expected}, found nothing in it; write at least one sentence")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def describe_reading(sentence: Sentence) -> dict[str, Any]:
    """Return how a sentence is read and the call that judges it, or why it is refused and the nearest form."""
    from argo_bench.harness.claims.figures import Unreadable
    from argo_bench.harness.claims.sentence import read_claim, speaks_of_memory

    found: dict[str, Any] = {"line": sentence.line, "sentence": sentence.text}
    metric = "peak_rss" if speaks_of_memory(sentence.text) else "cpu"
    try:
        claim = read_claim(sentence.text, id="claim", workload="call", metric=metric)
    except Unreadable as error:
        return found | {"why": error.why, "nearest": error.way_out}
    arguments = {"claim": sentence.text} | ({"metric": metric} if metric != "cpu" else {})
    return found | {
        "kind": claim.kind,
        "low": claim.low,
        "high": claim.high,
        "reading": claim.reading,
        "judged_by": write_call(arguments),
    }


def write_call(arguments: dict[str, str]) -> str:
    """Write a call of ``compare`` that can be pasted; a long text is cut into literals that Python joins."""
    one_line = ", ".join(f"{name}={_write_literal(value)}" for name, value in arguments.items())
    call = f"argo_bench.compare(before, after, {one_line})"
    if len(call) <= WIDTH - len(INDENT):
        return call
    lines = ["argo_bench.compare(", "    before, after,"]
    for name, value in arguments.items():
        first, *more = [value[at : at + PIECE] for at in range(0, len(value), PIECE)]
        lines += [f"    {name}={_write_literal(first)}", *(f"    {_write_literal(each)}" for each in more)]
        lines[-1] += ","
    return "\n".join([*lines, ")"])


def _write_literal(text: str) -> str:
    return spell_controls(json.dumps(text, ensure_ascii=False))


def write_reading(reading: dict[str, Any]) -> str:
    """Write one reading for people, at most 80 columns wide."""
    lines = _wrap(f"line {reading['line']}: ", f'"{spell_controls(reading["sentence"])}"')
    if "kind" in reading:
        lines += _wrap("  read as: ", reading["reading"])
        lines += [f"{INDENT}{line}" for line in reading["judged_by"].splitlines()]
    else:
        lines += _wrap("  not read: ", spell_controls(reading["why"])) + _wrap(
            "  nearest: ", spell_controls(reading["nearest"])
        )
    return "\n".join(lines)


def _wrap(label: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=label, subsequent_indent=INDENT, break_on_hyphens=False) or [
        label.rstrip()
    ]
