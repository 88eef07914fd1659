"""Examines one of a user's functions before it is timed, in a process in which no other function of theirs runs.

What it returns is written for a comparison with the other function's. What speaks against the times is collected as
suspicions; whether they count is decided where both functions are known. It uses the standard library alone, and
relative imports.
"""

from __future__ import annotations

import inspect
import itertools
import pickle
import sys
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from statistics import median
from time import perf_counter_ns, process_time_ns, thread_time_ns
from typing import Any

from ...errors import UserError
from .agreement import first_difference
from .causes import RULES, Suspicion, say_times
from .inputs import (
    OTHERS,
    copy_arguments,
    describe_changed_input,
    describe_memory,
    describe_returned_input,
    describe_used_input,
    find_change,
    grow_numbers,
    is_dear,
    list_other_inputs,
)
from .kept import Place, find_kept, list_names, look_before
from .leftovers import Leftovers, adopt_orphans
from .results import copy_result, pack_if_possible, write_packed
from .settings import Settings, describe_changes, describe_seeding, read_generators, read_settings
from .timing import Arguments, FunctionBody, Timing, count_compiled_signatures, read_children_ns
from .waiting import ENOUGH, Call, Decision, Kept, account, decide, is_delay_known

CHEAP_NS = 20_000_000
"""A function whose calls take longer is called twice, others MOST_CALLS times or until BUDGET_NS is used."""
MOST_CALLS, BUDGET_NS = 16, 200_000_000
"""Where it is not told what kept a call from computing, up to ENOUGH later calls are made, of LONGEST_NS together."""
ENOUGH_CALLS = 320
"""A function that is dear again and again is so over this many calls, where the time lasts for them."""
WATCHED_CALLS = 4
"""What is left behind is looked for after these first calls."""
LONGEST_NS, PUT_OFF = 1_000_000_000, 0.25
"""Where a later call is dear, more calls are made for so long, and it matters where such calls add this share."""
COPIED_NS = 100_000_000
"""An input that takes longer to be copied is not changed to see what follows."""
REMARKED_NS, WAITED_NS = 1_000_000, 50_000_000
"""A first call that computes, or waits, for so much longer than a later one is worth a remark: no busy machine makes it
so dear."""
OTHER = ".other"
"""The results for other inputs stand in the file of this ending, beside the result."""
ELSEWHERE, ELSEWHERE_NS = 0.1, 1_000_000
"""Other threads and processes matter where they compute for this share of the calls, and for so many nanoseconds."""


