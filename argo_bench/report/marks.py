"""Gives every verdict a glyph, an order and a colour: three channels, so that no reader depends on one of them.

Hues are those of Okabe and Ito (2008), "Color Universal Design"; the grey is for what was not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from argo_bench.harness.claims.verdict import State, Word, word_for

OKABE_ITO: Mapping[str, str] = {
    "black": "#000000",
    "grey": "#999999",
    "orange": "#E69F00",
    "sky blue": "#56B4E9",
    "bluish green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "reddish purple": "#CC79A7",
}
LEGIBLE = 4.5
"""Text has at least this contrast against its background (WCAG 2.2, success criterion 1.4.3)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Says how a verdict is marked; ``terminal`` is the nearest colour that a terminal's own theme keeps legible."""

    glyph: str
    hue: str
    terminal: str


MARKS: Mapping[Word | State, Mark] = {
    "exceeded": Mark("▲", "blue", "blue"),
    "confirmed": Mark("✓", "bluish green", "green"),
    "confirmed, at least low": Mark("≥", "bluish green", "green"),
    "fell short": Mark("◐", "orange", "yellow"),
    "fell short or worse": Mark("▽", "orange", "yellow"),
    "refuted": Mark("✗", "vermillion", "red"),
    "faster": Mark("↑", "blue", "blue"),
    "no difference": Mark("=", "black", "default"),
    "slower": Mark("↓", "vermillion", "red"),
    "inconclusive": Mark("?", "black", "default"),
    "void": Mark("⊘", "reddish purple", "magenta"),
    "failed": Mark("!", "vermillion", "red"),
    "untested": Mark("○", "grey", "default"),
    "worse": Mark("↓", "vermillion", "red"),
    "more memory": Mark("↓", "vermillion", "red"),
    "more counted": Mark("↓", "vermillion", "red"),
    "accepted": Mark("↓", "orange", "yellow"),
    "differs": Mark("⊘", "reddish purple", "magenta"),
    "cannot tell": Mark("?", "black", "default"),
    "cannot run": Mark("○", "grey", "yellow"),
    "not measured": Mark("○", "grey", "default"),
    "new": Mark("○", "grey", "default"),
    "removed": Mark("○", "grey", "default"),
    "better": Mark("↑", "blue", "blue"),
    "fine": Mark("=", "black", "default"),
}
"""A run's verdicts come first, in the order in which a figure sorts them, and then those that only a gate has."""

ORDER: Mapping[Word | State, int] = {word: position for position, word in enumerate(MARKS)}


def label_verdict(word: Word | State) -> str:
    """Return a verdict as readers see it, with its glyph."""
    return f"{MARKS[word].glyph} {word_for(word)}"


def make_legible(hue: str, background: str) -> str:
    """Return the hue as ``#rrggbb``, moved away from the background until it can be read as text on it."""
    colour, back = _channels(OKABE_ITO[hue]), _channels(background)
    target = 0.0 if _luminance(back) > 0.18 else 1.0
    share = 0.0
    mixed = colour
    while _contrast(mixed, back) < LEGIBLE:
        share += 0.02
        mixed = tuple(channel + (target - channel) * share for channel in colour)
    return _hex(mixed)


def compute_contrast(first: str, second: str) -> float:
    """Return the WCAG contrast ratio of two ``#rrggbb`` colours, 1 to 21."""
    return _contrast(_channels(first), _channels(second))


def _contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(channels: tuple[float, ...]) -> float:
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))


def _hex(channels: tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(channel * 255):02X}" for channel in channels)
