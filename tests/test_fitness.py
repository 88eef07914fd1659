"""Does the program see an unfit machine, and say so in plain words with advice?"""

import json
import subprocess
import sys
from collections import namedtuple
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from argo_bench.harness.compare import Found
from argo_bench.harness.machine import environment, fitness
from argo_bench.harness.machine.fitness import FitnessCheck
from argo_bench.harness.record.records import End
from argo_bench.harness.record.store import load
from argo_bench.report.machine import Machine
from argo_bench.report.remarks import list_remarks
from tests.program import argo


def verdict_of(checks):
    return [(each.verdict, bool(each.advice)) for each in checks]


@pytest.mark.parametrize(("share", "verdict"), [(0.0, "fit"), (0.01, "fit"), (0.3, "unfit")])
def test_stolen_time_is_unfit_from_two_percent(share, verdict):
    assert verdict_of(fitness._check_steal(share)) == [(verdict, verdict == "unfit")]


def test_steal_that_cannot_be_seen_is_not_judged():
    assert list(fitness._check_steal(None)) == []


@pytest.mark.parametrize(("share", "verdict"), [(0.05, "fit"), (0.6, "unfit")])
def test_a_busy_machine_is_unfit(share, verdict):
    assert verdict_of(fitness._check_load(share)) == [(verdict, verdict == "unfit")]


@pytest.mark.parametrize(("text", "verdict"), [(None, "fit"), ("performance", "fit"), ("powersave", "unfit")])
def test_a_saving_governor_is_unfit_and_an_invisible_one_is_not(text, verdict, monkeypatch):
    monkeypatch.setattr(fitness, "read_text", lambda path: text)
    assert [each.verdict for each in fitness._check_governor()] == [verdict]


@pytest.mark.parametrize(
    ("quota", "verdict"), [("max 100000", "fit"), ("400000 100000", "fit"), ("50000 100000", "unfit"), (None, "fit")]
)
def test_a_container_with_less_than_two_processors_is_unfit(quota, verdict, monkeypatch):
    monkeypatch.setattr(fitness, "read_text", lambda path: quota)
    assert [each.verdict for each in fitness._check_limits()] == [verdict]


def test_a_slow_clock_source_is_unfit(monkeypatch):
    monkeypatch.setattr(fitness, "read_text", lambda path: "hpet")
    assert [each.verdict for each in fitness._check_timer()] == ["unfit"]


@pytest.mark.parametrize(
    ("busy_s", "own_s", "stolen", "said"),
    [
        (1.0, 0.0, 0, "busy machine: 50% of all processors busy with something else; close what is running beside"),
        (1.0, 0.9, 0, ""),  # the load is our own
        (0.1, 0.0, 30, "busy machine: 30.0% of the worker's processor taken by other machines; the host is busy"),
        (2.0, 0.0, 30, "busy machine: 30.0% of the worker's processor taken by other machines, 100% of all"),
        (0.1, 0.5, 0, ""),
    ],
)
def test_a_machine_is_busy_with_what_is_not_our_own(busy_s, own_s, stolen, said, monkeypatch):
    """A second passes, on two processors."""
    clock = iter([100.0, 101.0])
    readings = {"read_busy_s": iter([50.0, 50.0 + busy_s]), "read_own_s": iter([3.0, 3.0 + own_s])}
    for name, values in readings.items():
        monkeypatch.setattr(fitness, name, lambda values=values: next(values))
    ticks = iter([7, 7 + stolen])
    monkeypatch.setattr(fitness, "read_stolen_ticks", lambda processor: next(ticks))
    monkeypatch.setattr(fitness, "TICK_S", 0.01)
    monkeypatch.setattr(fitness.sys, "platform", "linux")
    monkeypatch.setattr(fitness, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(fitness.psutil, "cpu_count", lambda: 2)
    found = fitness.describe_busy(fitness.check_load(fitness.LoadWatch().so_far()))
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_busy_seconds_are_those_of_the_machine_and_own_ones_those_of_this_process(monkeypatch):
    times = namedtuple("times", ("user", "nice", "system", "idle", "iowait", "steal", "guest"))
    monkeypatch.undo()
    monkeypatch.setattr(fitness.psutil, "cpu_times", lambda: times(5.0, 1.0, 2.0, 90.0, 7.0, 0.5, 3.0))
    assert fitness.read_busy_s() == 8.5
    before = fitness.read_own_s()
    subprocess.run([sys.executable, "-S", "-c", "sum(range(10**7))"], check=True)
    assert fitness.read_own_s() > before


def test_every_unfit_finding_comes_with_advice_and_every_fit_one_without():
    for each in fitness.check_fitness(watched_s=0.05):
        assert bool(each.advice) == (each.verdict == "unfit")


def test_the_sentence_names_what_to_look_at():
    good, bad = FitnessCheck("load", "2 % busy", "fit"), FitnessCheck("steal", "30 %", "unfit", "come back later")
    assert str(Machine((good,), {})) == "This machine is fit for measuring."
    assert str(Machine((good, bad), {})) == "This machine can measure, but look at steal."


def test_the_card_fits_80_columns():
    console = Console(width=80, file=StringIO(), color_system=None)
    console.print(Machine((FitnessCheck("steal", "30 %", "unfit", "come back later " * 10),), environment.read_facts()))
    assert max(len(line) for line in console.file.getvalue().splitlines()) <= 80


def test_the_card_shows_itself_in_a_notebook_whatever_it_holds():
    card = Machine((FitnessCheck("load", "<b>90 %</b>", "unfit", "close it"),), environment.read_facts())
    shown = card._repr_mimebundle_()
    assert "&lt;b&gt;90 %&lt;/b&gt;" in shown["text/html"]
    assert "<b>" not in shown["text/markdown"]
    assert shown["text/plain"] == str(card)
    assert card.to_frame().to_dict("records")[0]["advice"] == "close it"


def test_env_as_json_has_findings_and_facts():
    shown = json.loads(argo("env", "--json").stdout)
    assert {each["verdict"] for each in shown["findings"]} <= {"fit", "unfit"}
    assert shown["facts"]["versions"]["numba"]


def test_a_strict_run_on_an_unfit_machine_is_refused_with_exit_code_4(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import argo_bench.harness.machine.fitness as fitness\n"
        "fitness.check_fitness = lambda: [fitness.FitnessCheck('load', '90 % busy', 'unfit', 'close it')]\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = argo("run", "O06", "--strict-env", "--out", tmp_path / "run")
    assert done.returncode == 4
    assert done.stderr == "argo-bench: load is not fit: 90 % busy; close it\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_busy_machine_is_said_before_and_beside_the_result(tmp_path, monkeypatch):
    """What others do is taken to be 90 % in the process that is started."""
    (tmp_path / "sitecustomize.py").write_text(
        "import argo_bench.harness.machine.fitness as fitness\n"
        "fitness.LoadWatch.so_far = lambda self: fitness.Load(0.9, None)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    functions = ("tests.user_functions:slow", "tests.user_functions:known", "--setup", "tests.user_functions:numbers")
    done = argo("compare", *functions, "--quick", "--budget", "60s", "--out", tmp_path / "run")
    busy = "usy machine: 90% of all processors busy with something else; close what is running beside the benchmark"
    assert done.returncode == 0
    assert done.stderr.count(f"b{busy}\n") == 2
    recorded = load(tmp_path / "run")
    assert (recorded.run.profile, recorded.all(End)[0].busy) == ("quick", f"b{busy}")
    assert f"B{busy}." in list_remarks(recorded)
    assert str(Found(recorded)).endswith(f"; b{busy}")
