"""Bugs in what comes after a decision are here: the model's text, where a template answers at once (O12).

Each is put into the form of O12 that does not wait, whatever form is handed in. Above each function stands the input
that shows its bug; ``SHOWS`` has that input as code, by the mutant's id.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from argo_bench.optimizations.o12_reasoning_cache import engineered
from argo_bench.pipeline.baseline import PIPELINE
from argo_bench.pipeline.baseline.store import row
from argo_bench.pipeline.model import Decision, Encoded, Reasoning, World
from argo_bench.pipeline.optimized.read import Answers
from argo_bench.pipeline.optimized.reason import AnsweredAtOnce, Rationale, reason
from argo_bench.pipeline.optimized.store import InOneTransaction, LateTexts, Tuned
from argo_bench.pipeline.record import Pipeline, settle
from argo_bench.pipeline.world.database import REASONING, SYMBOL
from tests.mutations import mutant
from tests.mutations.held_out_stages import Show, told
from tests.mutations.inputs import SHORT, Scene, decision, encoded


def with_rows(rows: LateTexts, stage: type[AnsweredAtOnce] = AnsweredAtOnce) -> Pipeline:
    return PIPELINE.replace(reason=stage(reason, rows), store=rows)


# shows on: any decision whose meaning is new
def write_nothing_later(pipeline: Pipeline) -> Pipeline:
    return PIPELINE.replace(reason=AnsweredAtOnce(reason, LateTexts(PIPELINE.store)))


# shows on: an answer that comes after the row is stored
def write_before_row_alone(pipeline: Pipeline) -> Pipeline:
    return with_rows(BeforeRowAlone(PIPELINE.store))


class BeforeRowAlone(LateTexts):
    def take(self, world: World, decision: Decision, text: str) -> None:
        if decision.signal_id in self._texts:
            self._texts[decision.signal_id] = text


# shows on: an answer that comes before the row is stored
def write_after_row_alone(pipeline: Pipeline) -> Pipeline:
    return with_rows(AfterRowAlone(PIPELINE.store))


class AfterRowAlone(LateTexts):
    def take(self, world: World, decision: Decision, text: str) -> None:
        if decision.signal_id in self._stored:
            super().take(world, decision, text)


# shows on: two symbols whose answers come after both are stored
def write_into_latest_row(pipeline: Pipeline) -> Pipeline:
    return with_rows(IntoLatest(PIPELINE.store))


class IntoLatest(LateTexts):
    _latest = ""

    async def __call__(self, world: World, signals: Sequence[Encoded]) -> None:
        await super().__call__(world, signals)
        self._latest = signals[-1].decision.signal_id if signals else self._latest

    def take(self, world: World, decision: Decision, text: str) -> None:
        if decision.signal_id in self._stored:
            world.rewrite({self._latest: text})
        else:
            super().take(world, decision, text)


# shows on: two decisions of the same meaning and other figures, of which both wait for one answer
def write_text_of_first(pipeline: Pipeline) -> Pipeline:
    return with_rows(LateTexts(PIPELINE.store), OfFirst)


class OfFirst(AnsweredAtOnce):
    """Fills the figures of the decision that asked first into the texts of all that wait with it."""

    async def _hand_over(self, world: World, decision: Decision, asking: Any) -> None:
        rationale: Rationale = await asking
        first = self.__dict__.setdefault("first", {}).setdefault(rationale, decision)
        if rationale.author == "model":
            self._rows.take(world, decision, rationale.fill_in(first))


# shows on: any decision whose meaning is new
def mark_template_as_models(pipeline: Pipeline) -> Pipeline:
    return with_rows(LateTexts(PIPELINE.store), MarkedAsModels)


class MarkedAsModels(AnsweredAtOnce):
    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        return dataclasses.replace(await super().__call__(world, decision), author="model")


# shows on: a SHORT
def write_template_of_long(pipeline: Pipeline) -> Pipeline:
    return with_rows(LateTexts(PIPELINE.store), LevelsExchanged)


class LevelsExchanged(AnsweredAtOnce):
    """Writes the stop of a template where its target belongs, and the other way round."""

    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        found = await super().__call__(world, decision)
        if found.author == "model":
            return found
        stop, target = f"stop {decision.stop}", f"target {decision.target}"
        exchanged = found.text.replace(f"{stop}, {target}", f"stop {decision.target}, target {decision.stop}")
        return dataclasses.replace(found, text=exchanged)


# shows on: a reader who looked before the model's text came, and looks again
def keep_templates_for_readers(pipeline: Pipeline) -> Pipeline:
    tune = Tuned()
    answers = WithoutTexts(tune)
    return engineered(PIPELINE.replace(store=InOneTransaction(tune, answers.add), read=answers))


class WithoutTexts(Answers):
    def _rewrite(self, world: World, texts: Mapping[str, str]) -> None:
        return None


# shows on: a decision that is rejected, and one of the same cycle that is stored
def store_what_was_rejected(pipeline: Pipeline) -> Pipeline:
    return with_rows(EveryRow(PIPELINE.store))


class EveryRow(LateTexts):
    """Stores a row for every text, since it takes a decision without one for a row that was lost."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._known: set[str] = set()

    async def __call__(self, world: World, signals: Sequence[Encoded]) -> None:
        await super().__call__(world, signals)
        self._known |= {each.decision.signal_id for each in signals}

    def take(self, world: World, decision: Decision, text: str) -> None:
        is_open = decision.signal_id in self._texts
        super().take(world, decision, text)
        if not is_open and decision.signal_id not in self._known:
            world.insert(row(world, *encoded(dataclasses.replace(decision, reasoning=text))))


