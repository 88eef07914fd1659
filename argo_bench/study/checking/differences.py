"""Two results are compared here value by value, and their differences are counted by kind.

Whole numbers, texts, lengths, orders and types agree exactly. A relative difference in a float up to the declared
tolerance is not counted, but its size is kept. What an optimization declares is held to the letter: where the wording
of an explanation may differ, its symbol, direction, regime and figures may not.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from argo_bench.pipeline.baseline.encode import digest
from argo_bench.pipeline.model import Completion, Decision, Encoded, Readings, Reasoning
from argo_bench.pipeline.record import Cycle
from argo_bench.pipeline.world.database import COLUMNS
from argo_bench.study.checking.texts import describe_facts, describe_template, is_template

WORDING = "reasoning"
"""The field whose wording a variant may declare to differ."""
AUTHOR = "reasoning_author"
"""The field whose difference a variant may declare: a marked template may stand where the model's text will come."""
UNCOMPARED = "created_at"
"""The column that says when a row was written, which no two runs agree on."""
ROW = ("id", *COLUMNS)
LONGEST_VALUE = 60


@dataclass(slots=True)
class Differences:
    """Holds the differences that were found.

    ``counts`` are by kind, ``permitted`` are those of the fields in ``permits``, where None stands for every field, and
    ``largest_error`` is the largest relative error in a number that the tolerance covered. ``first`` describes the
    first one that is not permitted; ``where`` is put in front of it. ``concerned`` are the calls or symbol-cycles in
    which something is not permitted. ``same_rows`` says that the same signals have been stored so far, so that readers
    should see the same.
    """

    permits: frozenset[str] | None = frozenset()
    tolerance: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    permitted: Counter[str] = field(default_factory=Counter)
    largest_error: float = 0.0
    concerned: int = 0
    first: str = ""
    where: str = ""
    same_rows: bool = True

    def allows(self, kind: str) -> bool:
        return self.permits is None or kind in self.permits

    def note(self, kind: str, expected: object = None, got: object = None) -> None:
        """Count a difference of a kind, and describe the first one."""
        if self.allows(kind):
            self.permitted[kind] += 1
            return
        self.counts[kind] += 1
        if not self.first:
            found = "" if expected is got is None else f": expected {_shorten(expected)}, got {_shorten(got)}"
            self.first = ": ".join(filter(None, (self.where, kind))) + found


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


class Raised:
    """Stands for the result of a call that raised, and is equal to any other that raised the same kind of error."""

    __slots__ = ("kind",)

    def __init__(self, error: BaseException) -> None:
        self.kind = type(error).__name__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Raised) and self.kind == other.kind

    def __hash__(self) -> int:
        return hash(self.kind)

    def __repr__(self) -> str:
        return f"{self.kind} raised"


def note_differences(expected: Any, got: Any, found: Differences, where: str = "output") -> None:
    """Walk two results side by side and note where they differ."""
    if isinstance(expected, float) and isinstance(got, int | float) and not isinstance(got, bool):
        _compare_numbers(expected, float(got), found, where)
    elif isinstance(expected, np.ndarray) and isinstance(got, np.ndarray):
        if expected.dtype != got.dtype or not np.array_equal(expected, got, equal_nan=expected.dtype.kind == "f"):
            found.note(where, expected, got)
    elif isinstance(expected, pd.DataFrame) and isinstance(got, pd.DataFrame):
        _compare_frames(expected, got, found)
    elif isinstance(expected, str) and isinstance(got, str):
        _compare_texts(expected, got, found, where)
    elif (compare := _COMPARISONS.get(type(expected))) is not None and type(got) is type(expected):
        compare(expected, got, found)
    elif isinstance(expected, Mapping) and isinstance(got, Mapping):
        _compare_mappings(expected, got, found, where)
    elif dataclasses.is_dataclass(expected) and type(expected) is type(got):
        for each in dataclasses.fields(expected):
            note_differences(getattr(expected, each.name), getattr(got, each.name), found, each.name)
    elif _is_list(expected) and _is_list(got):
        if len(expected) != len(got):
            found.note(f"{where}: length", len(expected), len(got))
        for left, right in zip(expected, got, strict=False):
            note_differences(left, right, found, where)
    elif type(expected) is not type(got) or expected != got:
        found.note(where, expected, got)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _compare_numbers(expected: float, got: float, found: Differences, where: str) -> None:
    if expected == got or (math.isnan(expected) and math.isnan(got)):
        return
    error = abs(expected - got) / max(1.0, abs(expected))
    if error <= found.tolerance:
        found.largest_error = max(found.largest_error, error)
    else:
        found.note(where, expected, got)


