"""Does the study of real commits judge the gate rightly, and is its stored table that of its record?"""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REFERENCE = HERE.parent / "results" / "reference"


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("study_trials", HERE / "benchmarks" / "study_trials.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize(
    ("truth", "state", "blocks", "word"),
    [
        ((0.0, 0.0, 0.0), "fine", False, "no false alarm"),
        ((0.0, 0.0, 0.0), "worse", True, "false alarm"),
        ((0.08, 0.07, 0.09), "worse", True, "found"),
        ((0.08, 0.07, 0.09), "cannot tell", False, "undecided"),
        ((0.08, 0.07, 0.09), "fine", False, "missed"),
        ((0.02, 0.01, 0.04), "fine", False, "no false alarm"),
        ((-0.5, -0.6, -0.4), "better", False, "found"),
        ((-0.5, -0.6, -0.4), "more memory", True, "blocked: more memory"),
        ((0.08, 0.07, 0.09), "cannot run", False, "not judged"),
    ],
)
def test_the_gate_is_judged_by_the_truth(study, truth, state, blocks, word):
    known = dict(zip(("slower", "low", "high"), truth, strict=True))
    assert study.judge({"truth": known, "gate": {"state": state, "blocks": blocks}}) == word


def test_only_docstrings_and_comments_leave_a_tree_the_same(study):
    written = 'def f():\n    """It adds."""\n    return 1 + 1  # two\n'
    assert study.strip_docstrings(written) == study.strip_docstrings('def f():\n    """Adds."""\n\n    return 1 + 1\n')
    assert study.strip_docstrings(written) != study.strip_docstrings("def f():\n    return 1 + 2\n")


def test_a_planted_repetition_does_every_so_many_calls_twice(study):
    module: dict[str, object] = {"calls": []}
    exec("def f(value):\n    calls.append(value)\n    return value\n", module)
    exec(study.PLANTED.format(function="f", every=3), module)
    assert [module["f"](number) for number in range(6)] == [*range(6)]
    assert module["calls"] == [0, 1, 2, 2, 3, 4, 5, 5]


def test_the_stored_table_is_that_of_the_record(study):
    table = study.make_table(study.read_lines(REFERENCE / "trials.jsonl"))
    assert (REFERENCE / "trials.md").read_text(encoding="utf-8") == f"{table}\n"
    assert "false alarm |" not in table.replace("no false alarm |", "")
    assert "missed" not in table
