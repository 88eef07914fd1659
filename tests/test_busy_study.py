"""Does the study beside busy processors make both runs, and say of each what it decided and what it saw?"""

import subprocess
import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parent / "benchmarks" / "study_busy.py"


@pytest.mark.study
def test_both_runs_are_made_and_compared(tmp_path):
    written = tmp_path / "busy.md"
    subprocess.run([sys.executable, str(STUDY), "O06", "--budget", "20s", "--out", str(written)], check=True)
    text = written.read_text(encoding="utf-8")
    quiet, busy = (line for line in text.splitlines() if "headline verdicts decided" in line)
    assert quiet.startswith("- quiet: ")
    assert "busy machine" in busy
    assert "## Contradictions\n\nNone." in text