def _compare_texts(expected: str, got: str, found: Differences, where: str) -> None:
    """Compare two texts; where their wording may differ, compare what they say."""
    if expected == got:
        return
    stands_in = found.allows(AUTHOR) and is_template(got) and not is_template(expected)
    describe = describe_template if stands_in else describe_facts
    if where == WORDING and found.allows(WORDING) and (kind := describe(expected, got)) is not None:
        found.note(kind, expected, got)
    else:
        found.note(where, expected, got)


def _compare_mappings(expected: Mapping[Any, Any], got: Mapping[Any, Any], found: Differences, where: str) -> None:
    if list(expected) != list(got):
        kind = "order of the keys" if expected.keys() == got.keys() else "keys"
        found.note(f"{where}: {kind}", list(expected), list(got))
    for key in [each for each in expected if each in got and each != AUTHOR]:
        note_differences(expected[key], got[key], found, str(key))
    if AUTHOR in expected and AUTHOR in got:
        left, right = (Reasoning(each.get(WORDING, ""), each[AUTHOR]) for each in (expected, got))
        _compare_authors(left, right, found)


def _compare_frames(expected: pd.DataFrame, got: pd.DataFrame, found: Differences) -> None:
    if not (expected.columns.equals(got.columns) and _are_alike(expected.index, got.index)):
        found.note("frame: columns or index")
        return
    for name in expected.columns:
        if expected[name].dtype != got[name].dtype:
            found.note(f"dtype of {name} of the frame", expected[name].dtype, got[name].dtype)
        before, after = (frame[name].to_numpy(np.float64) for frame in (expected, got))
        errors = np.abs(before - after) / np.maximum(1.0, np.abs(before))
        errors[np.isnan(before) & np.isnan(after)] = 0.0
        if not len(errors):
            continue
        worst = int(np.argmax(np.nan_to_num(errors, nan=np.inf)))
        _compare_numbers(float(before[worst]), float(after[worst]), found, f"{name} of the frame")


def _are_alike(left: pd.Index, right: pd.Index) -> bool:
    return left.equals(right) and left.dtype == right.dtype and left.name == right.name


def _compare_encoded(expected: Encoded, got: Encoded, found: Differences) -> None:
    """Compare an encoded decision with the right one, and its digest with one that is computed here."""
    note_differences(expected.decision, got.decision, found, "decision")
    # Where the numbers differ the digest has to: the numbers themselves are compared above.
    if got.sha256 != digest(got.decision):
        found.note("SHA-256", digest(got.decision), got.sha256)
    for name in ("log_line", "body"):
        try:
            left, right = (json.loads(getattr(each, name)) for each in (expected, got))
        except ValueError:
            found.note(f"JSON of the {name.replace('_', ' ')}", getattr(expected, name), getattr(got, name))
        else:
            note_differences(left, right, found, name.replace("_", " "))


def _compare_completions(expected: Completion, got: Completion, found: Differences) -> None:
    """Compare two answers of a model; where the wording may differ, so may the answer's id and its tokens."""
    left, right = (each.choices[0].message.content for each in (expected, got))
    _compare_texts(left, right, found, WORDING)
    if not found.allows(WORDING) or left == right:
        note_differences(tuple(expected)[2:], tuple(got)[2:], found, "completion")
    if expected.model != got.model:
        found.note("model", expected.model, got.model)


def _compare_reasonings(expected: Reasoning, got: Reasoning, found: Differences) -> None:
    _compare_texts(expected.text, got.text, found, WORDING)
    _compare_authors(expected, got, found)


def _compare_authors(expected: Reasoning, got: Reasoning, found: Differences) -> None:
    """Compare who is said to have written two texts: only a template may be marked as one in the model's place."""
    stands_in = is_template(got.text) and not is_template(expected.text)
    if stands_in and got.author == "model":
        found.note("template as the model's")
    elif expected.author != got.author:
        kind = AUTHOR if stands_in and (expected.author, got.author) == ("model", "template") else "author of a text"
        found.note(kind, expected.author, got.author)


