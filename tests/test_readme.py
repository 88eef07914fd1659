"""Is what the README shows true of the program?"""

import re
from pathlib import Path

import pytest

import argo_bench
from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.harness.record.store import load
from argo_bench.optimizations.together import ALL_IDS
from argo_bench.report.document import write_picture_tag
from argo_bench.report.sections import HERO
from argo_bench.study.report.readme import BEGIN, END, make_table, write_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = "\n".join(each.read_text(encoding="utf-8") for each in (ROOT / "docs").glob("*.md"))


def test_it_names_every_optimization_of_the_stored_run_and_no_other():
    measured = load(ROOT / "results/reference").run.optimizations
    named = re.findall(r"^\| (O\d\d|FIVE|ALL) \|", README, re.MULTILINE)
    assert sorted(named) == sorted(measured)
    assert set(ALL_IDS) <= set(named)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_leads_somewhere(link):
    assert link.startswith("https://") or (ROOT / link).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make (\w+)", README))))
def test_every_make_target_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"(?:bin/|`)argo-bench (\w+)", README))))
def test_every_command_exists(command):
    assert command in cli.commands


@pytest.mark.parametrize("option", sorted(set(re.findall(r"argo-bench run.*?(--\w+)", README))))
def test_every_option_of_run_exists(option):
    assert option in {name for each in cli.commands["run"].params for name in each.opts}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"argo_bench\.(\w+)\(", README + PAGES))))
def test_every_public_name_exists(name):
    assert name in argo_bench.__all__
    assert callable(getattr(argo_bench, name))


def test_its_table_is_that_of_the_stored_run():
    between = README.split(BEGIN)[1].split(END)[0].strip()
    assert between == make_table(load(ROOT / "results" / "reference"))


@pytest.mark.parametrize("row", re.findall(r"^\| (?:O\d\d|FIVE|ALL) \|.*", README, re.MULTILINE))
def test_each_claim_of_its_table_has_a_verdict_for_both_variants(row):
    _, _, _, claims, prescribed, engineered, *_, advice, _ = row.split("|")
    cells = [
        re.sub(r"<br>\d+ of \d+ (signals|texts|updates) [^|]*", "", each) for each in (claims, prescribed, engineered)
    ]
    assert len({each.count("<br>") for each in cells}) == 1
    assert advice.strip().split(",")[0] in ("keep", "fix", "simple", "drop", "do not cache", "undecided")


def test_its_picture_is_the_one_of_the_report_with_a_version_for_phones_and_for_either_theme():
    (shown,) = re.findall(r"<picture>.*?</picture>", README, re.DOTALL)
    alt = re.search(r'alt="([^"]+)"', shown)[1]
    assert shown.replace("results/reference/", "") == write_picture_tag(HERO, alt)
    files = re.findall(r'src(?:set)?="([^"]+)"', shown)
    assert all((ROOT / each).is_file() for each in files)


def test_a_file_without_the_markers_is_refused(tmp_path):
    (tmp_path / "README.md").write_text("# mine\n")
    with pytest.raises(UserError, match="expected the line <!-- measured"):
        write_table(tmp_path / "README.md", load(ROOT / "results" / "reference"))


def test_it_stays_short():
    assert len(README.splitlines()) < 150


def test_the_public_surface_is_small():
    assert len(argo_bench.__all__) <= 18
