"""Further bugs in what becomes of a decision are here: rules, encodings, rows and what readers read of them.

Above each function stands the input that shows its bug; ``SHOWS`` has that input as code, by the mutant's id.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from argo_bench.pipeline.baseline.read import LATEST, LATEST_OF_SYMBOL, WIN_RATE
from argo_bench.pipeline.baseline.store import row
from argo_bench.pipeline.model import Decision, Encoded, Readings, Rejection, Validated, World
from argo_bench.pipeline.optimized.encode import ENCODER, canonical
from argo_bench.pipeline.optimized.encode import encode as encode_once
from argo_bench.pipeline.optimized.read import Answers
from argo_bench.pipeline.optimized.store import InOneTransaction
from argo_bench.pipeline.record import Pipeline
from argo_bench.pipeline.world.base import EPOCH_S
from argo_bench.pipeline.world.database import INSERT, as_read
from tests.mutations import mutant
from tests.mutations.held_out_stages import (
    TEN,
    Rounds,
    Show,
    StoredAs,
    encode_as,
    is_quoted,
    read_by,
    show_encoded,
    show_readings,
    show_rows,
    show_validated,
    sides,
)
from tests.mutations.inputs import SHORT, Scene, decision, encoded

# Validate (O15)


# shows on: a confidence of 60
def leave_sixty_out(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=AboveSixty())


class AboveSixty(Rounds):
    def is_unsure(self, decision: Decision) -> bool:
        return not 60 < decision.confidence <= 100


# shows on: an entry of 105 beside a reference price of 100
def count_tolerance_as_off(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=OffAtTolerance())


class OffAtTolerance(Rounds):
    def is_off(self, decision: Decision) -> bool:
        return abs(decision.entry - decision.reference) >= 0.05 * decision.reference


# shows on: a decision that is stored already, and stale by now
def look_ids_up_first(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=DuplicatesFirst())


class DuplicatesFirst(Rounds):
    """Looks all ids up before the rules that never wait, "since it is one query anyway"."""

    async def __call__(self, world: World, decisions: Sequence[Decision]) -> Validated:
        self._stored = self.find_stored(world, [each.signal_id for each in decisions])
        return await super().__call__(world, decisions)

    def find_plain(self, world: World, decision: Decision) -> str | None:
        return "duplicate" if decision.signal_id in self._stored else super().find_plain(world, decision)


# shows on: a decision that is rejected
def strip_rejected(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=WithoutTexts())


class WithoutTexts(Rounds):
    def part(self, decisions: Sequence[Decision], broken: Sequence[str | None]) -> Validated:
        found = super().part(decisions, broken)
        short = (Rejection(dataclasses.replace(each.decision, reasoning=""), each.rule) for each in found.rejected)
        return Validated(found.kept, tuple(short))


# shows on: two decisions that break the same rule
def keep_one_rejection_of_a_rule(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=ByRule())


class ByRule(Rounds):
    def part(self, decisions: Sequence[Decision], broken: Sequence[str | None]) -> Validated:
        found = super().part(decisions, broken)
        return Validated(found.kept, tuple({each.rule: each for each in found.rejected}.values()))


# shows on: an entry that is 20 % off: it is recorded as rejected, and published
def reject_and_keep(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=WarnedAlone())


class WarnedAlone(Rounds):
    """Takes an entry off the reference price for a warning, which is recorded and stops nothing."""

    def part(self, decisions: Sequence[Decision], broken: Sequence[str | None]) -> Validated:
        found = super().part(decisions, broken)
        kept = [
            decision
            for decision, rule in zip(decisions, broken, strict=True)
            if rule in (None, "entry off the reference price")
        ]
        return Validated(tuple(kept), found.rejected)


# shows on: a confidence of 120
def clamp_confidence(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=UpToHundred())


class UpToHundred(Rounds):
    async def __call__(self, world: World, decisions: Sequence[Decision]) -> Validated:
        clamped = [dataclasses.replace(each, confidence=min(each.confidence, 100.0)) for each in decisions]
        return await super().__call__(world, clamped)


# shows on: two decisions of which the second is the surer
def keep_surest_first(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=SurestFirst())


class SurestFirst(Rounds):
    def part(self, decisions: Sequence[Decision], broken: Sequence[str | None]) -> Validated:
        found = super().part(decisions, broken)
        return Validated(tuple(sorted(found.kept, key=lambda each: -each.confidence)), found.rejected)


# shows on: a decision that is stored already and is the last of its batch
def forget_last_id(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=ButLastId())


class ButLastId(Rounds):
    def find_stored(self, world: World, ids: Sequence[str]) -> set[str]:
        return super().find_stored(world, ids[: len(ids) - 1])


# shows on: a decision without an explanation
def let_unexplained_through(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=NumbersAlone())


class NumbersAlone(Rounds):
    def is_complete(self, decision: Decision) -> bool:
        return super().is_complete(dataclasses.replace(decision, reasoning="-"))


# shows on: two symbols of which the first has no quote: the second is rejected with it
def reject_batch_without_quote(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=AllOrNone())


class AllOrNone(Rounds):
    async def find_quoted(self, world: World, symbols: Sequence[str]) -> dict[str, bool]:
        found = await asyncio.gather(*(is_quoted(world, each) for each in symbols))
        return dict.fromkeys(symbols, all(found))


# Encode (O11)


def encode_changed(world: World, decisions: Sequence[Decision], change: Any) -> list[Encoded]:
    """Encode as the engineered stage does, and change the JSON of log line and POST."""
    found = []
    for each in encode_once(world, decisions):
        text = json.dumps(change(json.loads(each.body))).encode()
        found.append(dataclasses.replace(each, log_line=text, body=text))
    return found


# shows on: any decision: log and POST do not say who explained it
def lose_author(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_without_author)


def encode_without_author(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    return encode_changed(world, decisions, drop_author)


def drop_author(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "reasoning_author"}


# shows on: any decision: its pairs of source and direction become an object
def encode_sources_as_object(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_with_object)


def encode_with_object(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    return encode_changed(world, decisions, merge_sources)


def merge_sources(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "sources": dict(fields["sources"])}


# shows on: any decision: its explanation is signed as well
def sign_everything(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_as(ENCODER.encode, ENCODER.encode))


# shows on: two decisions
def sign_neighbour(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_with_digests_ahead)


def encode_with_digests_ahead(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    found = encode_once(world, decisions)
    ahead = [*found[1:], *found[:1]]
    return [dataclasses.replace(each, sha256=other.sha256) for each, other in zip(found, ahead, strict=True)]


# shows on: an explanation of more than 80 characters
def cut_logged_reasoning(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_with_short_log)


def encode_with_short_log(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    short = [ENCODER.encode(dataclasses.replace(each, reasoning=each.reasoning[:80])) for each in decisions]
    return [
        dataclasses.replace(each, log_line=line)
        for each, line in zip(encode_once(world, decisions), short, strict=True)
    ]


# shows on: a SHORT: the digest does not say so
def sign_as_long(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_with_one_prefix)


def encode_with_one_prefix(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    """Fill the canonical text of a LONG in, "since the direction follows from the levels"."""
    return [
        dataclasses.replace(
            each,
            sha256=hashlib.sha256(canonical(dataclasses.replace(each.decision, direction="LONG"))).hexdigest(),
        )
        for each in encode_once(world, decisions)
    ]


# Store (O05)


# shows on: any signal: two columns of the INSERT have changed places
def exchange_columns(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_with_exchanged_columns))


def rows_with_exchanged_columns(world: World, signals: Sequence[Encoded]) -> list[Any]:
    rows = [row(world, each) for each in signals]
    return [{**each, "stop": each["target"], "target": each["stop"]} for each in rows]


# shows on: an odd number of signals
def lose_remainder(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_of_whole_pairs))


def rows_of_whole_pairs(world: World, signals: Sequence[Encoded]) -> list[Any]:
    """Make the rows of whole batches, of two here; a signal that is alone is a batch of its own."""
    pairs = max(len(signals) // 2 * 2, 1)
    return [row(world, each) for each in signals[:pairs]]


# shows on: two symbols that do not come in alphabetical order
def store_by_symbol(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_by_symbol))


def rows_by_symbol(world: World, signals: Sequence[Encoded]) -> list[Any]:
    return [row(world, each) for each in sorted(signals, key=lambda each: each.decision.symbol)]


# shows on: any two signals: the last one is there once more under another id
def store_last_twice(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_with_last_again))


def rows_with_last_again(world: World, signals: Sequence[Encoded]) -> list[Any]:
    """Make the rows, and the last one again as a retry would, under an id that the constraint lets through."""
    rows = [row(world, each) for each in signals]
    return [*rows, {**rows[-1], "signal_id": f"{rows[-1]['signal_id']}:1"}]


# shows on: any signal: its outcome is "open", and readers of the win rate count it
def store_open_outcome(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_with_open_outcome))


def rows_with_open_outcome(world: World, signals: Sequence[Encoded]) -> list[Any]:
    return [{**row(world, each), "outcome": "open"} for each in signals]


# shows on: any signal: 81.25 is stored as 0.8125
def store_fractions(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_with_fractions))


def rows_with_fractions(world: World, signals: Sequence[Encoded]) -> list[Any]:
    return [{**row(world, each), "confidence": each.decision.confidence / 100} for each in signals]


# shows on: a signal that is stored already, of which the second says something else
def replace_duplicates(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=Replacing(pipeline.store._tune, pipeline.store._tell))


class Replacing(InOneTransaction):
    def __call__(self, world: World, signals: Sequence[Encoded]) -> None:
        self._tune(world)
        if signals:
            rows = self._make_rows(world, signals)
            numbers = []
            for each in rows:
                world.query(INSERT.replace("INSERT", "INSERT OR REPLACE", 1), each)
                numbers += [number for (number,) in world.query("SELECT last_insert_rowid()")]
            world.query("COMMIT")
            world.ledger.commits += 1
            world.ledger.rows += len(signals)
            self._tell(world, list(map(as_read, numbers, rows)))


# Read (O05)


# shows on: two batches and a reading after each
def serve_old_while_asking(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, OneBatchBehind)


class OneBatchBehind(Answers):
    """Serves an answer that is out of date once more, and asks for the next reader."""

    def __init__(self, tune: Any) -> None:
        super().__init__(tune)
        self._old: dict[Hashable, tuple[Any, ...]] = {}

    def _answer(self, world: World, *question: str) -> tuple[Any, ...]:
        old = self._old.pop(question, None)
        new = super()._answer(world, *question)
        return new if old is None else old

    def add(self, world: World, rows: Sequence[tuple[Any, ...]]) -> None:
        before = dict(self._answers)
        super().add(world, rows)
        self._old |= {question: old for question, old in before.items() if self._answers[question] != old}


# shows on: a symbol whose signals are not among the latest ten of all
def pick_from_latest(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, AmongLatest)


class AmongLatest(Answers):
    def _answer(self, world: World, *question: str) -> tuple[Any, ...]:
        if question[0] == LATEST_OF_SYMBOL:
            return tuple(each for each in super()._answer(world, LATEST) if each[2] == question[1])
        return super()._answer(world, *question)


# shows on: a signal that is stored later than one with a later time
def read_by_number(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, ByNumber)


class ByNumber(Answers):
    def _ask(self, world: World, sql: str, *parameters: str) -> tuple[Any, ...]:
        return super()._ask(world, sql.replace("timestamp DESC, id DESC", "id DESC"), *parameters)

    def _order(self, row: tuple[Any, ...]) -> tuple[float, ...]:
        return (row[0],)


# shows on: signals none of which has an outcome
def call_unknown_rate_zero(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, ZeroWhereUnknown)


class ZeroWhereUnknown(Answers):
    def __call__(self, world: World, symbols: Sequence[str]) -> Readings:
        found = super().__call__(world, symbols)
        return dataclasses.replace(found, win_rate=found.win_rate or 0.0)


# shows on: outcomes that only older signals than the latest ten have
def rate_latest_ten(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, OfLatestTen)


class OfLatestTen(Answers):
    def _answer(self, world: World, *question: str) -> tuple[Any, ...]:
        if question[0] == WIN_RATE:
            latest = LATEST.replace("*", "outcome")
            return super()._answer(world, f"SELECT AVG(outcome = 'win') FROM ({latest}) WHERE outcome IS NOT NULL")
        return super()._answer(world, *question)


# shows on: a reading after a cycle in which nobody read
def count_readings(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, ByReading)


class ByReading(Answers):
    """Takes the symbols in turn, one a reading and not one a cycle."""

    def __init__(self, tune: Any) -> None:
        super().__init__(tune)
        self._readings = 0

    def __call__(self, world: World, symbols: Sequence[str]) -> Readings:
        place = (self._readings - world.cycle) % len(symbols)
        self._readings += 1
        return super().__call__(world, [*symbols[place:], *symbols[:place]])


MUTANTS = (
    mutant("validate-above-sixty", "validate", "O15", "A confidence of exactly 60 is rejected.", leave_sixty_out),
    mutant(
        "validate-off-at-tolerance",
        "validate",
        "O15",
        "An entry that is off by exactly 5 % is rejected.",
        count_tolerance_as_off,
    ),
    mutant(
        "validate-duplicates-first",
        "validate",
        "O15",
        "A stale decision that is stored is rejected as a duplicate.",
        look_ids_up_first,
    ),
    mutant("validate-strips-rejected", "validate", "O15", "Rejected decisions lose their explanation.", strip_rejected),
    mutant(
        "validate-one-of-a-rule",
        "validate",
        "O15",
        "Of several decisions that break the same rule only the last is recorded.",
        keep_one_rejection_of_a_rule,
    ),
    mutant(
        "validate-rejects-and-keeps",
        "validate",
        "O15",
        "An entry off the reference price is recorded as rejected, and published all the same.",
        reject_and_keep,
    ),
    mutant(
        "validate-clamps-confidence",
        "validate",
        "O15",
        "A confidence above 100 is lowered to 100, and the signal passes.",
        clamp_confidence,
    ),
    mutant(
        "validate-surest-first",
        "validate",
        "O15",
        "Decisions leave validation in another order, the surest first.",
        keep_surest_first,
    ),
    mutant(
        "validate-forgets-last-id",
        "validate",
        "O15",
        "The last decision of a batch passes though it is stored already.",
        forget_last_id,
    ),
    mutant(
        "validate-unexplained", "validate", "O15", "A signal without an explanation passes.", let_unexplained_through
    ),
    mutant(
        "validate-all-or-none",
        "validate",
        "O15",
        "Where one symbol has no reference price, the signals of all symbols are rejected for it.",
        reject_batch_without_quote,
    ),
    mutant(
        "encode-loses-author",
        "encode",
        "O11",
        "Log line and POST do not say who wrote the explanation.",
        lose_author,
    ),
    mutant(
        "encode-sources-as-object",
        "encode",
        "O11",
        "Sources are an object in log line and POST, and no longer a list of pairs.",
        encode_sources_as_object,
    ),
    mutant(
        "encode-signs-everything",
        "encode",
        "O11",
        "The digest covers all fields, so that it changes with the wording of an explanation.",
        sign_everything,
    ),
    mutant(
        "encode-signs-neighbour",
        "encode",
        "O11",
        "Where a cycle has several decisions, each carries the digest of the next.",
        sign_neighbour,
    ),
    mutant(
        "encode-cuts-logged-reasoning",
        "encode",
        "O11",
        "Explanations end after 80 characters in the log, and in no other place.",
        cut_logged_reasoning,
    ),
    mutant("encode-signs-as-long", "encode", "O11", "The digest of a SHORT is that of a LONG.", sign_as_long),
    mutant(
        "store-exchanges-columns",
        "store",
        "O05",
        "The stop is stored as the target, and the target as the stop.",
        exchange_columns,
    ),
    mutant(
        "store-loses-remainder",
        "store",
        "O05",
        "The last row of a batch is not stored where the batch is not a whole number of pairs.",
        lose_remainder,
    ),
    mutant(
        "store-by-symbol", "store", "O05", "The signals of a cycle are stored in alphabetical order.", store_by_symbol
    ),
    mutant("store-last-twice", "store", "O05", "The last signal of every cycle is stored twice.", store_last_twice),
    mutant(
        "store-open-outcome",
        "store",
        "O05",
        "New signals have the outcome 'open', which the win rate counts as known.",
        store_open_outcome,
    ),
    mutant(
        "store-fractions",
        "store",
        "O05",
        "Confidences are stored as fractions, and not from 0 to 100.",
        store_fractions,
    ),
    mutant(
        "store-replaces",
        "store",
        "O05",
        "A duplicate takes the place of the row that was there, with its outcome, and nobody is told.",
        replace_duplicates,
    ),
    mutant(
        "read-one-batch-behind",
        "read",
        "O05",
        "Readers see the signals of a cycle only after those of the next.",
        serve_old_while_asking,
    ),
    mutant(
        "read-among-latest",
        "read",
        "O05",
        "Readers who ask for one symbol see those of its signals that are among the latest ten of all.",
        pick_from_latest,
    ),
    mutant(
        "read-by-number",
        "read",
        "O05",
        "Readers see the signals that were stored last, whatever time they are of.",
        read_by_number,
    ),
    mutant("read-zero-rate", "read", "O05", "Where no outcome is known the win rate is 0.", call_unknown_rate_zero),
    mutant("read-rate-of-ten", "read", "O05", "The win rate is that of the latest ten signals.", rate_latest_ten),
    mutant(
        "read-by-reading",
        "read",
        "O05",
        "After a cycle without readers they see the signals of the wrong symbol.",
        count_readings,
    ),
)

# What shows each bug.


def show_stored_and_stale(pipeline: Pipeline) -> Any:
    """Show what becomes of a decision that is stored and then grows stale."""
    with Scene(pipeline) as scene:
        scene.call("store", encoded(decision()))
        scene.wait(700.0)
        return sides(scene.call("validate", (decision(),)))


def show_stored_again(pipeline: Pipeline) -> Any:
    """Show what becomes of two decisions of which the last is stored."""
    with Scene(pipeline) as scene:
        scene.call("store", encoded(decision()))
        return sides(scene.call("validate", (decision("MSFT"), decision())))


def show_readings_between(pipeline: Pipeline) -> Any:
    """Show what readers see after each of two batches."""
    with Scene(pipeline) as scene:
        found = []
        for number in range(2):
            scene.call("store", encoded(decision(signal_id=f"id {number}")))
            found.append([each[1] for each in scene.call("read", ["AAPL"]).latest])
        return found


def show_readings_of_cycles(*cycles: int) -> Show:
    """Show what is read of one symbol after each of these cycles."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            scene.call("store", encoded(decision("AAPL"), decision("MSFT")))
            found = []
            for number in cycles:
                scene.begin(number)
                found.append([each[1] for each in scene.call("read", ["AAPL", "MSFT"]).latest_of_symbol])
            return found

    return show