def _compare_decisions(expected: Decision, got: Decision, found: Differences) -> None:
    for each in dataclasses.fields(expected):
        if each.name != AUTHOR:
            note_differences(getattr(expected, each.name), getattr(got, each.name), found, each.name)
    left, right = (Reasoning(each.reasoning, each.reasoning_author) for each in (expected, got))  # type: ignore[arg-type]
    _compare_authors(left, right, found)


def _compare_readings(expected: Readings, got: Readings, found: Differences) -> None:
    compare_rows(expected.latest, got.latest, found)
    compare_rows(expected.latest_of_symbol, got.latest_of_symbol, found)
    note_differences(expected.win_rate, got.win_rate, found, "win rate")


def compare_rows(expected: Sequence[Any], got: Sequence[Any], found: Differences) -> None:
    """Compare rows of the database in their order, all columns but the time of writing."""
    if len(expected) != len(got):
        found.note("number of rows", len(expected), len(got))
    for left, right in zip(expected, got, strict=False):
        for name, before, after in zip(ROW, left, right, strict=True):
            if name != UNCOMPARED:
                note_differences(before, after, found, WORDING if name == WORDING else f"column {name}")


class Rows(tuple[tuple[Any, ...], ...]):
    """Holds rows of the database, so that they are compared column by column."""

    __slots__ = ()


class RowsAtTheEnd(Rows):
    """Holds the rows that are there when nothing is put off any more, so that every text has come that will come."""

    __slots__ = ()


def compare_rows_at_the_end(expected: Sequence[Any], got: Sequence[Any], found: Differences) -> None:
    """Compare rows as ``compare_rows`` does, and note the templates that were to be replaced and still stand."""
    place = ROW.index(WORDING)
    compare_rows(expected, got, found)
    for left, right in zip(expected, got, strict=False):
        if is_template(right[place]) and not is_template(left[place]):
            found.note("template left in a row", left[place], right[place])


def _compare_cycles(expected: Cycle, got: Cycle, found: Differences) -> None:
    compare_cycles(expected, got, found)


_COMPARISONS: Mapping[type, Any] = {
    Encoded: _compare_encoded,
    Completion: _compare_completions,
    Readings: _compare_readings,
    Reasoning: _compare_reasonings,
    Decision: _compare_decisions,
    Rows: compare_rows,
    RowsAtTheEnd: compare_rows_at_the_end,
    Cycle: _compare_cycles,
}


def compare_cycles(expected: Cycle, got: Cycle, found: Differences) -> int:
    """Note the differences of one cycle, and return how many symbols they concern.

    Decisions are compared by symbol, then in their order; rejections with their rule, rows with every field.
    """
    left, right = ({each.symbol: each for each in cycle.decided} for cycle in (expected, got))
    concerned = set()
    for symbol in dict.fromkeys((*left, *right)):
        before = found.counts.total()
        if symbol not in right:
            found.note("missed", symbol)
        elif symbol not in left:
            found.note("added", None, symbol)
        else:
            if left[symbol].direction != right[symbol].direction:
                found.note("flipped", left[symbol].direction, right[symbol].direction)
            note_differences(left[symbol], right[symbol], found)
        if found.counts.total() > before:
            concerned.add(symbol)
    found.same_rows &= left.keys() == right.keys()
    if left.keys() == right.keys():
        before = found.counts.total()
        _compare_rest(expected, got, found)
        _compare_what_readers_see(expected, got, found)
        if found.counts.total() > before and not concerned:
            concerned.add("")
    return len(concerned)


def _compare_rest(expected: Cycle, got: Cycle, found: Differences) -> None:
    """Compare what became of the same decisions: their order, the rejected ones, the stored ones."""
    if _ids(expected.decided) != _ids(got.decided):
        found.note("order or number of the decisions", _ids(expected.decided), _ids(got.decided))
    note_differences(
        [(each.rule, each.decision) for each in expected.rejected],
        [(each.rule, each.decision) for each in got.rejected],
        found,
        "rejections",
    )
    note_differences(expected.stored, got.stored, found, "stored signals")


def _compare_what_readers_see(expected: Cycle, got: Cycle, found: Differences) -> None:
    stored, kept = ([each.decision.signal_id for each in cycle.stored] for cycle in (expected, got))
    found.same_rows &= stored == kept
    if found.same_rows:
        before = found.counts.total()
        note_differences(expected.readings, got.readings, found)
        if found.counts.total() > before:
            found.note("what readers see")


def _ids(decisions: Sequence[Decision]) -> list[str]:
    return [each.signal_id for each in decisions]
