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
from argo_bench.gate.history import history_of
from argo_bench.harness.record.past import past_catalogue as past_catalogue
from argo_bench.harness.record.records import RULE, SCHEMA, Declaration, Plan, Samples, rule_of
from argo_bench.harness.record.store import Writer, load
from argo_bench.harness.record.verify import verify
from argo_bench.opening import open_report
from argo_bench.optimizations import OPTIMIZED
from argo_bench.optimizations.together import ALL_IDS, FIVE_IDS
from tests.stored import store

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
from argo_bench.opening import open_report
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


@pytest.mark.parametrize("record", ["", "seed-0", "sockets", "shares", "lookups"])
def test_every_stored_record_of_an_older_schema_verifies(record):
    recorded = load(REFERENCE / record)
    assert verify(recorded) == []


KEPT = Path(__file__).parent / "records"
"""Comparisons of two functions, each as the version wrote it that had this schema."""
KEPT_OF = {number: KEPT / f"schema-{number}" for number in range(1, SCHEMA + 1)}


@pytest.mark.parametrize("schema", KEPT_OF)
def test_a_record_of_every_schema_is_kept_and_reads_as_it_did(schema, tmp_path):
    folder = KEPT_OF[schema]
    recorded = load(folder)
    assert recorded.run.schema == schema
    assert rule_of(recorded.run) == ("student-t" if schema < 4 else "trimmed-mean")
    assert verify(recorded) == []
    report = open_report(folder)
    [judgement] = report.judgements
    assert judgement.sentence in report._repr_markdown_().replace("\\", "")
    assert [*report.to_frame()["verdict"]] == [judgement.verdict]
    [series] = history_of([recorded])
    assert series.points[0].speedup == judgement.speedup
    assert report.save_page(tmp_path).stat().st_size > 10_000


@pytest.mark.parametrize("schema", KEPT_OF)
def test_an_edit_of_a_kept_record_is_named_by_the_rule_of_its_schema(schema, tmp_path):
    kept = load(KEPT_OF[schema])
    at = next(number for number, each in enumerate(kept.records) if isinstance(each, Samples))
    samples = kept.records[at]
    slower = [msgspec.structs.replace(each, cpu_ns=tuple(3 * ns for ns in each.cpu_ns)) for each in samples.blocks[:1]]
    edited = msgspec.structs.replace(samples, seed=samples.seed + 1, blocks=slower + samples.blocks[1:])
    assert verify(store(tmp_path, [*kept.records[:at], edited, *kept.records[at + 1 :]]))


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
