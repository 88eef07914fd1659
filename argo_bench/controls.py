"""Spells out characters that command a terminal, turn the direction of writing, or stand in no XML.

Text that comes from outside (symbols, names, claims, errors, facts of a machine) passes through here wherever it is
shown or written for people or other tools. JSON has escapes of its own, and keeps every character.
"""

from __future__ import annotations

import re

CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks and overrides of direction
    "\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]"  # further ends of lines, what is no character, halves of one
)


def spell_controls(text: str) -> str:
    r"""Return a text with every such character as its escape in Python, such as ``\x1b``; tabs and line feeds stay."""
    return CONTROLS.sub(_spell, text)


def escape_controls(text: str) -> str:
    r"""Return JSON text with every such character as JSON's escape, such as ``\u009b``: it means the same."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _spell(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
