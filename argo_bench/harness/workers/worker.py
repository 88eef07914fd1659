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
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ...parent import die_with_parent
from .bodies import Arm, Body, body_of, describe_error, extend_path, find_function, function_body, role_of
from .timing import FunctionBody, waits

Message = Mapping[str, Any]
Reply = dict[str, Any]
DONE: Reply = {"type": "Done"}
LARGEST_RESULT = 1 << 20
"""Results of more bytes are not compared again after the blocks."""


class Worker:
    """Holds the process's state: bodies by arm, and the calls that each was last warmed up on."""

    def __init__(self) -> None:
        self._bodies: dict[str, Body] = {}
        self._ready: dict[str, Reply] = {}
        self._kept: dict[str, int] = {}

    def answer(self, message: Message) -> Reply:
        match message["type"]:
            case "Prepare":
                return self._prepare(message["arm"], message.get("is_known", False))
            case "WarmUp":
                return self._warm_up(message["arm"], message["calls"], message["least_ns"])
            case "Sample":
                wall_ns, cpu_ns = self._body(message["arm"]).sample(message["passes"])
                return {"type": "Taken", "wall_ns": wall_ns, "cpu_ns": cpu_ns}
            case "Drain":
                return {"type": "Drained", "ns_per_call": self._body(message["arm"]).time_drain_ns()}
            case "Forget":
                return self._forget()
            case "Collect":
                gc.collect()
                return DONE
            case "Agree":
                return check_agreement(message["baseline"], message["candidate"], message["check"])
            case "WriteResult":
                return write_result(self._body(message["arm"]), Path(message["file"]))
            case "CompareResults":
                return compare_results(message["baseline"], message["candidate"], message["arm"], message["check"])
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
            started = time.perf_counter_ns()
            body.first_call()
            calls_ns.append(time.perf_counter_ns() - started)
        call_ns = None if is_known else calls_ns[1]
        return {"type": "Prepared", "first_call_ns": calls_ns[0], "call_ns": call_ns, "calls": body.calls}

    def _warm_up(self, arm: Arm, calls: int, least_ns: int) -> Reply:
        """Warm an arm up, unless the last comparison did on the same calls: one baseline serves several candidates."""
        key, body = json.dumps(arm), self._body(arm)
        if self._kept.get(key) != calls:
            body.keep(calls)
            self._ready[key] = {"type": "Ready", "passes": body.warm_up(least_ns), "calls": body.calls}
            self._kept[key] = calls
        return self._ready[key]

    def _forget(self) -> Reply:
        for body in self._bodies.values():
            body.close()
        self._bodies.clear()
        self._ready.clear()
        self._kept.clear()
        gc.collect()
        return DONE


def check_agreement(baseline: Arm, candidate: Arm, check: str) -> Reply:
    """Say whether the first calls agree, each function with itself and then the two, and whether one of them waits."""
    from .agreement import first_difference
    from .inputs import describe_changed_input
    from .leftovers import describe_work_left

    extend_path(baseline.get("path", ()))
    results, again, is_waiting, changed, left = [], [], False, [], []
    for arm in (baseline, candidate):
        body = function_body(arm["name"], json.loads(arm["arguments"]))
        results.append(body.first_call())
        is_waiting |= waits(body.time_calls(body.prepare_calls(), 1))
        again += body.collect_results()
        changed.append(describe_changed_input(body) if check and not body.is_fresh else None)
        left.append(describe_work_left(body) if check else None)
        body.close()
    reply: Reply = {"type": "Agreement", "difference": None, "waits": is_waiting}
    if not check:
        return reply
    for arm, first, second in zip((baseline, candidate), results, again, strict=True):
        if (difference := first_difference(first, second, "allclose")) is not None:
            way_out = "a function that changes its input needs a fresh setup for every call (fresh=True)"
            said = f"the {arm['name']} gives two results for one input, {difference}: {way_out}"
            return {**reply, "difference": said}
    for arm, change in zip((baseline, candidate), changed, strict=True):
        if change is not None:
            return {**reply, "difference": f"the {arm['name']} {change}: give every call a fresh setup (fresh=True)"}
    for arm, work in zip((baseline, candidate), left, strict=True):
        if work is not None:
            return {**reply, "difference": f"the {arm['name']} {work}: have the function wait for what it begins"}
    return {**reply, "difference": first_difference(results[0], results[1], find_check(candidate, check))}


def find_check(arm: Arm, check: str) -> Any:
    """Return how outputs are compared: the name of a way that we know, or a function of the user's."""
    if check in ("allclose", "equal"):
        return check
    return role_of(json.loads(arm["arguments"]), "check", "" if check == "pickled" else check)


def write_result(body: Body, file: Path) -> Reply:
    """Call a function once more and write what it returns, unless that is large or cannot be pickled."""
    try:
        content = pickle.dumps(body.first_call())
    except Exception as error:  # noqa: BLE001 - what cannot be pickled refuses in any way; the call itself succeeded before
        return {"type": "Written", "unread": f"{type(error).__name__}: {error}"}
    if len(content) > LARGEST_RESULT:
        return {"type": "Written", "unread": f"{len(content)} bytes"}
    file.write_bytes(content)
    return {"type": "Written", "unread": None}


def compare_results(baseline: str, candidate: str, arm: Arm, check: str) -> Reply:
    """Compare two results that were written by the processes that timed them."""
    from .agreement import first_difference

    extend_path(arm.get("path", ()))
    expected, got = (pickle.loads(Path(file).read_bytes()) for file in (baseline, candidate))
    difference = first_difference(expected, got, find_check(arm, check))
    return {"type": "Agreement", "difference": difference, "waits": False}


def describe_arm(arm: Arm, results: Path) -> Reply:
    """Write what two calls return to a file, and list the files of the modules that are loaded."""
    body = body_of(arm)
    assert isinstance(body, FunctionBody)
    first = body.first_call()
    timing = body.time_calls(body.prepare_calls(), 1)
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
        "waits": waits(timing),
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
