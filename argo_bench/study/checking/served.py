"""What a variant was served by its own caches is recorded here, so that the baseline can be run on exactly that.

Staleness explains values and never decisions: where a variant declares that its data may be older, its decisions must
be those of the cache-free baseline on the data that it was served, and each answer must be one that the provider gave
within the declared time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from argo_bench.pipeline.model import Bars, Completion, Fetched, Opinions, Pending, ProviderError, Request, Stage, World
from argo_bench.pipeline.record import Pipeline, settle
from argo_bench.pipeline.world.simulated import SimulatedPending, SimulatedWorld
from argo_bench.study.checking.differences import Differences

Question = tuple[str, str, str, str]
"""A provider, a symbol, what is asked for, and the prompt of an explanation."""
OLDER = "older than declared"
SLACK_S = 0.5
"""What the times of two runs may differ by, since one of them waits where the other does not."""


class Answer(NamedTuple):
    """Holds one answer: when it was asked for, by the virtual clock, and what it said, which may be an error."""

    at_s: float
    said: Any


@dataclass(slots=True)
class Log:
    """Holds all answers that a pipeline got, by question, and all that its fetch stage returned, by symbol.

    ``latest`` is the last answer by process, cycle and question, and ``fetched`` what was fetched last by process,
    cycle and symbol. ``given`` are the answers of the providers themselves, and ``requests`` those that left the
    process, by provider. ``kept`` are the last bars of each symbol.
    """

    answers: dict[Question, list[Answer]] = field(default_factory=dict)
    latest: dict[tuple[int, int, Question], Any] = field(default_factory=dict)
    given: dict[Question, list[Answer]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    fetches: dict[str, list[Answer]] = field(default_factory=dict)
    fetched: dict[tuple[int, int, str], Fetched] = field(default_factory=dict)
    kept: dict[str, Bars] = field(default_factory=dict)

    def note(self, request: Request, at_s: float, moment: tuple[int, int], said: Any) -> None:
        """Note an answer; of bars a copy, since whoever gets them may write into them."""
        question = _question(request)
        said = self.keep(said)
        self.answers.setdefault(question, []).append(Answer(at_s, said))
        self.latest[*moment, question] = said

    def keep(self, said: Any) -> Any:
        """Return what is kept of an answer: of bars a copy, which the same bars of the symbol share until others come.

        Otherwise what a walk is answered would take most of the memory of a check.
        """
        if not isinstance(said, Bars):
            return said
        kept = self.kept.get(said.symbol)
        if kept is None or not _are_identical(kept, said):
            kept = self.kept[said.symbol] = _copy(said)
        return kept


def watch(pipeline: Pipeline, log: Log, process: int = 0) -> Pipeline:
    """Return the pipeline, with what it is answered and what it fetches noted in the log."""
    return pipeline.replace(
        transport=Recording(pipeline.transport, log, process), fetch=RecordingFetch(pipeline.fetch, log, process)
    )


def serve(pipeline: Pipeline, log: Log, process: int = 0) -> Pipeline:
    """Return the pipeline on what another one was served: what the log does not have, it asks for."""
    return pipeline.replace(
        transport=Replaying(pipeline.transport, log, process), fetch=ReplayingFetch(pipeline.fetch, log, process)
    )


def watch_providers(world: SimulatedWorld, log: Log) -> None:
    """Have a world note in the log what leaves the process and what the providers answer."""
    exchange = world.exchange

    def exchange_and_note(request: Request) -> SimulatedPending:
        at_s, pending = world.now(), exchange(request)
        log.requests[request.provider] += 1
        log.given.setdefault(_question(request), []).append(Answer(at_s, log.keep(pending.answer)))
        return pending

    world.exchange = exchange_and_note  # type: ignore[method-assign]


class RecordingFetch:
    """Wraps a fetch stage and keeps in ``log`` what it returns."""

    def __init__(self, fetch: Stage, log: Log, process: int) -> None:
        self.__wrapped__ = fetch
        self._log = log
        self._process = process

    async def __call__(self, world: World, symbol: str) -> Any:
        began_s = world.now()
        fetched = await settle(self.__wrapped__(world, symbol))
        if isinstance(fetched, Fetched):
            kept = replace(_copy_opinions(fetched), bars=self._log.keep(fetched.bars))
            self._log.fetches.setdefault(symbol, []).append(Answer(began_s, kept))
            self._log.fetched[self._process, world.cycle, symbol] = kept
        return fetched


class ReplayingFetch:
    """Wraps a fetch stage and returns what a log has of it."""

    def __init__(self, fetch: Stage, log: Log, process: int) -> None:
        self.__wrapped__ = fetch
        self._log = log
        self._process = process

    async def __call__(self, world: World, symbol: str) -> Any:
        kept = self._log.fetched.get((self._process, world.cycle, symbol))
        if kept is None:
            return await settle(self.__wrapped__(world, symbol))
        return replace(_copy_opinions(kept), bars=_copy(kept.bars))


def _copy_opinions(fetched: Fetched) -> Fetched:
    """Return the same bars, with opinions that share nothing which somebody could write into."""
    return replace(fetched, opinions=replace(fetched.opinions, technical=dict(fetched.opinions.technical)))


def _copy(bars: Bars) -> Bars:
    return replace(bars, values=bars.values.copy())


def _are_identical(left: Bars, right: Bars) -> bool:
    """Say whether bars are the same to the last bit, of the same dtype and shape."""
    return (
        (left.values.dtype, left.values.shape) == (right.values.dtype, right.values.shape)
        and np.array_equal(left.timestamps, right.timestamps)
        and left.values.tobytes() == right.values.tobytes()
    )


class Recording:
    """Wraps a transport and keeps in ``log`` what it answers, errors too.

    ``process`` is the number of the process, where one is started after another.
    """

    def __init__(self, transport: Stage, log: Log, process: int = 0) -> None:
        self.__wrapped__ = transport
        self._log = log
        self._process = process

    def __call__(self, world: World, request: Request) -> Watched:
        moment = self._process, world.cycle
        note = partial(self._log.note, request, world.now(), moment)
        return Watched(self.__wrapped__(world, request), note)


class Watched:
    """Stands for a request under way whose outcome is noted when it arrives."""

    __slots__ = ("_note", "_pending")

    def __init__(self, pending: Pending[Any], note: Callable[[Any], None]) -> None:
        self._pending = pending
        self._note = note

    def result(self) -> Any:
        try:
            answer = self._pending.result()
        except ProviderError as error:
            self._note(error)
            raise
        self._note(answer)
        return answer

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            answer = yield from self._pending.__await__()
        except ProviderError as error:
            self._note(error)
            raise
        self._note(answer)
        return answer


class Replaying:
    """Wraps a transport and gives the answers of a log; what the log does not have, it asks for.

    Explanations are asked for: a text about other data is a fault, and its wording may differ only where that is
    declared.
    """

    def __init__(self, transport: Stage, log: Log, process: int = 0) -> None:
        self.__wrapped__ = transport
        self._log = log
        self._process = process

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        key = self._process, world.cycle, _question(request)
        if key in self._log.latest and request.provider != "explanation":
            return Given(self._log.latest[key])
        pending: Pending[Any] = self.__wrapped__(world, request)
        return pending


class Given:
    """Stands for an answer, or an error, that is there already."""

    __slots__ = ("_said",)

    def __init__(self, said: Any) -> None:
        self._said = said

    def result(self) -> Any:
        if isinstance(self._said, ProviderError):
            raise self._said
        return _copy(self._said) if isinstance(self._said, Bars) else self._said

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        return self.result()


def count_older(staleness_s: float, fresh: Log, served: Log) -> int:
    """Count the answers, and the parts of what was fetched, that no provider gave within ``staleness_s`` seconds.

    ``fresh`` is the log of a pipeline without caches on the same market; what the providers said counts whoever asked.
    """
    late = 0
    for questions, answer in list_served(served):
        known = [each for log in (fresh, served) for question in questions for each in log.given.get(question, ())]
        since = answer.at_s - staleness_s - SLACK_S
        recent = [each for each in known if since <= each.at_s <= answer.at_s + SLACK_S]
        late += bool(recent) and not any(say_the_same(answer.said, each.said) for each in recent)
    return late


def find_oldest(fresh: Log, served: Log) -> float:
    """Return how old the oldest answer was that differed from the one of its moment, in seconds."""
    oldest = 0.0
    for questions, answer in list_served(served):
        known = [each for question in questions for each in fresh.given.get(question, ()) if each.at_s <= answer.at_s]
        known.sort(key=lambda each: each.at_s, reverse=True)
        given = next((each.at_s for each in known if say_the_same(answer.said, each.said)), None)
        if given is not None:
            oldest = max(oldest, answer.at_s - given)
    return oldest


def note_further_requests(expected: Log, got: Log, found: Differences) -> None:
    """Note providers that are sent more requests than before: each is billed, whatever its answer is used for."""
    for provider, count in got.requests.items():
        if count > expected.requests[provider]:
            found.note(f"more requests to {provider}", expected.requests[provider], count)


def list_served(log: Log) -> Iterator[tuple[tuple[Question, ...], Answer]]:
    """Yield every answer, and every part of what was fetched, with the questions that it may be the answer to.

    Explanations are left out: they are compared as texts.
    """
    for question, answers in log.answers.items():
        if not question[-1]:
            yield from (((question,), answer) for answer in answers)
    for symbol, fetches in log.fetches.items():
        for at_s, fetched in fetches:
            opinions: Opinions = fetched.opinions
            yield (("massive", symbol, "bars", ""), ("alpaca", symbol, "bars", "")), Answer(at_s, fetched.bars)
            for what, figure in opinions.technical.items():
                yield (("alpha_vantage", symbol, what, ""),), Answer(at_s, figure)
            yield (("x_sentiment", symbol, "opinion", ""),), Answer(at_s, opinions.x_sentiment)
            yield (("sonar", symbol, "opinion", ""),), Answer(at_s, opinions.sonar)


def say_the_same(left: Any, right: Any) -> bool:
    """Say whether two answers are the same: of bars every number, of a model its text, of an error that it is one."""
    if isinstance(left, Bars) and isinstance(right, Bars):
        return left is right or (
            left.symbol == right.symbol
            and np.array_equal(left.timestamps, right.timestamps)
            and np.array_equal(left.values, right.values, equal_nan=True)
        )
    left, right = (each.choices[0].message.content if isinstance(each, Completion) else each for each in (left, right))
    if isinstance(left, ProviderError):
        return isinstance(right, ProviderError)
    return type(left) is type(right) and bool(left == right)


def _question(request: Request) -> Question:
    """Return the question: an opinion's prompt never changes, and an explanation's is part of what is asked."""
    prompt = f"{request.model}|{request.system}|{request.prompt}" if request.provider == "explanation" else ""
    return request.provider, request.symbol, request.what, prompt