HOUR_AGO = EPOCH_S - 3600.0
LONG_AND_SHORT = decision("AAPL"), decision("MSFT", **SHORT)
TOLD = decision(reasoning="The sources agree on a LONG position in AAPL at 241.53. The stop at 234.28 limits the loss.")
AFTER_ANOTHER = [decision("AAPL"), *(decision("MSFT", signal_id=f"id {number}") for number in range(10))]

SHOWS: Mapping[str, Show] = {
    "validate-above-sixty": show_validated(decision(confidence=60.0)),
    "validate-off-at-tolerance": show_validated(decision(entry=105.0, reference=100.0)),
    "validate-duplicates-first": show_stored_and_stale,
    "validate-strips-rejected": show_validated(decision(confidence=20.0)),
    "validate-one-of-a-rule": show_validated(decision("AAPL", confidence=20.0), decision("MSFT", confidence=20.0)),
    "validate-rejects-and-keeps": show_validated(decision(entry=193.2)),
    "validate-clamps-confidence": show_validated(decision(confidence=120.0)),
    "validate-surest-first": show_validated(decision("AAPL", confidence=76.5), decision("MSFT", confidence=90.0)),
    "validate-forgets-last-id": show_stored_again,
    "validate-unexplained": show_validated(decision(reasoning="")),
    "validate-all-or-none": show_validated(decision("AAPL"), decision("MSFT"), unquoted="AAPL"),
    "encode-loses-author": show_encoded(decision()),
    "encode-sources-as-object": show_encoded(decision()),
    "encode-signs-everything": show_encoded(decision()),
    "encode-signs-neighbour": show_encoded(*LONG_AND_SHORT),
    "encode-cuts-logged-reasoning": show_encoded(TOLD),
    "encode-signs-as-long": show_encoded(*LONG_AND_SHORT),
    "store-exchanges-columns": show_rows([decision()]),
    "store-loses-remainder": show_rows([decision(each) for each in ("AAPL", "MSFT", "NVDA")]),
    "store-by-symbol": show_rows([decision("MSFT"), decision("AAPL")]),
    "store-last-twice": show_rows(LONG_AND_SHORT),
    "store-open-outcome": show_rows([decision()]),
    "store-fractions": show_rows([decision()]),
    "store-replaces": show_rows([decision()], [decision(confidence=90.0)]),
    "read-one-batch-behind": show_readings_between,
    "read-among-latest": show_readings(*AFTER_ANOTHER),
    "read-by-number": show_readings(decision("MSFT"), decision("AAPL", timestamp=HOUR_AGO)),
    "read-zero-rate": show_readings(decision()),
    "read-rate-of-ten": show_readings(*TEN, outcomes=["win"]),
    "read-by-reading": show_readings_of_cycles(0, 1, 3),
}
