"""Reads a published sentence, such as "30-50% reduction" or "50-100 ms -> 5-15 ms", as a Claim.

The grammar is closed: every word of the sentence has a role (``words``), and a word without one may stand only where it
changes nothing: in the context of a measurement ("on 10,000 rows", "than v1.2"), before the noun that it describes, or
as the name of what is faster. A clause says one figure (``figures``), one word for its direction (less, more, better,
faster) and what is measured (a cost, memory, a rate); ``_read_figure`` says what they mean together. What could mean
two things is read in the weaker way, and the reading says so, or it is refused with the nearest form that is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.figures import (
    NO_GAIN,
    SIZES,
    Figure,
    Unreadable,
    read_factor,
    read_pair,
    read_rates,
    read_saving,
    read_speed,
    refuse,
    write_factor,
    write_percent,
)
from argo_bench.harness.claims.metrics import CLOCKS, Metric
from argo_bench.harness.claims.words import (
    APPROXIMATE,
    FIGURES,
    MEASURES,
    NOUNS,
    POLARITIES,
    Token,
    list_tokens,
    rewrite,
)

LONGEST = 500
"""A sentence of more characters is none that somebody claims."""
EXAMPLES = '"30-50 % reduction", "at least 2.5x" or "50-100 ms -> 5-15 ms"'

NO_SPEED = ("is more of something, which need not be a gain", 'say what gets better, as in "2.5x faster"')
UNKNOWN = "is a word that this reader does not know there"
STATED = 'state what was found, as in "2x faster" or "30 % less memory"'
FORBIDDEN = {
    "question": ("asks, and a claim states", STATED),
    "hedge": ("leaves open whether it is so", STATED),
    "negation": ("denies something, and a claim promises a gain", STATED),
    "loss": NO_GAIN,
    "contrast": ("takes back a part of what is claimed", "make a claim of each part, and name its workload"),
    "ours": (
        "compares with something of your own, which is then the slower side",
        'turn it round, as in "2x faster than our old one"',
    ),
    "level": ("is a level, not a gain in time or memory", "levels are judged on counts, by a Claim of kind level"),
    "bounded": ("promises nothing", 'say what is reached, as in "up to 10x", "more than 2x" or "at least 50 % less"'),
}
"""A sentence with a word of these roles is refused, with the reason and the way out beside it."""
FREE_OF_NEGATION = frozenset({"when", "whenever", "if", "without", "because", "since", "with no", "where"})
"""Behind these words a negation says something of the workload alone."""
CONDITIONS = frozenset({"if", "without", "when", "whenever", "as"})
"""What is claimed behind these words, with no sign between, is not claimed."""


class Clause:
    """Holds the tokens of a part of a sentence, and apart from them those of its contexts ("on 10,000 rows").

    ``is_cut`` says that a context ended without a sign, so that it may have swallowed what is measured.
    """

    def __init__(self) -> None:
        self.tokens: list[Token] = []
        self.context: list[Token] = []
        self.is_cut = False

    def all(self, roles: Iterable[str]) -> list[Token]:
        return [each for each in self.tokens if each.role in roles]

    def has(self, *roles: str) -> bool:
        return bool(self.all(roles))


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

    Raises UserError for a sentence that names no gain, several different figures, or one that cannot be read; it is an
    ``Unreadable``, which has the reason and the way out apart.
    """
    tokens = list_tokens(rewrite(sentence[:LONGEST]))
    try:
        if len(sentence) > LONGEST:
            raise Unreadable(f"it is longer than {LONGEST} characters", "quote the sentence that makes the claim")
        figure = _read_tokens(tokens)
    except Unreadable as error:
        raise Unreadable(
            error.why,
            error.way_out,
            f"the claim {sentence!r} cannot be read: {error.why}; {error.way_out} (sentences such as {EXAMPLES} are "
            "read, anything else takes a Claim with its kind, low and high)",
        ) from None
    return Claim(
        id=id,
        text=sentence,
        source=source,
        kind=figure.kind,
        workload=workload,
        reading="; ".join([figure.reading, *_list_notes(sentence, tokens, metric)]),
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


def _list_notes(sentence: str, tokens: Sequence[Token], metric: Metric) -> Iterator[str]:
    if re.search(APPROXIMATE, sentence.lower()):
        yield "a figure that is nearly reached is taken as it stands"
    if metric in CLOCKS and any(_is_memory(each) for each in tokens):
        yield f"it speaks of memory, yet is judged on {metric} time unless a metric of memory is asked for"
    if metric in CLOCKS and _is_about_counts(tokens):
        yield f"it speaks of how often something is done, yet is judged on {metric} time, since that is not counted"


def _is_about_counts(tokens: Sequence[Token]) -> bool:
    """Say whether a sentence claims fewer calls or the like, and nothing of what they take."""
    clauses = [_set_context_apart(*part) for part in _split(tokens)]
    return any(each.has("count") and not each.has("cost", "rate", "memory", "faster") for each in clauses)


def speaks_of_memory(sentence: str) -> bool:
    """Say whether a sentence speaks of memory, so that a metric of memory would judge it."""
    return any(_is_memory(each) for each in list_tokens(rewrite(sentence)))


def _is_memory(token: Token) -> bool:
    return token.role == "memory" or (token.role == "pair" and token.found["after_unit"] in SIZES)


def _read_tokens(tokens: Sequence[Token]) -> Figure:
    """Return the one figure of a sentence, or the direction that it names without one."""
    for token in tokens:
        if token.role in FORBIDDEN and token.role != "negation":
            raise refuse(token.found, FORBIDDEN[token.role])
    clauses = _join_clauses([_set_context_apart(*part) for part in _split(tokens)])
    read = [(_read_clause(clause), clause.has("memory")) for clause in clauses]
    if not read:
        raise Unreadable("it names neither a figure nor a gain", "say how much less or how many times faster")
    figures = [each for each in read if each[0].kind != "direction"]
    for figure, is_memory in figures[1:]:
        first, of_memory = figures[0]
        if not figure.says_the_same_as(first) or is_memory != of_memory:
            raise Unreadable(f"it says both {first.reading} and {figure.reading}", "make a claim of each")
    return (figures or read)[0][0]


def _split(tokens: Sequence[Token]) -> list[tuple[list[Token], bool]]:
    """Cut a sentence at its signs, and at an "and" behind which stands a figure of its own.

    The second of each pair says whether the part stands in brackets.
    """
    parts: list[tuple[list[Token], bool]] = [([], False)]
    for number, token in enumerate(tokens):
        rest = tokens[number + 1 :]
        end = next((at for at, each in enumerate(rest) if each.role in ("separator", "and")), len(rest))
        has_figure = any(each.role in FIGURES for each in rest[:end])
        if token.role == "separator":
            parts.append(([], token.text in "([{" or (parts[-1][1] and token.text not in ")]}")))
        elif token.role == "and" and has_figure:
            parts.append(([], parts[-1][1]))
        elif token.role != "and":
            parts[-1][0].append(token)
    return [part for part in parts if part[0]]


def _set_context_apart(part: Sequence[Token], is_bracketed: bool) -> Clause:
    """Move what stands behind a preposition out of a clause, and all that stands in brackets without a figure.

    Behind the figure a context goes on to the end; before it, to the figure or to the next verb or direction.
    """
    clause = Clause()
    is_inside = is_bracketed and not any(each.role in FIGURES for each in part)
    is_free = False
    for number, token in enumerate(part):
        following = part[number + 1 :]
        if is_inside and not is_bracketed and _ends_context(clause, token, following):
            if clause.context[0].text in CONDITIONS:
                raise refuse(clause.context[0].found, ("makes it a condition", "put a comma behind the condition"))
            is_inside, clause.is_cut = False, token.role in POLARITIES | {"verb"}
        if not is_inside and _opens_context(clause, token, following):
            is_inside, is_free = True, token.text in FREE_OF_NEGATION
        if (token.role == "negation" and not (is_inside and is_free)) or (token.role == "no" and not is_inside):
            raise refuse(token.found, FORBIDDEN["negation"])
        if is_inside and token.role in FIGURES:
            raise refuse(token.found, ("is a second figure", "make a claim of each"))
        (clause.context if is_inside else clause.tokens).append(token)
    return clause


def _ends_context(clause: Clause, token: Token, following: Sequence[Token]) -> bool:
    if clause.has(*FIGURES):
        return False
    if token.role in FIGURES or (following and following[0].role in FIGURES and token.role in ("by", "to", "in", "of")):
        return True
    return not clause.has(*POLARITIES) and token.role in POLARITIES | {"verb"}


def _opens_context(clause: Clause, token: Token, following: Sequence[Token]) -> bool:
    """Say whether free text begins: behind a preposition, unless it leads to the figure or to what is measured."""
    leads_to_figure = bool(following) and following[0].role in FIGURES
    before = clause.tokens[-1].role if clause.tokens else ""
    match token.role:
        case "opener":
            return (not leads_to_figure or token.text == "than") and not (token.text == "as" and before in FIGURES)
        case "no":
            return not clause.tokens and not any(each.role in FIGURES | POLARITIES for each in following)
        case "by":
            return not leads_to_figure
        case "to":
            return bool(following) and following[0].role not in FIGURES | {"number"}
        case "of":
            return before not in FIGURES | POLARITIES and not leads_to_figure
        case "in":
            if leads_to_figure or clause.has(*MEASURES) or clause.has("faster"):
                return not leads_to_figure
            is_named = any(each.role in MEASURES for each in following)
            return before not in POLARITIES and not (before in FIGURES and (is_named or clause.has(*POLARITIES)))
    return False


def _join_clauses(clauses: Sequence[Clause]) -> list[Clause]:
    """Join a clause without a figure, such as a label ("Latency: 40 % less"), to the one that it belongs to."""
    joined: list[Clause] = []
    label: list[Token] = []
    for number, clause in enumerate(clauses):
        following = clauses[number + 1] if number + 1 < len(clauses) else None
        is_label = not clause.has(*FIGURES, *POLARITIES)
        if is_label and joined and joined[-1].context and not clause.has(*NOUNS - {"thing"}, "other", "verb"):
            continue
        lacks_direction = following is not None and following.has(*FIGURES) and not following.has(*POLARITIES)
        if is_label or (not clause.has(*FIGURES) and lacks_direction):
            label += clause.tokens
            continue
        clause.tokens = label + clause.tokens
        label = []
        joined.append(clause)
    if label and joined:
        joined[-1].tokens += label
    elif label:
        joined += [clause for clause in clauses if clause.tokens]
    return joined


def _read_clause(clause: Clause) -> Figure:
    """Read a clause: one figure, one direction, and what is measured, in any order."""
    figures = clause.all(FIGURES)
    if not figures and not clause.has(*POLARITIES, *WORDS_REFUSED):
        raise Unreadable("it names neither a figure nor a gain", "say how much less or how many times faster")
    _check_words(clause, figures[0] if figures else None)
    polarities = [*dict.fromkeys(each.role for each in clause.all(POLARITIES))]
    if not figures:
        return _read_direction(clause, polarities)
    if len(figures) > 1:
        raise Unreadable(f'it says both "{figures[0].text}" and "{figures[1].text}"', "make a claim of each")
    token = figures[0]
    if token.role in ("percent", "factor"):
        polarities = _read_sign(token, clause, polarities)
    if len(polarities) > 1 or len([each for each in clause.all({"less"}) if each.text not in ("off", "down")]) > 1:
        raise refuse(token.found, ("could be less or faster", f"write {_write_forms(token)}"))
    _check_place(clause, token, polarities)
    return _read_figure(clause, token, polarities[0] if polarities else "")


def _read_sign(token: Token, clause: Clause, polarities: list[str]) -> list[str]:
    if token.found["sign"] == "-" and token.role == "percent":
        if word := next(iter(clause.all(POLARITIES | {"rate"})), None):
            raise refuse(token.found, (f'is negative beside "{word.text}"', "leave out the sign or the word"))
        return ["less"]
    return ["more"] if token.found["sign"] == "+" and not polarities else polarities


WORDS_REFUSED = {
    "bound": ("bounds neither a factor nor a percentage", "leave the bound out, or write a factor"),
    "number": ("stands alone", "keep one figure, with a %, an x or the units of both its sides"),
    "vague": ("is a quantity without a figure", "write it as a number"),
    "other": ("is neither time nor memory nor a rate", "claim time, memory or throughput"),
    "part": ("speaks of a part of the cases", "name the workload, and claim it of the whole"),
    "old": ("names the older side, so that it is not known which one gains", 'say "faster than" it'),
}


def _check_words(clause: Clause, figure: Token | None) -> None:
    """Refuse words that no claim has, and words that nobody knows where they could change the meaning."""
    for number, token in enumerate(clause.tokens):
        following = clause.tokens[number + 1 :]
        if token.role == "can" and "up to" not in (figure.text if figure else "up to"):
            raise refuse(token.found, FORBIDDEN["hedge"])
        if token.role in ("unknown", "number"):
            before = clause.tokens[number - 1].role if number else ""
            is_stray = token.role == "number" and figure is None
            if is_stray or before in FIGURES or not _is_modifier(clause, following):
                raise refuse(token.found, WORDS_REFUSED.get(token.role, (UNKNOWN, _suggest(clause, figure))))
        elif token.role in WORDS_REFUSED:
            raise refuse(token.found, WORDS_REFUSED[token.role])
    if clause.has("serve") and clause.has("count") and clause.has("less", "more"):
        raise refuse(clause.all({"serve"})[0].found, NO_SPEED)


def _is_modifier(clause: Clause, following: Sequence[Token]) -> bool:
    """Say whether a word that is not known leaves the meaning alone, by what follows it.

    It describes a noun, or it names what is faster, or what has less of a measure that is named behind it.
    """
    roles = [each.role for each in following if each.role not in ("unknown", "number")]
    if not roles or roles[0] in FIGURES:
        return False
    is_measured = clause.has("faster") or bool((MEASURES | {"pair", "rates"}) & {*roles})
    is_subject = bool((FIGURES | (POLARITIES if not clause.has(*FIGURES) else set())) & {*roles})
    return (roles[0] in NOUNS and following[0].role != "number") or (is_subject and is_measured)


def _check_place(clause: Clause, token: Token, polarities: list[str]) -> None:
    """Refuse a figure of which it is open what it is a share of, and a subject that a context may have swallowed."""
    at = clause.tokens.index(token)
    before, after = (clause.tokens[at + step].role if 0 <= at + step < len(clause.tokens) else "" for step in (-1, 1))
    if token.role == "percent" and before == "to":
        raise refuse(token.found, ("could be what is left or what is saved", 'say what is saved, as in "60 % less"'))
    if (
        token.role == "percent"
        and after == "of"
        and (before != "less" or clause.tokens[at - 1].text.startswith("drop"))
    ):
        raise refuse(token.found, ("is a share of something", f"write {_write_forms(token)}"))
    saves = any(each.text.startswith("sav") for each in clause.all({"less"}))
    is_on_something = bool(clause.context) and clause.context[0].text == "on"
    if token.role == "percent" and saves and is_on_something and not clause.has(*MEASURES):
        raise refuse(token.found, ("does not say what it is measured in", _suggest(clause, token)))
    if token.found.string[: token.found.end() + 6].endswith("x speed") and before == "opener" and not polarities:
        raise refuse(token.found, ("sets a speed", f"write {_write_forms(token)}"))
    is_bare = not clause.has(*MEASURES) and "faster" not in polarities and token.role in ("percent", "factor")
    if is_bare and (clause.is_cut or any(each.role in ("rate", "memory", "cost", "other") for each in clause.context)):
        raise refuse(token.found, ("does not say what it is measured in", _suggest(clause, token)))


def _read_figure(clause: Clause, token: Token, polarity: str) -> Figure:
    """Say what a figure and a direction mean of what is measured."""
    rate, cost, memory = clause.has("rate"), clause.has("cost", "memory"), clause.has("memory")
    if clause.has("quality") or (rate and cost and polarity != "faster"):
        raise refuse(token.found, ("could be of several things", _suggest(clause, token)))
    if token.role == "counts" and not clause.has("count"):
        raise refuse(token.found, WORDS_REFUSED["number"])
    if token.role in ("pair", "rates", "counts"):
        is_contrary = (cost or polarity == "less") if token.role == "rates" else (rate or polarity == "more")
        if is_contrary:
            raise refuse(token.found, ("says one thing by its units and another by its words", _suggest(clause, token)))
        return read_rates(token.found) if token.role == "rates" else read_pair(token.found)
    if token.role == "percent" and any(each.text.startswith("as ") for each in clause.all({"faster"})):
        raise refuse(token.found, NO_GAIN)
    is_saving = polarity == "less"
    if (is_saving and rate) or (polarity == "more" and cost):
        raise refuse(token.found, NO_GAIN)
    if polarity == "more" and not rate:
        raise refuse(token.found, NO_SPEED)
    if not polarity and not rate and (token.role == "percent" or "time" in token.text):
        raise refuse(
            token.found, ("could be less or faster" if "%" in token.text else "stands alone", _suggest(clause, token))
        )
    if not polarity and not rate and clause.has(*NOUNS):
        raise refuse(token.found, NO_SPEED)
    if polarity in ("less", "better") and clause.has("thing") and not clause.has(*MEASURES):
        raise refuse(token.found, ("does not say what it is measured in", _suggest(clause, token)))
    if token.role == "percent" and not is_saving and (memory or (cost and polarity == "better")):
        word = clause.all({"memory", "cost"})[0].text
        raise refuse(
            token.found, (f"beside {word} could mean two things", f'write "{write_percent(token.found)} less {word}"')
        )
    if token.role == "factor":
        return read_factor(token.found)
    return read_saving(token.found) if is_saving else read_speed(token.found)


def _read_direction(clause: Clause, polarities: list[str]) -> Figure:
    words = clause.all(POLARITIES)
    if words[0].text.startswith("as "):
        raise refuse(words[0].found, NO_GAIN)
    if len(polarities) > 1:
        raise refuse(words[0].found, ("points one way and another word the other way", STATED))
    opposed = {"less": ("rate", "quality"), "more": ("cost", "memory")}
    if clause.has(*opposed.get(polarities[0], ())):
        raise refuse(words[0].found, NO_GAIN)
    if polarities == ["more"] and not clause.has("rate", "quality"):
        raise refuse(words[0].found, NO_SPEED)
    return Figure("direction", math.nan, math.nan, "without a figure, any gain beyond 1 %")


def _write_forms(token: Token) -> str:
    """Return forms of a figure that are read, or an example where no form of it would be."""
    values = [float(each.replace(",", "")) for each in re.findall(r"\d[\d.,]*\d|\d", token.text)]
    if token.role == "percent" and 0 < max(values) < 100:
        shown = write_percent(token.found)
        return f'"{shown} less time", "{shown} less memory" or "{shown} faster"'
    if token.role == "factor" and min(values) > 1 and values == sorted(values):
        return f'"{write_factor(token.found)} faster"'
    return '"2x faster" or "30 % less memory"' if token.role in ("percent", "factor") else '"20 ms -> 10 ms"'


def _suggest(clause: Clause, figure: Token | None) -> str:
    """Return the nearest form that is read, of what was understood of a clause."""
    if figure is None:
        return 'say what is less or faster, as in "30 % less time"'
    noun = next((each.text for each in clause.all(MEASURES)), "")
    forms = _write_forms(figure)
    if noun and figure.role == "percent" and " less time" in forms:
        forms = f'"{write_percent(figure.found)} {"more" if clause.has("rate") else "less"} {noun}"'
    return f"write {forms}, if that is meant"
