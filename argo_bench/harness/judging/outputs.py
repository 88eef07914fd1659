"""Says what the Output column shows, from the comparisons of outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from argo_bench.harness.record.records import Fidelity, Scope

OutputWord = Literal["same", "as declared", "not checked", "differs"]
SEVERITY: tuple[OutputWord, ...] = ("same", "as declared", "not checked", "differs")
"""The words about an output, the worst last."""
KEPT = ("same", "as declared")
UNITS: Mapping[Scope, str] = {
    "workload": "calls",
    "cases": "cases",
    "markets": "symbol-cycles",
    "failures": "symbol-cycles",
}
DAMAGES = ("missed", "added", "flipped")
"""What may happen to a signal whose data were older, or which a variant got wrong."""
SHARES: Mapping[str, tuple[str, str]] = {
    "templates": ("texts", "texts are templates at the decision"),
    "updates missed": ("updates", "updates missed"),
}
"""What a part of something else may be, with the name of the whole and the words for both."""
STALE = "oldest data s"


class Output(NamedTuple):
    """Holds what is said of an arm's output.

    ``damage`` counts signals, and ``when_providers_fail`` says what becomes of them then.
    """

    word: OutputWord
    text: str
    damage: Mapping[str, float]
    when_providers_fail: str
    fails_worse: bool

    @property
    def is_kept(self) -> bool:
        return self.word in KEPT and not self.fails_worse


NOT_CHECKED = Output("not checked", "not checked", {}, "", fails_worse=False)
"""Stands for an output that was never compared."""


def word_of(line: Fidelity) -> OutputWord:
    """Return the word about one comparison: what differs outweighs what was not seen, and that what is declared."""
    if line.counts:
        return "differs"
    if line.unseen:
        return "not checked"
    is_declared = line.permitted or line.largest_error or _has_damage(line.damage)
    return "as declared" if is_declared and line.scope != "failures" else "same"


def describe_line(line: Fidelity, may_change: str) -> str:
    """Return the Output column of one comparison; ``may_change`` is what the optimization declares."""
    word = word_of(line)
    if word == "not checked":
        return f"not checked: no {' and no '.join(line.unseen)} seen"
    text: str = word
    if word == "differs":
        where = f" in {line.concerned} of {line.compared} {UNITS[line.scope]}" if line.concerned else ""
        text = describe_differences(line.counts) + where
    elif word == "as declared":
        what = list_most_frequent(line.permitted)
        what = f": {what}" if what else f", at most {line.largest_error:.0e}" if line.largest_error else ""
        text = f"as declared ({may_change}{what})"
    damage = describe_damage(line.damage)
    return f"{text}; {damage}" if damage else text


def describe_damage(damage: Mapping[str, float]) -> str:
    """Describe what happened, as in ``20 of 86 signals missed, 39 added``; empty where nothing did."""
    signals = f"of {damage.get('signals', 0):.0f} signals"
    if "lost" in damage:
        before = f"{damage['lost by the baseline']:.0f} of {damage['signals of the baseline']:.0f}"
        return f"{damage['lost']:.0f} {signals} lost (baseline: {before})"
    found = [f"{damage[name]:.0f} {name}" for name in DAMAGES if damage.get(name)]
    if found:
        number, name = found[0].split(" ")
        found[0] = f"{number} {signals} {name}"
    shares = [
        f"{damage[part]:.0f} of {damage[whole]:.0f} {words}"
        for part, (whole, words) in SHARES.items()
        if damage.get(part)
    ]
    return ", ".join((*found, *shares))


def _has_damage(damage: Mapping[str, float]) -> bool:
    return any(damage.get(name) for name in (*DAMAGES, STALE))


def _count_damaged(damage: Mapping[str, float]) -> float:
    return sum(damage.get(name, 0.0) for name in DAMAGES)


def describe_output(lines: Sequence[Fidelity], subject: str, arm: str) -> Output:
    """Return what is said of an arm: the worst of all comparisons, the damage, and what happens in trouble."""
    own = [each for each in lines if each.optimization == subject and each.arm == arm]
    usual = [each for each in own if each.scope != "failures"]
    trouble = next((each for each in own if each.scope == "failures"), None)
    failing = "" if trouble is None else trouble.output
    fails_worse = trouble is not None and bool(trouble.counts)
    if not usual:
        return NOT_CHECKED
    worst = max(usual, key=_rank if any(each.saw for each in usual) else _rank_unseen)
    damage = max((each.damage for each in usual if each.damage), key=_count_damaged, default={})
    text, said = worst.output, describe_damage(damage)
    if said and said not in text:
        text = f"{text}; {said}"
    return Output(word_of(worst), text, damage, failing, fails_worse)


def _rank(line: Fidelity) -> tuple[float, ...]:
    """Return by what the worst of several comparisons is found: of equal words, the one about decisions tells most."""
    return SEVERITY.index(word_of(line)), line.scope == "markets", line.largest_error


def _rank_unseen(line: Fidelity) -> tuple[float, ...]:
    """Return by what the worst was found in records that do not say what was seen, as earlier versions wrote them."""
    return not line.faithful, bool(line.counts) and line.workload is None, line.largest_error


def describe_differences(counts: Mapping[str, int]) -> str:
    """Name the most frequent kinds of differences."""
    return f"differs: {list_most_frequent(counts)}"


def list_most_frequent(counts: Mapping[str, int]) -> str:
    return ", ".join(kind for kind, _ in Counter(counts).most_common(3))