MUTANTS = (
    mutant(
        "late-never", "reason", "O12", "The model's text never gets into the row of its signal.", write_nothing_later
    ),
    mutant(
        "late-before-row-alone",
        "reason",
        "O12",
        "A text that comes after its row is stored is dropped.",
        write_before_row_alone,
    ),
    mutant(
        "late-after-row-alone",
        "reason",
        "O12",
        "A text that comes before its row is stored is dropped.",
        write_after_row_alone,
    ),
    mutant(
        "late-into-latest-row",
        "reason",
        "O12",
        "A text that comes late gets into the row that was stored last, whichever signal's it is.",
        write_into_latest_row,
    ),
    mutant(
        "late-of-first",
        "reason",
        "O12",
        "Texts that come late have the figures of the signal that asked first.",
        write_text_of_first,
    ),
    mutant(
        "late-template-as-models",
        "reason",
        "O12",
        "The template that stands until the model answers is passed off as its words.",
        mark_template_as_models,
    ),
    mutant(
        "late-levels-exchanged",
        "reason",
        "O12",
        "The template that stands until the model answers has the target as the stop, and the stop as the target.",
        write_template_of_long,
    ),
    mutant(
        "late-for-readers",
        "reason",
        "O12",
        "Readers who saw the template see it for as long as no other process writes.",
        keep_templates_for_readers,
    ),
    mutant(
        "late-of-rejected",
        "reason",
        "O12",
        "The text of a signal that was rejected stores it.",
        store_what_was_rejected,
    ),
)

# What shows each bug.


def show_late(
    *decisions: Decision, takes_s: float = 2.0, stored: Callable[[Decision], bool] = lambda each: True
) -> Show:
    """Show who is said to have written the texts of decisions that are explained and stored together, what the levels
    of the templates are, and what the rows and the readers say of the levels when every text has come."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            scene.takes = {("explanation", each.symbol, "explanation"): takes_s for each in decisions}
            found = scene.together("reason", *((each,) for each in decisions))
            explained = [
                dataclasses.replace(each, reasoning=said.text, reasoning_author=said.author)
                for each, said in zip(decisions, found, strict=True)
            ]
            scene.run(settle(pipeline.store(scene, encoded(*filter(stored, explained)))))
            scene.call("read", [each.symbol for each in decisions])
            scene.run(scene.wind_down())
            read = scene.call("read", [each.symbol for each in decisions])
            rows = scene.query("SELECT * FROM signals ORDER BY id")
            misnamed = [each.author == "model" and each.text.endswith(").") for each in found]
            exchanged = [f"stop {each.target}" in said.text for each, said in zip(decisions, found, strict=True)]
            return (
                misnamed,
                exchanged,
                *([(each[SYMBOL], told(each[REASONING])) for each in kept] for kept in (rows, read.latest)),
            )

    return show


ONE, OTHER, DOWN = decision("AAPL"), decision("GOOG"), decision("MSFT", **SHORT)

SHOWS = {
    "late-never": show_late(ONE),
    "late-before-row-alone": show_late(ONE),
    "late-after-row-alone": show_late(ONE, takes_s=0.0),
    "late-into-latest-row": show_late(ONE, OTHER),
    "late-of-first": show_late(ONE, dataclasses.replace(ONE, signal_id="another", entry=100.5)),
    "late-template-as-models": show_late(ONE),
    "late-levels-exchanged": show_late(DOWN),
    "late-for-readers": show_late(ONE),
    "late-of-rejected": show_late(ONE, OTHER, stored=lambda each: each.symbol == "AAPL"),
}
