"""Does the program see an unfit machine, and say so in plain words with advice?"""

import json
from io import StringIO

import pytest
from rich.console import Console

from argo_bench.harness.machine import environment, fitness
from argo_bench.harness.machine.fitness import FitnessCheck
from argo_bench.report.machine import Machine
from tests.test_cli import argo


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
