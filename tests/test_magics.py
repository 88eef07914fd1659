"""Do the magics measure what the cell says, and show what was found?"""

import asyncio

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from argo_bench.comparison import Compared
from argo_bench.errors import UserError
from argo_bench.integrations.ipython import (
    MARKERS,
    awaits,
    compare_names,
    compile_function,
    read_names,
    split_cell,
)
from argo_bench.report import Report
from argo_bench.report.machine import Machine

CELL = """
import numpy as np
numbers = np.arange(2000.0)
#: baseline
total = 0.0
for each in numbers.tolist():
    total += each
total
#: candidate
float(numbers.sum())
"""


@pytest.fixture
def shell():
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "argo_bench")
    yield shell
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def test_the_machine_is_an_object_that_shows_itself(shell):
    card = shell.run_line_magic("argo_env", "")
    assert isinstance(card, Machine)
    assert "<table" in card._repr_mimebundle_()["text/html"]


def test_two_blocks_of_a_cell_are_compared_after_their_setup_and_the_result_is_the_value(shell, tmp_path):
    found = shell.run_cell_magic("argo_compare", f"--quick --budget 60s --claim '2-3x faster' --out {tmp_path}", CELL)
    assert isinstance(found, Compared)
    assert found.judgement.text == "2-3x faster"
    assert found.speedup.point > 1
    assert (tmp_path / "run.jsonl").exists()
    assert shell.user_ns["numbers"].size == 2000
    assert "total" not in shell.user_ns
    assert found._repr_mimebundle_()["text/plain"] == str(found)


def test_blocks_that_do_not_agree_are_not_timed(shell, tmp_path):
    cell = "#: baseline\n1.0\n#: candidate\n2.0"
    found = shell.run_cell_magic("argo_compare", f"--quick --budget 60s --out {tmp_path}", cell)
    assert found.verdict == "void"


def test_a_cell_is_compared_inside_a_running_event_loop(shell, tmp_path):
    async def cell():
        await asyncio.sleep(0)
        text = "#: baseline\nsum(range(900))\n#: candidate\n900 * 899 // 2"
        return shell.run_cell_magic("argo_compare", f"--quick --budget 60s --out {tmp_path}", text)

    assert isinstance(asyncio.run(cell()), Compared)


@pytest.mark.slow
def test_optimizations_are_run_and_the_report_is_the_value(shell, tmp_path, small_universe):
    for symbol, frame in small_universe.frames.items():
        frame.to_csv(tmp_path / f"{symbol}.csv")
    line = f"O06 --quick --budget 1s --data {tmp_path} --out {tmp_path / 'run'}"
    report = shell.run_line_magic("argo_run", line)
    assert isinstance(report, Report)
    assert {each.claim for each in report.judgements} == {"O06.time"}
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(
    ("magic", "line", "message"),
    [
        ("argo_run", "O99", "O99"),
        ("argo_run", "O08 --budget soon", "invalid"),
        ("argo_run", "O08 --fast", "--fast"),
        ("argo_run", "'O08", "No closing quotation"),
        ("argo_run", "O08 --data nowhere.csv", "nowhere.csv"),
    ],
)
def test_a_mistake_in_a_line_is_said_in_one_sentence(shell, magic, line, message):
    with pytest.raises(UsageError, match=message):
        shell.run_line_magic(magic, line)


@pytest.mark.parametrize("cell", ["1 + 1", "#: candidate\n1\n#: baseline\n1", "#: baseline\n1\n#: baseline\n1"])
def test_both_markers_must_stand_there_once_and_in_order(cell):
    with pytest.raises(UserError, match="expected a line '#: baseline' and after it a line '#: candidate'"):
        split_cell(cell)


def test_the_parts_of_a_cell_are_those_between_its_markers():
    assert split_cell("a\n" + MARKERS[0] + "\nb\nc\n  " + MARKERS[1] + "\nd") == ("a", "b\nc", "d")


def test_a_block_returns_its_last_expression_and_keeps_what_it_assigns():
    namespace = {"start": 2}
    function = compile_function("candidate", "grown = start + 1\ngrown * 10", namespace)
    assert function() == 30
    assert namespace.keys() - {"__builtins__"} == {"start"}


def test_a_block_that_awaits_is_a_coroutine_function():
    assert awaits("await wait()\n1", "candidate")
    assert not awaits("async def later():\n    await wait()\n1", "candidate")
    function = compile_function("candidate", "import asyncio\nawait asyncio.sleep(0)\n7", {})
    assert asyncio.run(function()) == 7


MISTAKEN = {
    "total += 1\ntotal": "reads total before it assigns it",
    "data = sorted(data)\ndata": "reads data before it assigns it",
    "data = [each for each in data if each]\ndata": "reads data before it assigns it",
    "first = data[0]\ndata = 3\nfirst": "reads data before it assigns it",
    "del data\n1": "reads data before it assigns it",
    "global total\ntotal = 1\ntotal": "says global total",
    "def count():\n    global total\n    total = 1\ncount()": "says global total",
    "return 3\n3": "cannot be compiled: 'return' outside function",
    "yield 3": "cannot be compiled: 'yield' outside function",
    "1 +": "cannot be compiled: invalid syntax, in its line 1",
    "from math import *\npi": "cannot be compiled: import \\* only allowed at module level",
}


