"""Prepares arms, warms them up and takes samples when it is told to, in a process that sleeps in ``recv`` otherwise.

It answers the messages of ``messages`` as JSON over a socket. It uses the standard library alone, so that it runs in
any interpreter; what it calls is loaded by the factories of the arms.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from ...parent import die_with_parent
from .bodies import (
    Arm,
    Body,
    body_of,
    describe_error,
    extend_path,
    find_function,
    function_body,
    load_copies,
    role_of,
)
from .processors import use_processors
from .results import SAMPLED_ABOVE, sample, write_result
from .settings import Settings, describe_changes, read_settings
from .timing import FunctionBody
from .waiting import ENOUGH, Call, Kept, account, decide

Message = Mapping[str, Any]
Reply = dict[str, Any]
DONE: Reply = {"type": "Done"}


class Worker:
    """Holds the process's state: bodies by arm, and the calls that each was last warmed up on."""

    def __init__(self) -> None:
        self._bodies: dict[str, Body] = {}
        self._ready: dict[str, Reply] = {}
        self._kept: dict[str, int] = {}
        self._settings: Settings = {}

    def answer(self, message: Message) -> Reply:
        match message["type"]:
            case "Prepare":
                with _processors_for(message["arm"]):
                    prepared = self._prepare(message["arm"], message.get("is_known", False))
                self._settings = read_settings()
                return prepared
            case "WarmUp":
                with _processors_for(message["arm"]):
                    return self._warm_up(message["arm"], message["calls"], message["least_ns"])
            case "Sample":
                with _processors_for(message["arm"]):
                    wall_ns, cpu_ns = self._body(message["arm"]).sample(message["passes"])
                return {"type": "Taken", "wall_ns": wall_ns, "cpu_ns": cpu_ns}
            case "Step":
                with _processors_for(message["arm"]):
                    wall_ns, cpu_ns = self._body(message["arm"]).step(message["number"])
                return {"type": "Taken", "wall_ns": wall_ns, "cpu_ns": cpu_ns}
            case "Drain":
                return {"type": "Drained", "ns_per_call": self._body(message["arm"]).time_drain_ns()}
            case "Forget":
                return self._forget()
            case "Collect":
                gc.collect()
                return DONE
            case "Examine":
                return examine_arm(message["arm"], message["is_checked"], Path(message["file"]))
            case "Agree":
                return check_agreement(message["baseline"], message["candidate"], message["check"])
            case "WriteResult":
                return self._write_result(message["arm"], message["is_sampled"], Path(message["file"]))
            case "CompareResults":
                return compare_results(message["baseline"], message["candidate"], message["arm"], message["check"])
            case "FindRepeatedAnswer":
                return find_repeated_answer(message["baseline"], message["candidate"], message["arm"])
            case "Describe":
                return describe_arm(message["arm"], Path(message["results"]))
            case "Count":
                from .counts import take_counts

                return {"type": "Counted", **take_counts(message["arm"], message.get("counts", ""))}
            case "Call":
                extend_path(message.get("path", ()))
                result = find_function(message["target"])(**json.loads(message["arguments"]))
                return {"type": "Returned", "result": result}
            case other:
                raise TypeError(f"a worker has no answer to {other}")

    def _body(self, arm: Arm) -> Body:
        return self._bodies[json.dumps(arm)]

    def _prepare(self, arm: Arm, is_known: bool) -> Reply:
        body = self._bodies[json.dumps(arm)] = body_of(arm)
        calls_ns = []
        for _ in range(1 if is_known else 2):
            started = perf_counter_ns()
            body.first_call()
            calls_ns.append(perf_counter_ns() - started)
        call_ns = None if is_known else calls_ns[1]
        about = {"call_ns": call_ns, "calls": body.calls, "fixed_calls": body.fixed_calls}
        return {"type": "Prepared", "first_call_ns": calls_ns[0], **about}

    def _warm_up(self, arm: Arm, calls: int, least_ns: int) -> Reply:
        """Warm an arm up, unless the last comparison did on the same calls: one baseline serves several candidates."""
        key, body = json.dumps(arm), self._body(arm)
        if self._kept.get(key) != calls:
            body.keep(calls)
            about = {"calls": body.calls, "steps": body.steps}
            self._ready[key] = {"type": "Ready", "passes": body.warm_up(least_ns), **about}
            self._kept[key] = calls
        return self._ready[key]

    def _write_result(self, arm: Arm, is_sampled: bool, file: Path) -> Reply:
        """Call a timed function once more and write what it returns, and say which settings have changed since it
        was built.

        Of a large result a sample is written, where the check can compare samples.
        """
        with _processors_for(arm):
            result = self._body(arm).first_call()
        written = write_result(result, file, SAMPLED_ABOVE)
        if written.unread is not None and is_sampled:
            written = write_result(sample(result), file, SAMPLED_ABOVE)
        changes = describe_changes(self._settings, read_settings())
        return {"type": "Written", **written._asdict(), "suspicions": [list(each) for each in changes]}

    def _forget(self) -> Reply:
        for body in self._bodies.values():
            body.close()
        self._bodies.clear()
        self._ready.clear()
        self._kept.clear()
        gc.collect()
        return DONE


