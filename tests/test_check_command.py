"""Does `argo-bench check` say what was seen and what differs, and end with the exit code for it?"""

import json

import pytest

from argo_bench.harness.record.store import load
from argo_bench.harness.record.verify import verify
from tests.program import argo

OWN = """
import dataclasses

from argo_bench.optimizations import catalogue
from argo_bench.pipeline.model import Validated


def accepts_all(pipeline):
    return pipeline.replace(validate=lambda world, decisions: Validated(tuple(decisions), ()))


O16 = dataclasses.replace(catalogue()["O15"], id="O16", name="accept all", engineered=accepts_all)
"""


def check(*arguments):
    return argo("check", *arguments, "--profile", "quick", "--symbols", "2")


@pytest.fixture(scope="module")
def clean():
    return check("O11", "--json")


def test_what_was_seen_is_said_of_every_comparison(clean):
    assert clean.returncode == 0, clean.stderr
    found = json.loads(clean.stdout)
    assert found["broken"] == []
    on = {each["on"] for each in found["checks"] if each["arm"] == "engineered"}
    assert on >= {"named cases", "markets", "while providers fail"}
    assert all(each["saw"] for each in found["checks"])
    words = {(each["arm"], each["on"]): each["word"] for each in found["checks"]}
    assert words["engineered", "named cases"] == "same"
    assert words["prescribed", "named cases"] == "differs"


def test_the_first_difference_stands_beside_the_word(clean):
    found = json.loads(clean.stdout)["checks"]
    differs = next(each for each in found if each["word"] == "differs" and each["on"] == "named cases")
    assert differs["first_difference"].startswith("encode, every field changed while the id stays: ")


@pytest.mark.slow
def test_an_engineered_output_that_differs_is_exit_code_three(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN, encoding="utf-8")
    shown = check(str(file), "--out", str(tmp_path / "kept"))
    assert shown.returncode == 3
    assert "differs" in shown.stdout
    assert verify(load(tmp_path / "kept")) == []


def test_an_unknown_name_is_a_mistake_of_the_caller():
    result = check("O99")
    assert result.returncode == 2
    assert result.stdout == ""
    assert "unknown optimization 'O99'" in result.stderr
