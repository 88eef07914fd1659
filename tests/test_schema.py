"""Is a record judged by what it says itself, whatever is installed beside it?"""

import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import argo_bench
from argo_bench.errors import UserError
from argo_bench.harness.record.past import past_catalogue as past_catalogue
from argo_bench.harness.record.records import RULE, SCHEMA, Declaration, Plan
from argo_bench.harness.record.store import Writer, load
from argo_bench.harness.record.verify import verify
from argo_bench.optimizations import OPTIMIZED
from argo_bench.optimizations.together import ALL_IDS, FIVE_IDS

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results" / "reference"
SIXTEENTH = """
from dataclasses import replace

from argo_bench.optimizations.o06_consensus_cache import OPTIMIZATION as SIXTH

OPTIMIZATION = replace(SIXTH, id="O16", name="one more")
"""
SAYS = """
import argo_bench, sys
from argo_bench.harness.record.store import load
from argo_bench.harness.record.verify import verify
from argo_bench.optimizations import subjects
from argo_bench.optimizations.together import SETS
print(len(verify(load(sys.argv[1]))), len(argo_bench.catalogue()), "O16" in subjects(), len(argo_bench.OPTIMIZED))
print(*SETS["ALL"])
"""


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """The package with a sixteenth file beside the fifteen."""
    folder = tmp_path_factory.mktemp("sixteenth")
    package = Path(argo_bench.__file__).parent
    shutil.copytree(package, folder / "argo_bench", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "argo_bench" / "optimizations" / "o16_one_more.py").write_text(SIXTEENTH, encoding="utf-8")
    return folder


def test_a_sixteenth_file_adds_no_line_of_disagreement_to_a_stored_record(beside):
    environment = os.environ | {"PYTHONPATH": str(beside)}
    command = [sys.executable, "-P", "-c", SAYS, str(REFERENCE)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.splitlines()
    assert shown == ["0 16 True 15", " ".join(ALL_IDS)]


@pytest.mark.parametrize("record", ["", "seed-0", "sockets", "shares", "lookups", "calibration"])
def test_every_stored_record_of_an_older_schema_verifies(record):
    recorded = load(REFERENCE / record)
    assert verify(recorded) == []


def test_the_sets_hold_the_ids_that_the_documents_name():
    assert FIVE_IDS == ("O01", "O02", "O03", "O04", "O05")
    assert tuple(f"O{number:02d}" for number in range(1, 16)) == ALL_IDS
    assert dict(OPTIMIZED) == dict.fromkeys(ALL_IDS, "engineered")


@pytest.mark.parametrize("name", argo_bench.__all__)
def test_every_public_name_is_there(name):
    assert getattr(argo_bench, name) is not None


def test_no_public_name_is_that_of_a_sub_package_or_module():
    modules = {each.name for each in pkgutil.iter_modules(argo_bench.__path__)}
    assert set(argo_bench.__all__) & modules == set()


def test_the_claims_of_older_records_are_kept_for_every_id_that_they_have():
    known = past_catalogue()
    assert {*ALL_IDS, "FIVE", "ALL"} <= set(known)
    older = [load(REFERENCE / name) for name in ("", "seed-0", "sockets", "shares")]
    assert {each for recorded in older for each in recorded.run.optimizations} <= set(known)


def test_a_record_of_a_rule_that_is_not_known_is_refused(tmp_path):
    run = msgspec.structs.replace(load(REFERENCE).run, schema=SCHEMA, rule="a rule of tomorrow")
    writer = Writer(tmp_path)
    writer.write(run)
    writer.close()
    with pytest.raises(UserError, match="judged by the rule 'a rule of tomorrow', which this version does not know"):
        verify(load(tmp_path))


def test_a_record_without_its_plan_is_refused(tmp_path):
    run = msgspec.structs.replace(load(REFERENCE).run, schema=SCHEMA, rule=RULE)
    writer = Writer(tmp_path)
    writer.write(run)
    writer.close()
    with pytest.raises(UserError, match="has 0 plans: expected one"):
        verify(load(tmp_path))


def test_a_declaration_says_all_that_a_verdict_needs(tmp_path):
    writer = Writer(tmp_path)
    run = msgspec.structs.replace(load(REFERENCE).run, schema=SCHEMA, rule=RULE)
    own = past_catalogue()["O11"]
    plan = Plan(0.05, {"published": ["O11.time"]}, {"published": 0.9}, 0.95, ["O11.time"], [1000], {}, [])
    for record in (run, plan, own):
        writer.write(record)
    writer.close()
    again = load(tmp_path)
    assert again.plan == plan
    assert again.declarations == [own]
    assert isinstance(again.declarations[0], Declaration)
    assert again.name_of("O11") == "JSON cache"
