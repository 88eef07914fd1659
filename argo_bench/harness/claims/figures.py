"""Reads the figures of a claim: a pair such as "20 ms -> 10 ms", a percentage, or a factor, with what bounds it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from argo_bench.errors import UserError
from argo_bench.harness.claims.claim import Kind

TIMES = {
    "ns": 1e-9, "nanoseconds": 1e-9, "us": 1e-6, "μs": 1e-6, "microseconds": 1e-6, "ms": 1e-3, "milliseconds": 1e-3,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "min": 60.0, "mins": 60.0, "minute": 60.0,
    "minutes": 60.0, "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
}  # fmt: skip
SIZES = {"b": 1.0, "bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
UNITS = TIMES | SIZES | {"": 1.0}
RATES = r"(?:(?:[a-z]+ )?[a-z]+(?:/| per | an? )(?:sec(?:ond)?s?|s|min(?:ute)?|hour)|rps|qps|tps|iops|fps)\b"

UNIT = rf"(?:{'|'.join(sorted(TIMES | SIZES, key=len, reverse=True))})(?![\w/]| per (?:s|sec|second|minute|hour)\b)"
NUMBER = r"(?<![\w.,])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\d|[.,]\d)"
AT_LEAST = r"at least|no less than|not less than|a minimum of|over|more than|above|(?<!-)>=?"
UP_TO = r"up to|as much as|as high as|at best|a maximum of"
AT_MOST = r"\b(?:at most|(?:less|fewer|no more|not more) than|under|below)|<=?"
FORMER = (
    r"(?: (?:instead of|rather than|as opposed to)|,? (?:down|reduced|improved|cut) from"
    r"|,? \(?(?:(?:it )?(?:was|took)|previously|formerly|before:?))"
)
LATTER = (
    r",? ?(?:(?:before|previously|formerly|originally)(?:,| and)?(?: it)?(?: is| takes)?"
    r"|(?:and )?(?:is |it's )?now(?: it)?(?: takes| is| only| needs)?)"
)

NO_GAIN = (
    "is a loss or no gain, and a claim promises a gain",
    'turn it round, as in "2x faster" or "30 % less memory"',
)


class Unreadable(UserError):
    """Says why a sentence cannot be read, and the way out: the nearest form that can."""

    def __init__(self, why: str, way_out: str, message: str = "") -> None:
        super().__init__(message or f"{why}; {way_out}")
        self.why, self.way_out = why, way_out

    def __reduce__(self) -> tuple[type[Unreadable], tuple[str, str, str]]:
        return Unreadable, (self.why, self.way_out, str(self))


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


def refuse(found: re.Match[str], reason: tuple[str, str]) -> Unreadable:
    """Return the refusal of what was found, for a reason and with a way out."""
    why, way_out = reason
    shown = re.sub(r"\d+\.\d{5,}", lambda long: f"{float(long[0]):.4g}", found[0].strip())
    return Unreadable(f'"{shown}" {why}', way_out)


def read_pair(found: re.Match[str]) -> Figure:
    """Read a pair as the range of before over after, from the least that the two ranges allow to the most."""
    before, after = _read_quantities(found, "before"), _read_quantities(found, "after")
    if ((found["before_unit"] or found["after_unit"]) in TIMES) != (found["after_unit"] in TIMES):
        raise refuse(found, ("sets a time against a size", "write both sides in one kind of unit"))
    return _divide(found, before, after, "before over after is ")


def read_rates(found: re.Match[str]) -> Figure:
    """Read a pair of rates as the factor by which more is done in the same time."""
    before, after = (_read_number(found[side]) for side in ("before", "after"))
    return _divide(found, [after], [before], "after over before is ")


def _divide(found: re.Match[str], over: list[float], under: list[float], words: str) -> Figure:
    if re.search(rf"(?:{UP_TO}|{AT_LEAST}) ?\Z", found.string[: found.start()]):
        raise refuse(found, ("has a bound before it", "leave the bound out, or write a factor"))
    if under[0] == 0 or over[-1] <= under[0]:
        raise refuse(found, NO_GAIN)
    if len(over) == len(under) == 1:
        return _at_least(over[0] / under[0], words)
    return _range([over[0] / under[-1], over[-1] / under[0]], words)


def _read_quantities(found: re.Match[str], side: str) -> list[float]:
    """Return the ends of one side of a pair, in seconds or bytes."""
    low, low_unit, high, unit = found.group(f"{side}_low", f"{side}_low_unit", f"{side}_high", f"{side}_unit")
    unit = unit or found["after_unit"]
    ends = [_read_number(low) * UNITS[low_unit or unit]] if high else []
    return _check_order(found, [*ends, _read_number(high or low) * UNITS[unit]])


def read_saving(found: re.Match[str]) -> Figure:
    """Read a percentage of what is saved: a range is a reduction, a single one the factor that it comes to."""
    ends = _read_ends(found)
    shares = [end / 100 for end in ends]
    if shares[-1] >= 1:
        raise refuse(found, ("less would leave nothing or less than that", "a reduction is below 100 %"))
    if len(shares) == 2:
        return Figure("reduction", shares[0], shares[1], f"a reduction by {_join_ends(ends)} %")
    return _read_single(found, 1 / (1 - shares[0]), f"a reduction by {write_percent(found)} is ")


def read_speed(found: re.Match[str]) -> Figure:
    """Read a percentage of more speed, the weaker of the two readings of "30 % faster"."""
    factors, shown = [1 + end / 100 for end in _read_ends(found)], write_percent(found)
    words = f'"{shown} faster" is so much more speed (write "{shown} less time" if that is meant), '
    return _range(factors, words) if len(factors) == 2 else _read_single(found, factors[0], words)


def read_factor(found: re.Match[str]) -> Figure:
    """Read a factor or a range of factors, none of which may be below 1."""
    factors = _read_ends(found)
    if found["sign"] == "-" or factors[0] < 1:
        raise refuse(found, NO_GAIN)
    return _range(factors) if len(factors) == 2 else _read_single(found, factors[0])


def write_percent(found: re.Match[str]) -> str:
    """Write a percentage or a range of them without its bound, as in "30-50 %"."""
    return "-".join(f"{_read_number(each):.6g}" for each in found.group("low", "high") if each) + " %"


def write_factor(found: re.Match[str]) -> str:
    """Write a factor or a range of them without its bound, as in "2-3x"."""
    return "-".join(each for each in found.group("low", "high") if each) + "x"


def _read_ends(found: re.Match[str]) -> list[float]:
    ends = _check_order(found, [_read_number(each) for each in found.group("low", "high") if each])
    if len(ends) + sum(each is not None for each in found.group("bound", "plus", "more")) > 2:
        raise refuse(found, ("is bounded twice", "write either a range or one bound"))
    return ends


def _check_order(found: re.Match[str], ends: list[float]) -> list[float]:
    if ends != sorted(ends):
        raise refuse(found, ("runs backwards", "write the smaller end of the range first"))
    return ends


def _read_single(found: re.Match[str], factor: float, words: str = "") -> Figure:
    """Read one factor with what bounds it; on its own it is the least that is promised."""
    if factor <= 1:
        raise refuse(found, NO_GAIN)
    bounds = [each.strip() for each in found.group("bound", "plus", "more") if each]
    if any(re.fullmatch(UP_TO, each) for each in bounds):
        return Figure("up_to", math.nan, factor, f"{words}up to {_join_ends([factor])}x, reached at some scale")
    return _at_least(factor, words, is_bare=not bounds)


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


def _quantity_pattern(side: str, unit: str = UNIT) -> str:
    return (
        rf"(?P<{side}_low>{NUMBER}) ?(?:(?P<{side}_low_unit>{unit})? ?(?:-|to) ?(?P<{side}_high>{NUMBER}) ?)?"
        rf"(?P<{side}_unit>{unit})"
    )


def _pattern_with_bounds(unit: str) -> str:
    return (
        rf"(?<![\w.,])(?:(?P<bound>{UP_TO}|{AT_LEAST}) ?)?(?P<sign>[-+])? ?(?P<low>{NUMBER}) ?"
        rf"(?:(?:{unit})? ?(?:-|to) ?[-+]?(?P<high>{NUMBER}) ?)?(?P<plus>\+)? ?(?:{unit})"
        r"(?P<more>\+| or (?:more|better)\b)?"
    )


BEFORE, AFTER = _quantity_pattern("before"), _quantity_pattern("after")
SHORT = rf"(?P<before_low>{NUMBER})(?P<before_low_unit>(?!))?(?P<before_high>(?!))?(?P<before_unit>(?!))?"
TWO_RATES = rf"(?P<before>{NUMBER}) ?(?:{RATES})? ?(?:->|to) ?(?P<after>{NUMBER}) ?{RATES}"

PAIRS = (
    rf"(?:from )?{BEFORE} ?(?:->|(?:down )?to) ?{AFTER}",
    rf"from {SHORT} ?(?:->|(?:down )?to) ?{AFTER}",
    rf"{SHORT} ?-> ?{AFTER}",
    rf"before:? {BEFORE}[.,;/]* ?(?:and )?after:? {AFTER}",
    rf"{AFTER}{FORMER} {BEFORE}\)?",
    rf"{BEFORE}{LATTER} {AFTER}",
)
BEFORE_COUNT, AFTER_COUNT = _quantity_pattern("before", ""), _quantity_pattern("after", "")
COUNTS = (
    rf"from {BEFORE_COUNT} ?(?:->|(?:down )?to) ?{AFTER_COUNT}(?! ?(?:%|x\b|times\b|-?fold|{UNIT}))(?!\w)",
    rf"{BEFORE_COUNT} ?-> ?{AFTER_COUNT}(?! ?(?:%|x\b|times\b|-?fold|{UNIT}))(?!\w)",
)
PERCENT = _pattern_with_bounds("%")
FACTOR = _pattern_with_bounds(r"x(?!\w)|-?fold\b|times\b")