def _processors_for(arm: Arm) -> AbstractContextManager[None]:
    """Return a context in which an arm has the processors that it is timed on: all of them, or those of the process."""
    return use_processors(of_all=not arm["factory"] and bool(json.loads(arm["arguments"]).get("spread")))


def examine_arm(arm: Arm, is_checked: bool, file: Path) -> Reply:
    """Examine a function in this process, in which no other one of the user's has run, and write what it returns."""
    from .examine import call_twice, examine

    settings = read_settings()
    extend_path(arm.get("path", ()))
    began = perf_counter_ns()
    with closing(function_body(arm["name"], json.loads(arm["arguments"]))) as body:
        built_ns = perf_counter_ns() - began
        found = examine(body, settings, file) if is_checked else call_twice(body)
    return {"type": "Examined", **found, "built_ns": built_ns}


def check_agreement(baseline: Arm, candidate: Arm, check: str) -> Reply:
    """Call both functions in this process and compare what they return, for results that no other process can read."""
    results = []
    for arm in (baseline, candidate):
        extend_path(arm.get("path", ()))
        with closing(function_body(arm["name"], json.loads(arm["arguments"]))) as body:
            results.append(body.first_call())
    return describe_agreement(results[0], results[1], candidate, check)


def describe_agreement(expected: Any, got: Any, arm: Arm, check: str) -> Reply:
    """Return the first difference of two results; of numbers that agree, whether they do so to fewer digits."""
    from .agreement import first_difference
    from .precision import describe_precision

    difference = first_difference(expected, got, find_check(arm, check))
    lowered = describe_precision(expected, got) if difference is None and check == "allclose" else None
    return {"type": "Agreement", "difference": difference, "suspicions": [list(lowered)] if lowered else []}


def find_check(arm: Arm, check: str) -> Any:
    """Return how outputs are compared: the name of a way that we know, or a function of the user's."""
    if check in ("allclose", "equal"):
        return check
    return role_of(json.loads(arm["arguments"]), "check", "" if check == "pickled" else check)


def compare_results(baseline: str, candidate: str, arm: Arm, check: str) -> Reply:
    """Compare two results that were written by other processes."""
    find_classes(arm)
    expected, got = (pickle.loads(Path(file).read_bytes()) for file in (baseline, candidate))
    return describe_agreement(expected, got, arm, check)


def find_classes(arm: Arm) -> None:
    """Have the classes of a user's found that results may be instances of."""
    extend_path(arm.get("path", ()))
    if file := json.loads(arm["arguments"]).get("pickled"):
        load_copies(file)


def find_repeated_answer(baseline: str, candidate: str, arm: Arm) -> Reply:
    """Find whether the candidate gives its first answer for another input, for which the baseline gives another.

    Answers of the baseline that differ by rounding alone are the same one: a sum in another order is no other sum.
    """
    from .agreement import first_difference
    from .examine import OTHER

    find_classes(arm)
    reply: Reply = {"type": "Agreement", "difference": None, "suspicions": []}
    files = [Path(name + ending) for name in (baseline, candidate) for ending in ("", OTHER)]
    if not all(file.is_file() for file in files):
        return reply
    first, others, own_first, own_others = (pickle.loads(file.read_bytes()) for file in files)
    for other, own_other in zip(others, own_others, strict=False):
        if other is None or own_other is None:
            continue
        is_another = first_difference(first, pickle.loads(other), "allclose") is not None
        if is_another and first_difference(own_first, pickle.loads(own_other), "equal") is None:
            reply["suspicions"] = [["repeats an answer", "gives its first answer again for another input"]]
    return reply


def describe_arm(arm: Arm, results: Path) -> Reply:
    """Write what two calls return to a file, list the files of the modules that are loaded, and choose the clock."""
    with closing(body_of(arm)) as body:
        assert isinstance(body, FunctionBody)
        first = body.first_call()
        calls: list[Call] = []
        while len(calls) < ENOUGH and decide(calls).told_by == "nothing":
            prepared, kept = body.prepare_calls(), Kept.so_far()
            calls.append(account(kept, body.time_calls(prepared, 1)))
        second = body.first_call()
    unpicklable = None
    try:
        results.write_bytes(pickle.dumps([first, second]))
    except Exception as error:  # noqa: BLE001 - what cannot be pickled refuses in any way
        unpicklable = f"{type(error).__name__}: {error}"
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return {
        "type": "Described",
        "files": sorted(str(file) for file in files if file),
        "waits": decide(calls).waits,
        "unpicklable": unpicklable,
    }


def serve(connection: Connection) -> None:
    """Answer messages until the other end closes."""
    worker = Worker()
    while True:
        try:
            message = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        try:
            reply = worker.answer(message)
        except Exception as error:  # noqa: BLE001 - an arm may raise anything; the orchestrator records it
            reply = describe_error(error)
        connection.send_bytes(json.dumps(reply).encode())


def main(descriptor: str, processor: str, parent: str) -> None:
    die_with_parent(int(parent))
    if int(processor) >= 0:
        os.sched_setaffinity(0, {int(processor)})
    serve(Connection(int(descriptor)))
