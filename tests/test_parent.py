"""Do processes end with the one that started them, however that one ends?"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from argo_bench import parent

DEADLINE_S = 20

STARTS = """
import sys
from argo_bench import parent
parent.start(["sleep", "1000"], stdout=None)
sys.stderr.write("started\\n")
sys.stderr.flush()
sys.stdin.read()
"""

CLEANS = """
import sys
from pathlib import Path
from argo_bench import parent
kept = parent.cleaner(Path(sys.argv[1]))
kept.__enter__()
sys.stderr.write("started\\n")
sys.stderr.flush()
sys.stdin.read()
"""


def running(code, *arguments):
    """A process that has done what it is asked and waits."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stderr.readline() == b"started\n"
    return process


def until(holds):
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_child_dies_with_a_parent_that_is_killed():
    with running(STARTS) as process:
        process.kill()
        # The child holds the other end of this pipe: it is at its end when both are gone.
        assert process.communicate(timeout=DEADLINE_S) == (b"", b"")


def test_the_process_that_is_started_is_the_command_itself():
    with parent.start([sys.executable, "-c", "import os; print(os.getpid())"], stdout=subprocess.PIPE) as process:
        assert int(process.stdout.read()) == process.pid


def test_ctrl_c_in_the_terminal_does_not_reach_what_was_started():
    with parent.start(["sleep", "1000"]) as process:
        try:
            assert os.getsid(process.pid) == process.pid
        finally:
            process.kill()


def test_a_process_whose_parent_is_gone_already_ends_at_once():
    code = "from argo_bench import parent; parent.die_with_parent(1 << 30); print('still there')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=DEADLINE_S)
    assert (ended.returncode, ended.stdout) == (1, b"")


def test_a_directory_is_removed_after_its_owner_was_killed(tmp_path):
    directory = tmp_path / "scratch"
    (directory / "deeper").mkdir(parents=True)
    (directory / "deeper" / "file").write_text("something")
    with running(CLEANS, directory) as process:
        assert directory.exists()
        process.send_signal(signal.SIGKILL)
        until(lambda: not directory.exists())


def test_a_directory_is_removed_at_the_end_of_the_block(tmp_path):
    directory = Path(tmp_path / "scratch")
    directory.mkdir()
    with parent.cleaner(directory):
        assert directory.exists()
    assert not directory.exists()