@pytest.mark.parametrize("code", MISTAKEN)
def test_a_block_that_cannot_run_by_itself_is_refused_in_a_sentence(code):
    with pytest.raises(UserError, match=f"^the candidate block {MISTAKEN[code]}"):
        compile_function("candidate", code, {"data": [3, 1], "total": 2})


SOUND = {
    "total = 0\nfor each in data:\n    total += each\ntotal": 4,
    "ordered = sorted(data)\nordered[0]": 1,
    "if data:\n    size = 2\nsize": 2,
    "def size(data):\n    data = [*data]\n    return len(data)\nsize(data)": 2,
    "import math as rounding\nrounding.floor(data[0])": 3,
    "[data for data in (1, 2)][1]": 2,
    "(size := 2) + size": 4,
    "later = lambda: number\nnumber = 5\nlater()": 5,
    "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    kind = type(error)\nkind.__name__": "ZeroDivisionError",
    "match data:\n    case [first, *rest]:\n        pass\nrest[0] + first": 4,
}


@pytest.mark.parametrize("code", SOUND)
def test_a_block_that_runs_by_itself_is_measured(code):
    assert compile_function("candidate", code, {"data": [3, 1]})() == SOUND[code]


CROSSED = {
    "a value": ("total = 1\ntotal", "total + 1", "the candidate block reads total, which the baseline block assigns"),
    "an import": ("1", "import json as text\nlen(text.__name__) + 1", None),
    "the other way": ("total + 1", "total = 1\ntotal", "the baseline block reads total, which the candidate block"),
    "in a function": ("total = 1\ntotal", "def add():\n    return total\nadd()", "the candidate block reads total"),
    "in a comprehension": ("total = 1\ntotal", "[total for _ in range(2)]", "the candidate block reads total"),
    "a variable of a loop": ("for each in (1, 2):\n    pass\n1", "each", "the candidate block reads each"),
    "a variable of a comprehension": ("[each for each in (1, 2)]", "[each for each in (2, 1)]", None),
    "both assign it": ("total = 1\ntotal", "total = 2\ntotal", None),
}


@pytest.mark.parametrize("kind", CROSSED)
def test_a_block_that_reads_what_the_other_one_assigns_is_told_so(kind):
    baseline, candidate, said = CROSSED[kind]
    names = {"baseline": read_names("baseline", baseline), "candidate": read_names("candidate", candidate)}
    if said is None:
        assert compare_names(names, {}) == []
        return
    with pytest.raises(UserError, match=f"{said}.*: each runs by itself; assign it before the first marker"):
        compare_names(names, {})
    remarks = compare_names(names, {"total": 7, "each": 7})
    assert remarks[0].startswith(said)
    assert "it has the value of before" in remarks[0]
    assert "stays as it is" in remarks[1]


def test_a_variable_of_the_notebook_that_a_block_assigns_stays_as_it_is_and_that_is_said(shell, monkeypatch, capsys):
    monkeypatch.setattr(
        "argo_bench.integrations.ipython.compare", lambda *functions, **options: [f() for f in functions]
    )
    shell.user_ns["total"] = 7
    values = shell.run_cell_magic(
        "argo_compare", "--quick", "start = 1\n#: baseline\ntotal = start\ntotal\n#: candidate\n1"
    )
    assert values == [1, 1]
    assert shell.user_ns["total"] == 7
    assert "the notebook's total stays as it is: what a block assigns is its own" in capsys.readouterr().out


@pytest.mark.parametrize(
    "cell", ["await wait()\n#: baseline\n1\n#: candidate\n1", "1 +\n#: baseline\n1\n#: candidate\n1"]
)
def test_a_setup_that_cannot_run_is_said_in_one_sentence(shell, cell):
    with pytest.raises(
        UsageError, match=r"^(what stands before the first marker awaits|the setup block cannot be compiled)"
    ):
        shell.run_cell_magic("argo_compare", "--quick", cell)


def test_a_mistake_in_a_call_of_compare_is_one_sentence_in_a_cell(shell, capsys):
    shell.run_cell("import argo_bench\nrows = iter(())\nargo_bench.compare(len, len, metric='joules')")
    said = capsys.readouterr()
    assert "UserError: len against len: expected a metric of cpu, wall" in said.out + said.err
    assert "Traceback" not in said.out + said.err


def test_after_an_interrupt_the_value_is_what_was_measured_and_the_next_cell_works(
    shell, tmp_path, monkeypatch, capsys
):
    def interrupt(state, around):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("argo_bench.harness.run.time_replicates", interrupt)
        found = shell.run_cell_magic("argo_compare", f"--quick --budget 60s --out {tmp_path}", CELL)
    assert isinstance(found, Compared)
    assert found.verdict == "untested"
    assert f"argo_bench.load('{tmp_path}') opens" in capsys.readouterr().out.replace("\n", "")
    assert shell.run_cell("1 + 1").result == 2


@pytest.mark.parametrize("code", ["", "grown = 1", "for each in (): each"])
def test_a_block_without_a_value_is_refused(code):
    with pytest.raises(UserError, match="the candidate block must end with an expression"):
        compile_function("candidate", code, {})
