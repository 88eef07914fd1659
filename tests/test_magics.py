"""Do the magics measure what the cell says, and show what was found?"""

import asyncio

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from argo_bench.comparison import Compared
from argo_bench.errors import UserError
from argo_bench.integrations.ipython import MARKERS, awaits, compile_function, split_cell
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
        text = "#: baseline\nsum(range(900))\n#: candidate\nsum(range(900))"
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


@pytest.mark.parametrize("code", ["", "grown = 1", "for each in (): each"])
def test_a_block_without_a_value_is_refused(code):
    with pytest.raises(UserError, match="the candidate block must end with an expression"):
        compile_function("candidate", code, {})
