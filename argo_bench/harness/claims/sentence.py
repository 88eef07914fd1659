"""Reads a published sentence, such as "30-50% reduction" or "50-100 ms -> 5-15 ms", as a Claim.

The sentence is rewritten into plain signs (``REWRITTEN``), refused where it is about something else than a gain
(``REFUSED``), and its figures are read form by form (``FORMS``); figures that say the same count as one. What could
mean two things is read in the weaker way, and the reading says so, or it is refused: nothing is guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from argo_bench.errors import UserError
from argo_bench.harness.claims.claim import Claim, Kind
from argo_bench.harness.claims.metrics import CLOCKS, Metric

EXAMPLES = '"30-50 % reduction", "at least 2.5x" or "50-100 ms -> 5-15 ms"'

TIMES = {"ns": 1e-9, "us": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "seconds": 1.0, "min": 60.0, "minutes": 60.0}
SIZES = {"b": 1.0, "bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
UNITS = TIMES | SIZES

UNIT = rf"(?:{'|'.join(sorted(UNITS, key=len, reverse=True))})(?![\w/]| per )"
NUMBER = r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\d|[.,]\d)"
SPEED = r"(?:throughput|speed\b(?!-? ?up)|performance)"
COST = r"(?:cpu|costs?|latency|memory|ram|time|runtime)\b"
MEMORY = r"\b(?:memory|ram|rss|heap|footprint)\b"
LESS = (
    r"\b(?:reduc\w*|less|fewer|lower\w*|cut\w*|decreas\w*|drop\w*|sav(?:e|es|ed|ings?)|shrinks?|smaller|shorter|down)\b"
)
GAIN = (
    r"\b(?:faster|quicker|speed-? ?ups?|speed(?:s|ed) up|better|improv\w*|boost\w*|accelerat\w*|more efficient"
    rf"|(?:more|higher|increas\w+)(?: the)? {SPEED})"
)
FOLD = (
    r"x(?!\w)|-?fold\b|times(?= (?:as (?:fast|quick)|faster|quicker|less|fewer|smaller|lower|shorter)\b"
    rf"| (?:more |the )?{SPEED})"
)
APPROXIMATE = r"[~≈]|\b(?:about|around|roughly|approximately|nearly|almost)\b"
AT_LEAST = r"at least|over|more than|above|(?<!-)>=?"
UP_TO = r"up to|as much as"
AT_MOST = r"\b(?:at most|(?:less|fewer|no more) than|under|below)|<=?"
SPELT = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}

REWRITTEN: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"[\u2010-\u2015\u2212\u2026]|\.{2,3}", "-"),
    (r"→|⇒|=>|--+>", "->"),
    (r"×", "x"),
    (r"≥", ">="),
    (r"≤", "<="),
    (r"µ", "μ"),
    (APPROXIMATE, " "),
    (r"\bper ?cent\b", "%"),
    (r"\bbetween (\S+(?: %| x| times)?) and ", r"\1 to "),
    (rf"\b({'|'.join(SPELT)})[ -]?(?=times\b|fold\b)", lambda found: f"{SPELT[found[1]]} "),
    (r"\btwice\b|\bdoubl(?:es?|ed|ing)\b", "2 times"),
    (r"\bhalf (?:of )?(?:the|as (?:much|many|long))\b", "50 % less"),
    (r"\b(?:in|by|to) half\b", "by 50 %"),
    (r"\bhalv(?:es?|ed|ing)\b", "50 % reduced"),
    (r"\s+", " "),
)
"""Each pattern is replaced by what stands beside it, in this order, in the sentence in lower case."""

NO_GAIN = (
    "is a loss or no gain, and a claim promises a gain",
    'turn it round, as in "2x faster" or "30 % less memory"',
)
NO_SPEED = ("is more of something, which need not be a gain", 'say what gets better, as in "2.5x faster"')
LEVEL = ("is a level, not a gain in time or memory", "levels are judged on counts, by a Claim of kind level")
BOUNDED = ("promises nothing", 'say what is reached, as in "up to 10x", "more than 2x" or "at least 50 % less"')
LEFT = ("could be what is left or what is saved", 'say what is saved, as in "60 % less"')

REFUSED: tuple[tuple[str, tuple[str, str]], ...] = (
    (rf"\bhit (?:rate|ratio)|{NUMBER} ?%?\+? ?-> ?{NUMBER} ?%|\bfrom {NUMBER} ?%? to {NUMBER} ?%", LEVEL),
    (r"\b(?:no|not|never|without)\b[^.;,]*\b(?:slow\w*|fast\w*|worse|better|quick\w*|less|more)\b", NO_GAIN),
    (r"\b(?:slower|as slow|slow(?:s|ed) down|slowdown|longer|worse)\b", NO_GAIN),
    (rf"(?:{LESS})(?: in| of| the)* {SPEED}|{SPEED} (?:(?:is|was) )?(?:{LESS})", NO_GAIN),
    (
        rf"\b(?:more|higher|increas\w*)(?: in| of| the)* {COST}|\b{COST} (?:usage |use )?(?:increas|grow|rise)\w*",
        NO_GAIN,
    ),
    (
        rf"(?:\d ?x|times) (?:more|higher|greater|larger|bigger|as many|as much|the)\b(?! (?:{SPEED}|efficient))",
        NO_SPEED,
    ),
    (rf"(?:\d ?x|times) {COST}(?!.*(?:{LESS}|{GAIN}))", NO_SPEED),
    (rf"(?:{AT_MOST}) ?\d\S*", BOUNDED),
    (rf"(?<!\bup )(?<![\d%x] )\bto {NUMBER}(?: ?- ?{NUMBER})? ?%", LEFT),
)
"""A sentence is refused where one of these patterns is found in it, with the reason and the way out beside it."""


class Unreadable(Exception):
    """Says why a sentence cannot be read, and the way out."""

    def __init__(self, why: str, way_out: str) -> None:
        super().__init__(why, way_out)
        self.why, self.way_out = why, way_out


@dataclass(frozen=True, slots=True)
class Figure:
    """Holds what one figure of a sentence says, in the terms of a Claim."""

    kind: Kind
    low: float
    high: float
    reading: str

    def says_the_same_as(self, other: Figure) -> bool:
        ends = zip((self.low, self.high), (other.low, other.high), strict=True)
        return self.kind == other.kind and all(math.isclose(a, b) or (a != a and b != b) for a, b in ends)


def read_claim(
    sentence: str,
    *,
    id: str,
    workload: str,
    metric: Metric = "cpu",
    source: str = "",
    headline: bool = True,
) -> Claim:
    """Read a sentence as a Claim, whose ``reading`` says how it was read and how to ask for another reading.

    Raises UserError for a sentence that names no gain, several different figures, or one that cannot be read.
    """
    text = sentence.lower()
    for pattern, sign in REWRITTEN:
        text = re.sub(pattern, sign, text)
    try:
        figure = _read_figure(text.strip())
    except Unreadable as error:
        raise UserError(
            f"the claim {sentence!r} cannot be read: {error.why}; {error.way_out} (sentences such as {EXAMPLES} are "
            "read, anything else takes a Claim with its kind, low and high)"
        ) from None
    notes = [figure.reading]
    if re.search(APPROXIMATE, sentence.lower()):
        notes.append("a figure that is nearly reached is taken as it stands")
    if metric in CLOCKS and re.search(rf"{MEMORY}|\d ?(?:{'|'.join(SIZES)})\b", text):
        notes.append(f"it speaks of memory, yet is judged on {metric} time unless a metric of memory is asked for")
    return Claim(
        id=id,
        text=sentence,
        source=source,
        kind=figure.kind,
        workload=workload,
        reading="; ".join(notes),
        low=figure.low,
        high=figure.high,
        metric=metric,
        headline=headline,
    )


def publish_claim(*, text: str, **fields: Any) -> Claim:
    """Make the Claim of a published sentence from the sentence itself: its kind and its range are what the words say.

    ``fields`` are the other fields of a Claim; ``reading`` says how words about the workload were read. A sentence that
    the reader refuses, or reads otherwise, takes a Claim with its kind, low and high. Raises UserError for a sentence
    that cannot be read.
    """
    read = read_claim(text, id=fields["id"], workload=fields["workload"], metric=fields.get("metric", "cpu"))
    return Claim(text=text, kind=read.kind, low=read.low, high=read.high, **fields)


def _read_figure(text: str) -> Figure:
    """Return the one figure of a rewritten sentence, or the direction that it names without one."""
    for pattern, reason in REFUSED:
        if found := re.search(pattern, text):
            raise _unreadable(found, reason)
    figures: list[Figure] = []
    rest = text
    for pattern, read in FORMS:
        figures += map(read, re.finditer(pattern, rest))
        rest = re.sub(pattern, " | ", rest)
    if stray := re.search(r"(?<!\w)(?<!\w-)\d[\d.,]*(?: ?[a-zμ%]+)?", re.sub(CONTEXT, " ", rest)):
        raise _unreadable(stray, ("stands alone", "keep one figure, with a %, an x or the units of both its sides"))
    if not figures:
        return _read_direction(text)
    for other in figures[1:]:
        if not other.says_the_same_as(figures[0]):
            raise Unreadable(f"it says both {figures[0].reading} and {other.reading}", "make a claim of each")
    return figures[0]


def _unreadable(found: re.Match[str], reason: tuple[str, str]) -> Unreadable:
    why, way_out = reason
    return Unreadable(f'"{found[0].strip()}" {why}', way_out)


def _read_direction(text: str) -> Figure:
    vague = r"\b(?:magnitude|times|\w*fold|half|third|quarter|fraction|(?:dozen|hundred|thousand)s?)\b"
    if found := re.search(vague, text):
        raise _unreadable(found, ("is a quantity without a figure", "write it as a number"))
    if not re.search(rf"{LESS}|{GAIN}|\beliminat\w*", text):
        raise Unreadable("it names neither a figure nor a gain", "say how much less or how many times faster")
    return Figure("direction", math.nan, math.nan, "without a figure, any gain beyond 1 %")


def _read_pair(found: re.Match[str]) -> Figure:
    """Read a pair as the range of before over after, from the least that the two ranges allow to the most."""
    before, after = _read_quantities(found, "before"), _read_quantities(found, "after")
    if (found["before_unit"] in TIMES) != (found["after_unit"] in TIMES):
        raise _unreadable(found, ("sets a time against a size", "write both sides in one kind of unit"))
    if re.search(rf"(?:{UP_TO}|{AT_LEAST}) ?\Z", found.string[: found.start()]):
        raise _unreadable(found, ("has a bound before it", "leave the bound out, or write a factor"))
    if after[0] == 0 or before[-1] <= after[0]:
        raise _unreadable(found, NO_GAIN)
    words = "before over after is "
    if len(before) == len(after) == 1:
        return _at_least(before[0] / after[0], words)
    return _range([before[0] / after[-1], before[-1] / after[0]], words)


def _read_quantities(found: re.Match[str], side: str) -> list[float]:
    """Return the ends of one side of a pair, in seconds or bytes."""
    low, low_unit, high, unit = found.group(f"{side}_low", f"{side}_low_unit", f"{side}_high", f"{side}_unit")
    ends = [_read_number(low) * UNITS[low_unit or unit]] if high else []
    return _check_order(found, [*ends, _read_number(high or low) * UNITS[unit]])


def _read_percent(found: re.Match[str]) -> Figure:
    """Read a share: less is a reduction; faster is that much more speed, the weaker of its two readings."""
    ends = _read_ends(found)
    shown = "-".join(each for each in found.group("low", "high") if each) + " %"
    shares = [end / 100 for end in ends]
    if _means_less(found):
        if shares[-1] >= 1:
            raise _unreadable(found, ("less would leave nothing or less than that", "a reduction is below 100 %"))
        if len(shares) == 2:
            return Figure("reduction", shares[0], shares[1], f"a reduction by {_join_ends(ends)} %")
        return _read_single(found, 1 / (1 - shares[0]), f"a reduction by {shown} is ")
    if re.search(MEMORY, found.string):
        raise _unreadable(found, ("beside memory could mean two things", f'write "{shown} less memory"'))
    factors = [1 + share for share in shares]
    words = f'"{shown} faster" is so much more speed (write "{shown} less time" if that is meant), '
    return _range(factors, words) if len(factors) == 2 else _read_single(found, factors[0], words)


def _means_less(found: re.Match[str]) -> bool:
    """Say whether a share is one saved: by its sign, else by the word behind it, else by the words around it."""
    if found["sign"] == "-":
        if word := re.search(rf"{LESS}|{GAIN}|{SPEED}", found.string):
            raise _unreadable(found, (f'is negative beside "{word[0]}"', "leave out the sign or the word"))
        return True
    behind = found.string[found.end() :].lstrip()
    for less, gain in (
        (re.match(LESS, behind), re.match(GAIN, behind)),
        (re.search(LESS, found.string), re.search(GAIN, found.string)),
    ):
        if (less is None) != (gain is None):
            return gain is None
    raise _unreadable(found, ("could be less or faster", 'write "less time", "less memory" or "faster" behind it'))


def _read_factor(found: re.Match[str]) -> Figure:
    factors = _read_ends(found)
    if found["sign"] == "-" or factors[0] < 1:
        raise _unreadable(found, NO_GAIN)
    return _range(factors) if len(factors) == 2 else _read_single(found, factors[0])


def _read_ends(found: re.Match[str]) -> list[float]:
    ends = _check_order(found, [_read_number(each) for each in found.group("low", "high") if each])
    if len(ends) + sum(each is not None for each in found.group("bound", "plus", "more")) > 2:
        raise _unreadable(found, ("is bounded twice", "write either a range or one bound"))
    return ends


def _check_order(found: re.Match[str], ends: list[float]) -> list[float]:
    if ends != sorted(ends):
        raise _unreadable(found, ("runs backwards", "write the smaller end of the range first"))
    return ends


def _read_single(found: re.Match[str], factor: float, words: str = "") -> Figure:
    """Read one factor with what bounds it; on its own it is the least that is promised."""
    if factor <= 1:
        raise _unreadable(found, NO_GAIN)
    if found["bound"] and re.fullmatch(UP_TO, found["bound"]):
        return Figure("up_to", math.nan, factor, f"{words}up to {_join_ends([factor])}x, reached at some scale")
    return _at_least(factor, words, is_bare=not any(found.group("bound", "plus", "more")))


def _at_least(factor: float, words: str, *, is_bare: bool = True) -> Figure:
    why = ", since a single figure has no range" if is_bare else ""
    return Figure("at_least", factor, math.nan, f"{words}at least {_join_ends([factor])}x{why}")


def _range(factors: list[float], words: str = "") -> Figure:
    low, high = factors
    if high <= 1:
        raise Unreadable(f"a factor of {_join_ends(factors)} {NO_GAIN[0]}", NO_GAIN[1])
    return Figure("speedup", low, high, f"{words}a factor of {_join_ends(factors)}")


def _join_ends(ends: Sequence[float]) -> str:
    return " to ".join(f"{end:,.0f}" if end >= 1000 else f"{end:.4g}" for end in ends)


def _read_number(text: str) -> float:
    return float(text.replace(",", ""))


def _quantity_pattern(side: str) -> str:
    return (
        rf"(?P<{side}_low>{NUMBER}) ?(?:(?P<{side}_low_unit>{UNIT})? ?(?:-|to) ?(?P<{side}_high>{NUMBER}) ?)?"
        rf"(?P<{side}_unit>{UNIT})"
    )


def _pattern_with_bounds(unit: str) -> str:
    return (
        rf"(?<![\w.,])(?:(?P<bound>{UP_TO}|{AT_LEAST}) ?)?(?P<sign>[-+])? ?(?P<low>{NUMBER}) ?"
        rf"(?:(?:{unit})? ?(?:-|to) ?-?(?P<high>{NUMBER}) ?)?(?P<plus>\+)? ?(?:{unit})(?P<more>\+| or more\b)?"
    )


FORMS: tuple[tuple[str, Callable[[re.Match[str]], Figure]], ...] = (
    (rf"(?:from )?{_quantity_pattern('before')} ?(?:->|(?:down )?to) ?{_quantity_pattern('after')}", _read_pair),
    (_pattern_with_bounds("%"), _read_percent),
    (_pattern_with_bounds(FOLD), _read_factor),
)
"""A figure is read by the first of these forms that fits, with the function beside it."""

CONTEXT = (
    r"\b(?:on|for|with|at|over|in|of|after|across) \d[\d.,]* "
    rf"(?!(?:to|and|or|times|fold|points?|{'|'.join(UNITS)})\b)[a-z]{{2,}}"
)
"""This is a number of things, as in "on 1,000 rows", and no figure of the claim."""
