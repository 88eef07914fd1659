"""Measures the memory of every arm behind a claim about memory, each reading in a process of its own.

All arms are read under the same hash seeds, one after the other, since the memory of a function may depend on them: a
reading of one arm is then compared with the other's under the same seed.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from argo_bench.harness.claims.metrics import Method, is_memory
from argo_bench.harness.claims.verdict import judge
from argo_bench.harness.judging.memory import is_small, weigh
from argo_bench.harness.memory import Forks, find_available, take_readings
from argo_bench.harness.plan import arms, hash_seed_of_memory
from argo_bench.harness.record.records import Memory, Reading
from argo_bench.harness.side_by_side import list_processors, run_side_by_side
from argo_bench.harness.state import RunState, place_of
from argo_bench.harness.subject import Around, MemoryQuestion
from argo_bench.harness.workers.messages import Arm
from argo_bench.harness.workers.processes import ArmFailed, OutOfTime

UNIT_S = 0.4
"""A reading is expected to take these seconds, before any has been taken."""
MOST_OF_WHAT_IS_LEFT = 0.5
"""Further readings take no more than this share of the time that is left; the rest is for the replicates."""
Place = tuple[str, str, int, str]
"""A place is an optimization, a workload, a scale and an arm."""


@dataclass(slots=True)
class Due:
    """Keeps of one arm the number of hash seeds that it is to be read under, by method, and its readings so far."""

    arm: Arm
    seeds: dict[Method, int] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)

    def find(self, method: Method, hash_seed: int) -> Reading | None:
        return next((each for each in self.readings if (each.method, each.hash_seed) == (method, hash_seed)), None)


@dataclass(frozen=True, slots=True)
class Turn:
    """Takes readings under one hash seed, by the processes that are ``idle``, each with its processor."""

    hash_seed: int
    numba_cache: Path
    idle: queue.SimpleQueue[tuple[int | None, Forks]] = field(default_factory=queue.SimpleQueue)

    def take(self, arm: Arm, methods: Sequence[Method]) -> list[Reading] | ArmFailed:
        """Take the readings of an arm on a processor that is idle, or return how the arm failed."""
        processor, forks = self.idle.get()
        try:
            return take_readings(arm, methods, self.hash_seed, self.numba_cache, processor, forks)
        except ArmFailed as error:
            return error
        finally:
            self.idle.put((processor, forks))


def measure_memory(state: RunState, around: Around) -> None:
    """Take all readings under one hash seed after the other; an arm's line is written when it has all of its own.

    Where the time is used up, or Ctrl-C comes, arms keep the readings of the last look that is complete.
    """
    questions = _list_questions(state)
    state.feed(around, 0, [each.comparison for each in questions])
    due = _list_due(state, around, questions)
    state.pace.plan("memory", sum(sum(each.seeds.values()) for each in due.values()), UNIT_S)
    began, number = state.pace.elapsed_s, 0
    try:
        while due:
            _take_turn(state, around, questions, due, number)
            number += 1
            _ask_on(state, questions, due, number, (state.pace.elapsed_s - began) / number)
            for place in [place for place, each in due.items() if max(each.seeds.values()) <= number]:
                _write(state, place, due.pop(place).readings)
    except (OutOfTime, KeyboardInterrupt):
        _write_complete(state, questions, due, number)
        raise


def _take_turn(
    state: RunState, around: Around, questions: Sequence[MemoryQuestion], due: dict[Place, Due], number: int
) -> None:
    """Take the readings of all arms under the hash seed of a number."""
    hash_seed = hash_seed_of_memory(state.seed, number)
    now = {place: [method for method, seeds in each.seeds.items() if seeds > number] for place, each in due.items()}
    with _begin_turn(state, around, hash_seed, len(due)) as turn:
        _read(state, due, now, turn)
        _read(state, due, _find_small(questions, due, hash_seed), turn, is_needed=False)


def _write(state: RunState, place: Place, readings: list[Reading]) -> None:
    state.memories.append(Memory(*place, readings))
    state.writer.write(state.memories[-1])


def _write_complete(
    state: RunState, questions: Sequence[MemoryQuestion], due: Mapping[Place, Due], number: int
) -> None:
    """Write what was read under the hash seeds of the last look that all arms of a question reached."""
    for question in questions:
        complete = [look for looks in question.looks.values() for look in looks if look <= number]
        seeds = {hash_seed_of_memory(state.seed, each) for each in range(max(complete, default=0))}
        written = {(each.optimization, each.workload, each.scale, each.arm) for each in state.memories}
        for place in _places_of(question):
            if seeds and place in due and place not in written:
                _write(state, place, [each for each in due[place].readings if each.hash_seed in seeds])


def _list_questions(state: RunState) -> list[MemoryQuestion]:
    """Return what is asked, without the comparisons that were to be timed and cannot be."""
    found = [each for subject in state.subjects.values() for each in subject.memory_questions(state.profile)]
    gone = set(state.plan.comparisons) - set(state.comparisons)
    return [each for each in found if each.comparison not in gone]


def _list_due(state: RunState, around: Around, questions: Sequence[MemoryQuestion]) -> dict[Place, Due]:
    """Return what is to be read of every arm that has no line yet; a method counts that one of its questions names."""
    done = {(each.optimization, each.workload, each.scale, each.arm) for each in state.memories}
    due: dict[Place, Due] = {}
    for comparison, looks in questions:
        methods = find_available([*looks])
        for place in _places_of(MemoryQuestion(comparison, looks)) if methods else ():
            if place not in done and place[3] not in state.find_failed_arms(comparison.optimization):
                if place not in due:
                    due[place] = Due(state.subject_of(comparison).arm(comparison, place[3], around.scratch))
                seeds = due[place].seeds
                seeds |= {method: max(seeds.get(method, 0), looks[method][0]) for method in methods}
    return due


def _places_of(question: MemoryQuestion) -> tuple[Place, Place]:
    at = place_of(question.comparison)
    reference, candidate = arms(question.comparison)
    return (*at, reference), (*at, candidate)


@contextmanager
def _begin_turn(state: RunState, around: Around, hash_seed: int, most: int) -> Iterator[Turn]:
    """Start a process for each processor, ``most`` at the most, that takes readings in copies of itself."""
    turn = Turn(hash_seed, around.scratch / "numba")
    with ExitStack() as stack:
        for cpu in [*(list_processors() or (None,))][:most]:
            turn.idle.put((cpu, stack.enter_context(Forks(hash_seed, turn.numba_cache, state.supply.preload()))))
        yield turn


def _read(
    state: RunState,
    due: dict[Place, Due],
    asked: Mapping[Place, Sequence[Method]],
    turn: Turn,
    *,
    is_needed: bool = True,
) -> None:
    """Take readings of several arms under one hash seed; an arm that fails has no more, if its readings are needed."""
    calls = {place: partial(turn.take, due[place].arm, methods) for place, methods in asked.items() if methods}
    for place, readings in run_side_by_side(calls, state.until):
        if not isinstance(readings, ArmFailed):
            due[place].readings += readings
        elif is_needed:
            del due[place]
            with state.failing(place[0], place[3]):
                raise readings
        state.did("memory", f"memory: {place[0]} {place[3]}", len(asked[place]))


def _find_small(
    questions: Sequence[MemoryQuestion], due: Mapping[Place, Due], hash_seed: int
) -> dict[Place, list[Method]]:
    """Return the arms whose peaks of resident memory are too small to be compared: they are traced beside."""
    found: dict[Place, list[Method]] = {}
    for question in questions:
        pair = [due[place] for place in _places_of(question) if place in due]
        peaks = [peak for each in pair if (peak := each.find("peak_rss", hash_seed)) is not None]
        if len(peaks) == 2 and is_small(peaks):
            untraced = (place for place in _places_of(question) if due[place].find("traced", hash_seed) is None)
            found |= {place: ["traced"] for place in untraced}
    return found


def _ask_on(
    state: RunState, questions: Sequence[MemoryQuestion], due: Mapping[Place, Due], number: int, seed_s: float
) -> None:
    """Ask for further readings where a verdict is open after ``number`` hash seeds, and there is time for them.

    ``seed_s`` are the seconds that those under one hash seed have taken.
    """
    for question in questions:
        for method, looks in question.looks.items():
            later = next((look for look in looks if look > number), number)
            is_in_time = (later - number) * seed_s <= MOST_OF_WHAT_IS_LEFT * state.pace.left_s
            pair = [due[place] for place in _places_of(question) if place in due]
            if number in looks and later > number and is_in_time and _is_open(state, question, pair):
                for each in pair:
                    each.seeds[method] = later
                state.pace.plan("memory", 2 * (later - number), UNIT_S)


def _is_open(state: RunState, question: MemoryQuestion, pair: Sequence[Due]) -> bool:
    """Say whether a claim about memory on a comparison has no verdict yet that more readings could give it."""
    if len(pair) < 2:
        return False
    declaration = state.declared[question.comparison.optimization]
    for claim in filter(lambda each: is_memory(each.metric), state.claims_on(question.comparison)):
        error = state.plan.error_of(declaration, claim)
        found = weigh(claim.metric, pair[0].readings, pair[1].readings, error)
        if found is not None and found.interval is not None and judge(claim, found.interval) == "inconclusive":
            return True
    return False