class Examination:
    """Holds one function while it is examined: its body, the times of its calls, and what was found.

    ``settings`` are those of the process before the function was loaded. ``packed`` is the pickled first result, None
    where it cannot be pickled.
    """

    def __init__(self, body: FunctionBody, settings: Settings) -> None:
        self.suspicions: list[Suspicion] = []
        self.calls: list[Call] = []
        self.packed: bytes | None = None
        self._body = body
        self._settings = settings
        self._own_ns: list[int] = []
        self._all_ns: list[int] = []
        self._is_loading = False
        self._leftovers = Leftovers(body)
        self._arguments: Arguments = body.next_arguments()
        began = perf_counter_ns()
        self._before = copy_arguments(self._arguments)
        self._copied_ns = perf_counter_ns() - began
        self._reached = look_before(body.function)
        self._last: Any = None

    @property
    def first_ns(self) -> int:
        return self.calls[0].undelayed_ns

    @property
    def call_ns(self) -> int:
        """Return what a later call takes."""
        return round(median(each.undelayed_ns for each in self.calls[1:]))

    def decide_clock(self) -> Decision:
        return decide(self.calls[1:])

    def make_calls(self) -> None:
        """Make the first calls, and compare every result with a copy of the first one, which a later call may change.

        Raises UserError for results that cannot be compared.
        """
        generators = [read_generators()]
        loaded = self._count_loaded()
        self._last = self._call(self._arguments)
        self._is_loading = self._count_loaded() != loaded
        self._note(describe_returned_input(self._last, self._arguments, self._find_change()))
        self.packed = pack_if_possible(self._last)
        first = copy_result(self._last) if self.packed is None else None
        began = perf_counter_ns()
        while self._is_call_due(perf_counter_ns() - began):
            generators.append(read_generators())
            self._last = self._call(self._body.next_arguments())
            if self.packed is not None and self.packed == pack_if_possible(self._last) and len(self.calls) > 2:
                continue
            first = pickle.loads(self.packed) if self.packed is not None else first
            if (difference := first_difference(first, self._last, "allclose")) is not None:
                self._note(Suspicion("two results", f"gives two results for one input, {difference}"))
                break
        generators.append(read_generators())
        self._note(*describe_seeding(*generators[:3]))
        self._note(self._describe_dear_calls())

    def _call(self, arguments: Arguments) -> Any:
        is_watched = len(self.calls) < WATCHED_CALLS
        if is_watched:
            self._leftovers.begin_call()
        kept = Kept.so_far()
        all_ns, own_ns = process_time_ns() + read_children_ns(), thread_time_ns()
        result, timing = self._body.take_result(arguments)
        self._own_ns.append(thread_time_ns() - own_ns)
        self._all_ns.append(process_time_ns() + read_children_ns() - all_ns)
        self.calls.append(account(kept, timing))
        if is_watched:
            self._leftovers.end_call()
        return result

    def _is_call_due(self, spent_ns: int) -> bool:
        """Say whether one more call is made: two are made in any case, more only where they cost little."""
        made = len(self.calls)
        if made < 2 or (made <= ENOUGH and self._is_clock_open()):
            return True
        return made < MOST_CALLS and self.call_ns < CHEAP_NS and spent_ns < BUDGET_NS

    def _is_clock_open(self) -> bool:
        """Say whether more calls may tell which clock counts, and take no longer than that is worth.

        What lies between them is not counted: a busy machine used up a budget of elapsed time with two brief calls.
        """
        called_ns = sum(each.timing.wall_ns for each in self.calls[1:])
        return called_ns < LONGEST_NS and (not is_delay_known() or self.decide_clock().told_by == "nothing")

    def _describe_dear_calls(self) -> Suspicion | None:
        """Say that some later calls are dear again and again, as those that write what others have put off."""
        began = perf_counter_ns()
        while self._may_be_dear_again() and perf_counter_ns() - began < LONGEST_NS:
            self._call(self._body.next_arguments())
        dear, calls = self._list_dear_calls(), len(self.calls) - 1
        if not self._do_matter(dear):
            return None
        times = median(dear) / max(1, self.call_ns)
        seen = f"takes {say_times(times)} as long at about one call of {round(calls / len(dear))}"
        return Suspicion("some calls are dear", seen)

    def _may_be_dear_again(self) -> bool:
        """Say whether more calls are worth it: dear ones that matter have to recur, since machines disturb too."""
        dear, calls = self._list_dear_calls(), len(self.calls)
        return bool(dear) and (calls <= 3 * MOST_CALLS or (calls <= ENOUGH_CALLS and self._do_matter(dear)))

    def _do_matter(self, dear: Sequence[int]) -> bool:
        usual = self.call_ns
        return len(dear) > 1 and sum(dear) - len(dear) * usual >= PUT_OFF * (len(self.calls) - 1) * usual

    def _list_dear_calls(self) -> list[int]:
        """Return the times of the later calls that are far from the usual, without what a busy machine delayed them.

        Those before the first usual one are left out: the C library keeps memory from the first large results on, and
        the later ones find it there. Calls in which Python collects all garbage count: a function that puts work off
        could ask for that.
        """
        walls = [each.undelayed_ns for each in self.calls[1:]]
        own, wall = round(median(self._own_ns[1:])), round(median(walls))
        are_dear = [
            is_dear(each, own, REMARKED_NS) or is_dear(waited, wall, WAITED_NS)
            for each, waited in zip(self._own_ns[1:], walls, strict=True)
        ]
        usual = are_dear.index(False)
        return list(itertools.compress(walls[usual:], are_dear[usual:]))

    def _count_loaded(self) -> tuple[int, int]:
        """Count what makes a first call dear without being remembered: modules, and what numba compiles."""
        return len(sys.modules), count_compiled_signatures(self._body.function)

    def _find_change(self) -> str | None:
        return None if self._body.is_fresh else find_change(self._before, self._arguments)

    def look_around(self) -> None:
        """Find what the calls have left behind, changed and used."""
        self._note(self._leftovers.describe())
        self._note(*describe_changes(self._settings, read_settings()))
        change = self._find_change()
        if change is not None and self._before is not None:
            self._note(describe_changed_input(self._body, self._before, self._arguments, change))
        self._note(self._describe_processors())

    def _describe_processors(self) -> Suspicion | None:
        """Say that calls compute in other threads or processes than the one that makes them.

        Calls that are made to see whether dear ones recur are left out: reading the clocks for so many adds up.
        """
        all_ns, own_ns = (sum(each[1 : 3 * MOST_CALLS + 1]) for each in (self._all_ns, self._own_ns))
        if all_ns - own_ns < max(ELSEWHERE_NS, ELSEWHERE * all_ns):
            return None
        return Suspicion("several processors", "computes in threads or child processes of its own")

    def look_for_memory(self, file: Path) -> None:
        """Find whether the function remembers its input or keeps its result; write its result for another input."""
        base = self._copy_input()
        if base and (is_dear(self.first_ns, self.call_ns) or self.call_ns < CHEAP_NS):
            if (memory := describe_memory(self._body, base, self.call_ns)) is not None:
                return self._note(memory)
            self._write_others(base, file)
        kept = self._find_kept()
        if kept is not None and self._reached.has(kept):
            self._note(Suspicion("was made before", f"returns what was made before the call, in {kept.name}"))
        elif kept is not None:
            self._note(Suspicion("remembers", f"remembers what it returned, in {kept.name}"))
        elif self._is_first_call_notable() and not self._is_loading and not _has_others(base):
            times = self.first_ns / max(1, self.call_ns)
            self._note(Suspicion("first call is dear", f"took {say_times(times)} as long at its first call"))
        return None

    def _find_kept(self) -> Place | None:
        """Return where the function keeps its result between two calls; None where it does not."""
        kept = find_kept(self._body.function, self._last)
        if kept is None:
            return None
        again = self._body.take_result(self._body.next_arguments())[0]
        return kept if kept.is_still(find_kept(self._body.function, again)) else None

    def _copy_input(self) -> Arguments | None:
        """Return an input that may be changed; None where it cannot be copied, or only slowly."""
        if self._copied_ns > COPIED_NS:
            return None
        return self._before if self._body.is_fresh else copy_arguments(self._arguments)

    def _is_first_call_notable(self) -> bool:
        first, later = self._own_ns[0], round(median(self._own_ns[1:]))
        return is_dear(first, later, REMARKED_NS) or is_dear(self.first_ns, self.call_ns, WAITED_NS)

    def _write_others(self, base: Arguments, file: Path) -> None:
        """Write what the function returns for inputs on which it was not called before: None where it refuses one."""
        exchanged = itertools.islice(list_other_inputs(base), OTHERS, OTHERS + 1)
        found: list[bytes | None] = []
        for other in (*exchanged, grow_numbers(copy_arguments(base))):
            try:
                found.append(pack_if_possible(self._body.take_result(other)[0]))
            except Exception:  # noqa: BLE001 - an input that was made up may be refused in any way
                found.append(None)
        file.write_bytes(pickle.dumps(found))

    def time_reading(self) -> int | None:
        """Return the nanoseconds that it takes to read the result, where its class is a collection of the user's."""
        if not _is_own_collection(self._last):
            return None
        kept = Kept.so_far()
        began, computed = perf_counter_ns(), process_time_ns()
        for each in self._last:
            self._last[each] if isinstance(self._last, Mapping) else each
        timing = Timing(perf_counter_ns() - began, process_time_ns() - computed)
        return account(kept, timing).undelayed_ns

    def look_at_input(self) -> None:
        """Find whether the calls have used up their input. It is looked at last, since it may be changed by that."""
        if not self._body.is_fresh:
            self._note(describe_used_input(self._arguments))

    def _note(self, *found: Suspicion | None) -> None:
        self.suspicions += [each for each in found if each is not None]


