"""Does the study of the gate run in its short form: nothing blocked for nothing, and what was planted never fine?"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parent / "benchmarks" / "study_gate.py"


@pytest.mark.study
def test_a_pair_of_each_kind_is_judged_as_it_was_made(tmp_path):
    record = tmp_path / "gate.jsonl"
    command = [sys.executable, str(STUDY), "--pairs", "1", "--planted", "1", "--counted", "1", "--out", str(record)]
    subprocess.run(command, check=True)
    found = {(each["kind"], each["tool"]): each for each in map(json.loads, record.read_text().splitlines())}
    ours = {kind: each for (kind, tool), each in found.items() if tool == "argo-bench"}
    assert len(found) == 2 * len(ours) == 6
    assert not ours["nothing"]["blocked_by_times"]
    assert ours["nothing"]["blocked_by_counts"] == []
    for kind in ("5 % slower", "1 % more instructions"):
        assert "bytecode instructions" in ours[kind]["blocked_by_counts"]
    assert ours["5 % slower"]["state"] != "fine"  # beside other work times may leave it open; counts never block


def test_the_stored_study_says_what_the_readme_says():
    shown = subprocess.run([sys.executable, str(STUDY), "--report"], capture_output=True, text=True, check=True).stdout
    rows = {line[:24].strip(): line for line in shown.splitlines() if "argo-bench" in line}
    readme = (STUDY.parents[2] / "README.md").read_text(encoding="utf-8")
    for kind, line in rows.items():
        blocked, of = line.split("blocked")[1].split("(")[0].split("of")
        assert f"{int(blocked)} of {int(of)}" in readme, kind
