"""Do functions mean the same in another process as in the main program, or is it said what keeps them from it?"""

import functools
import importlib
import json
import os
import pickle
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import pytest

from argo_bench.errors import UserError
from argo_bench.harness.functions import find_importable_name, is_found_elsewhere
from argo_bench.harness.packing import pack_functions
from argo_bench.harness.workers.messages import Agree, Agreement, Arm, CompareResults, Examine, Examined
from argo_bench.harness.workers.processes import ArmFailed, WorkerProcess
from argo_bench.integrations.pairs import name_for_workers
from tests import main_program

PROGRAM = Path(main_program.__file__)


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    """The arms that the program prints, by kind."""
    folder = tmp_path_factory.mktemp("packed")
    command = [sys.executable, str(PROGRAM), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROGRAM.parents[1], timeout=60)
    assert done.returncode == 0, done.stderr
    found = map(json.loads, done.stdout.splitlines())
    return {
        name: {role: Arm(each[0], "", each[1], tuple(each[2])) for role, each in arms.items()} for name, arms in found
    }


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    worker = WorkerProcess(0, tmp_path_factory.mktemp("numba"), None)
    yield worker
    worker.close()


@pytest.mark.parametrize("kind", main_program.KINDS)
def test_a_function_of_the_main_program_returns_in_a_worker_what_it_returns_there(kind, arms, worker):
    found = worker.ask(Agree(arms[kind]["baseline"], arms[kind]["candidate"], "equal"), Agreement)
    assert found.difference is None


def test_a_result_of_a_class_of_the_main_program_is_read_by_another_process(arms, worker, tmp_path):
    kind = arms["instance of a class of the main program"]
    files = {role: str(tmp_path / role) for role in kind}
    assert all(worker.ask(Examine(kind[role], files[role], True), Examined).is_written for role in kind)
    fresh = worker.fresh()
    try:
        asked = CompareResults(files["baseline"], files["candidate"], kind["candidate"], "equal")
        assert fresh.ask(asked, Agreement).difference is None
    finally:
        fresh.close()


def hold():
    lock = threading.Lock()
    lock.acquire()
    return lock


class Client:
    def __init__(self, value):
        self.value = value

    def fetch(self):
        return self.value


UNCOPYABLE = {
    "a generator": lambda: (each for each in range(3)),
    "a lock that is held": hold,
    "a sqlite3.Connection": lambda: sqlite3.connect(":memory:"),
    "a socket.socket": socket.socket,
    "a _thread._local": threading.local,
    "an open file": lambda: PROGRAM.open(),
}


@pytest.mark.parametrize("kind", UNCOPYABLE)
@pytest.mark.parametrize("holder", ["a closure", "an object", "a partial", "a setup", "a list"])
def test_what_cannot_be_copied_is_named_with_the_way_to_it_and_the_way_out(kind, holder):
    value = UNCOPYABLE[kind]()
    client, many = Client(value), [1, value]
    roles = {
        "a closure": {"baseline": lambda: value},
        "an object": {"baseline": lambda: client.fetch()},
        "a partial": {"baseline": functools.partial(len, value)},
        "a setup": {"baseline": len, "setup": lambda: value},
        "a list": {"baseline": lambda: many},
    }[holder]
    with pytest.raises(UserError, match="cannot be copied to another process, since it uses") as raised:
        pack_functions(roles)
    said = str(raised.value)
    assert f", {kind}" in said
    assert "setup" in said
    way = {"an object": "client.value", "a list": "many[1]", "a partial": "partial(len", "a closure": "uses value"}
    assert way.get(holder, "make it within the setup") in said
    if hasattr(value, "close"):
        value.close()


def test_what_a_worker_cannot_rebuild_is_said_in_a_sentence(tmp_path, worker):
    file = tmp_path / "functions.pickle"
    file.write_bytes(b"cno_such_module\nname\n.")
    arm = Arm("baseline", "", json.dumps({"function": "", "setup": "", "fresh": False, "pickled": str(file)}))
    with pytest.raises(ArmFailed, match=r"cannot be rebuilt in another process \(.*no_such_module.*: put them"):
        worker.ask(Agree(arm, arm, "equal"), Agreement)


def test_a_module_is_found_elsewhere_where_another_process_imports_the_same_file(tmp_path, monkeypatch):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "argo_hidden.py").write_text(f"def where(): return '{folder}'\n")
    monkeypatch.syspath_prepend(tmp_path / "one")
    module = importlib.import_module("argo_hidden")
    monkeypatch.setitem(sys.modules, "argo_hidden", module)
    assert find_importable_name(module.where) == "argo_hidden:where"
    monkeypatch.syspath_prepend(tmp_path / "other")
    assert find_importable_name(module.where) is None
    functions, _ = pickle.loads(pack_functions({"baseline": module.where}))
    del sys.modules["argo_hidden"]
    assert functions["baseline"]() == "one"


def test_a_module_that_was_edited_after_its_import_is_copied_as_it_is_here(tmp_path, monkeypatch):
    file = tmp_path / "argo_edited.py"
    text = "class Kind:\n    def get(self):\n        return 1\ndef give():\n    return Kind().get() + 1\n"
    file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("argo_edited")
    monkeypatch.setitem(sys.modules, "argo_edited", module)
    give = module.give
    for edited in (text.replace("return 1", "return 5"), text.replace("+ 1", "+ 7"), "def (", f"\n{text}"):
        file.write_text(edited)
        os.utime(file, (time.time() + 5 + len(edited),) * 2)
        assert find_importable_name(give) is None
        with monkeypatch.context() as patch:
            content = pack_functions({"baseline": give})
            patch.delitem(sys.modules, "argo_edited")
            assert pickle.loads(content)[0]["baseline"]() == 2
    importlib.reload(module)
    assert find_importable_name(module.give) == "argo_edited:give"
    assert find_importable_name(give) is None
    file.write_text(f"\n{text}other = 2\n")
    os.utime(file, (time.time() + 500,) * 2)
    assert find_importable_name(module.give) == "argo_edited:give"
    file.unlink()
    assert find_importable_name(module.give) is None


def test_modules_of_installations_are_found_and_those_that_code_has_made_are_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "argo_made", types.ModuleType("argo_made"))
    found = {
        name: is_found_elsewhere(name)
        for name in ("json", "numpy.linalg", "argo_bench.errors", "argo_made", "__main__")
    }
    assert [name for name, is_found in found.items() if not is_found] == ["argo_made", "__main__"]


def test_a_function_of_a_test_goes_to_workers_by_its_file_and_all_others_as_they_are(monkeypatch):
    assert name_for_workers(hold) is hold  # workers find it by its name
    monkeypatch.setattr(hold, "__module__", "argo_test_module")
    module = types.ModuleType("argo_test_module")
    module.__file__, module.hold = __file__, hold
    monkeypatch.setitem(sys.modules, "argo_test_module", module)
    assert name_for_workers(hold) == f"{__file__}:hold"
    for each in (
        functools.partial(hold),
        Client(1),
        Client(1).fetch,
        lambda: 1,
        functools.lru_cache(len),
        "module:name",
    ):
        assert name_for_workers(each) is each


def test_packing_leaves_no_module_registered():
    import cloudpickle

    held = hold()
    with pytest.raises(UserError):
        pack_functions({"baseline": lambda: held})
    pack_functions({"baseline": lambda: 1})
    assert cloudpickle.list_registry_pickle_by_value() == set()