def _has_others(base: Arguments | None) -> bool:
    return base is not None and any(True for _ in itertools.islice(list_other_inputs(base), 1))


def _is_own_collection(value: Any) -> bool:
    """Say whether reading a collection runs Python code of a user's, which may compute."""
    if not isinstance(value, Sequence | Mapping | Set):
        return False
    return any(
        inspect.isfunction(getattr(type(value), name, None)) and type(value).__module__ not in sys.stdlib_module_names
        for name in ("__iter__", "__getitem__")
    )


def examine(body: FunctionBody, settings: Settings, file: Path) -> dict[str, Any]:
    """Return what was found out about a function, and write its result to a file."""
    adopt_orphans()
    examination = Examination(body, settings)
    examination.make_calls()
    examination.look_around()
    examination.look_for_memory(file.with_name(file.name + OTHER))
    examination.look_at_input()
    if examination.packed is not None:
        write_packed(examination.packed, file)
    return {
        "suspicions": [list(each) for each in examination.suspicions],
        **describe_clock(examination.decide_clock()),
        "first_ns": examination.first_ns,
        "call_ns": examination.call_ns,
        "reading_ns": examination.time_reading(),
        "is_written": examination.packed is not None,
        "reached": list_names(body.function),
    }


def call_twice(body: FunctionBody) -> dict[str, Any]:
    """Return what calls take, where nothing is to be checked: two, or as many as it takes to choose the clock.

    Raises UserError for a function of which nothing would be timed: it returns a generator, or its input is used up.
    """
    calls: list[Call] = []
    arguments: Arguments = ()
    while len(calls) < 2 or (
        len(calls) <= ENOUGH
        and sum(each.timing.wall_ns for each in calls[1:]) < LONGEST_NS
        and decide(calls[1:]).told_by == "nothing"
    ):
        kept = Kept.so_far()
        arguments = body.next_arguments()
        result, timing = body.take_result(arguments)
        calls.append(account(kept, timing))
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise UserError("a call returns a generator, which computes only when it is read: return a list")
    if not body.is_fresh and (used := describe_used_input(arguments)) is not None:
        raise UserError(f"a call {used.seen}: {RULES[used.cause].way_out}")
    return {
        "suspicions": [],
        **describe_clock(decide(calls[1:])),
        "first_ns": calls[0].timing.wall_ns,
        "call_ns": calls[1].timing.wall_ns,
        "reading_ns": None,
        "is_written": False,
        "reached": [],
    }


def describe_clock(decision: Decision) -> dict[str, Any]:
    return {"waits": decision.waits, "told_by": decision.told_by}
