"""Are temporary folders and records of comparisons removed once nobody needs them, and never before?"""

import logging
import os
import subprocess
import sys
import time

import pytest

from argo_bench import temporary
from argo_bench.harness import comparisons
from argo_bench.harness.surroundings import scratch_directory
from argo_bench.temporary import number_machine, owned_prefix, remove_leftovers


@pytest.fixture(scope="module")
def dead():
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ARGO_BENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "comparisons"


def test_folders_of_dead_owners_are_removed_and_no_others(tmp_path, dead):
    names = {
        f"{owned_prefix('world')}abc": True,
        f"argo-world-{number_machine()}-{dead}-abc": False,
        f"argo-bench-{number_machine()}-{dead}-0123abcd": False,
        f"argo-world-00000000-{dead}-abc": True,
        "argo-world-abc": True,
        f"other-world-{number_machine()}-{dead}-abc": True,
    }
    for name in names:
        (tmp_path / name / "deeper").mkdir(parents=True)
    (tmp_path / f"argo-file-{number_machine()}-{dead}-abc").touch()
    remove_leftovers(tmp_path)
    assert {name: (tmp_path / name).exists() for name in names} == names
    assert (tmp_path / f"argo-file-{number_machine()}-{dead}-abc").exists()


def test_a_run_removes_what_a_killed_one_has_left(tmp_path, monkeypatch, dead):
    monkeypatch.setattr(temporary.tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"argo-bench-{number_machine()}-{dead}-0123abcd"
    left.mkdir()
    with scratch_directory():
        assert not left.exists()


def test_a_folder_that_is_not_there_has_no_leftovers(tmp_path):
    assert remove_leftovers(tmp_path / "absent") == []


def test_a_record_stays_after_it_was_written(home):
    with comparisons.open_folder() as folder:
        (folder / "run.jsonl").touch()
        assert folder.parent == home
        assert (folder / comparisons.WRITER).is_file()
    assert os.listdir(folder) == ["run.jsonl"]


def test_a_record_that_an_error_ends_stays_where_something_was_measured(home):
    with pytest.raises(KeyboardInterrupt), comparisons.open_folder() as empty:
        (empty / "run.jsonl").write_text('{"type":"run"}\n')
        raise KeyboardInterrupt
    with pytest.raises(OSError, match="disk"), comparisons.open_folder() as measured:
        (measured / "run.jsonl").write_text('{"type":"run"}\n{"type":"samples"}\n')
        raise OSError("the disk is full")
    assert not empty.exists()
    assert os.listdir(measured) == ["run.jsonl"]


def test_no_more_records_stay_than_are_kept_and_the_newest_do(home, monkeypatch):
    monkeypatch.setattr(comparisons, "MOST", 3)
    made = []
    for number in range(5):
        with comparisons.open_folder() as folder:
            made.append(folder)
        os.utime(folder, (time.time() - 100 + number,) * 2)
    assert sorted(home.iterdir()) == sorted(made[2:])


def test_old_records_are_removed_unless_a_living_process_writes_them(home, dead):
    ages = {"old": None, "written": os.getpid(), "killed": dead, "elsewhere": dead, "being named": None, "new": None}
    for name, process in ages.items():
        folder = home / f"20200101-000000-{comparisons.KIND}-{name}"
        folder.mkdir(parents=True)
        machine = "00000000" if name == "elsewhere" else number_machine()
        if process is not None:
            (folder / comparisons.WRITER).write_text(f"{machine} {process}")
        if name == "being named":
            (folder / comparisons.WRITER).touch()
        age_s = 0 if name in ("new", "killed", "elsewhere") else 2 * comparisons.LONGEST_S
        os.utime(folder, (time.time() - age_s,) * 2)
    (home / "of the user").mkdir()
    comparisons.remove_old(home)
    left = sorted(each.name.rpartition("-")[2] for each in home.iterdir())
    assert left == ["being named", "elsewhere", "new", "of the user", "written"]


def test_a_record_of_another_machine_goes_when_it_is_old(home, dead):
    folder = home / f"20200101-000000-{comparisons.KIND}-elsewhere"
    folder.mkdir(parents=True)
    (folder / comparisons.WRITER).write_text(f"00000000 {dead}")
    os.utime(folder, (time.time() - 2 * comparisons.LONGEST_S,) * 2)
    comparisons.remove_old(home)
    assert not folder.exists()


def test_a_cache_that_cannot_be_written_is_said_once_and_a_temporary_folder_is_used(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ARGO_BENCH_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(temporary.tempfile, "tempdir", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with comparisons.open_folder() as folder:
                pass
    assert folder.parent.parent == tmp_path
    assert folder.parent.name.startswith(owned_prefix("comparisons"))
    (said,) = caplog.messages
    assert f"argo-bench cannot write to {tmp_path / 'file' / 'comparisons'} (Not a directory)" in said
    assert "out=" in said
