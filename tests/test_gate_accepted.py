"""Does an acknowledged slow-down pass up to its bound, with its reason, and expire once the base has it?"""

import msgspec
import pytest

from argo_bench.errors import UserError
from argo_bench.gate.accepted import find_acceptances, read_entries
from argo_bench.gate.answers import CONFIRMATION, gate_of
from argo_bench.gate.benchmarks import Settings, read_settings
from argo_bench.gate.exact import FLOOR_BYTES
from argo_bench.gate.records import Acceptance, Agreed, Exact
from argo_bench.gate.repository import Repository
from argo_bench.gate.table import list_notes
from argo_bench.harness.record.records import Failure
from argo_bench.harness.record.store import Recorded
from argo_bench.integrations.outputs.github import annotate
from tests.test_gate import ALL, RUN, batch, both, gate, only, revisions, written
from tests.test_gate_running import Toy

MEANT = Acceptance("checks what it reads", 0.15)
SAID = "accepted up to 15 %: checks what it reads"


def acknowledged(name="parse", acceptance=MEANT, **more):
    return msgspec.structs.replace(revisions(name), acknowledged={name: acceptance}, **more)


def exact(**counts):
    named = {name.replace("_", " "): values for name, values in counts.items()}
    base, head = ({name: values[side] for name, values in named.items()} for side in (0, 1))
    return Exact("parse", base, head, [], {})


def test_a_slow_down_up_to_the_bound_is_accepted_with_its_reason():
    outcome = only(*batch("parse", 0.1, **ALL), of=acknowledged())
    assert (outcome.state, outcome.blocks) == ("accepted", False)
    assert outcome.sentence.startswith("parse: ") and outcome.sentence.endswith(SAID)
    assert "::notice" in annotate([outcome])


def test_a_slow_down_beyond_the_bound_blocks_and_says_so():
    outcome = only(*both("parse", 0.25), of=acknowledged())
    assert (outcome.state, outcome.blocks) == ("worse", True)
    assert outcome.sentence.endswith(f"that is beyond what is {SAID}")


def test_what_is_not_slower_needs_no_acceptance():
    assert only(*batch("parse", 0.0, **ALL), of=acknowledged()).state == "fine"
    assert only(*batch("parse", -0.2, **ALL), of=acknowledged()).state == "better"


def test_an_interval_across_the_bound_is_open():
    assert only(*batch("parse", 0.15, **ALL), of=acknowledged()).state == "cannot tell"


def test_a_bound_below_the_tolerance_leaves_the_tolerance():
    narrow = acknowledged(acceptance=Acceptance("little", 0.01))
    assert only(*batch("parse", 0.015, spread=0.001, **ALL), of=narrow).state == "fine"


def test_the_control_is_judged_by_the_tolerance_whatever_is_acknowledged():
    away = batch("parse", 0.08, candidate="base again", **ALL)
    assert gate(*batch("parse", 0.0, **ALL), *away, of=acknowledged()).advisory is not None


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({"requests": (100, 112)}, "accepted"),
        ({"requests": (100, 116)}, "more counted"),
        ({"peak_bytes": (100 * FLOOR_BYTES, 112 * FLOOR_BYTES)}, "accepted"),
        ({"peak_bytes": (100 * FLOOR_BYTES, 116 * FLOOR_BYTES)}, "more memory"),
        ({"instructions": (100, 112)}, "fine"),
    ],
)
def test_counts_and_memory_are_accepted_up_to_the_bound(counts, state):
    outcome = only(*batch("parse", 0.0, spread=0.001, **ALL), exact(**counts), of=acknowledged())
    assert (outcome.state, outcome.blocks) == (state, state.startswith("more"))
    assert (SAID in outcome.sentence) == (state == "accepted")


def test_more_instructions_than_accepted_block_only_where_times_are_beyond_the_bound_too():
    grown = exact(instructions=(100, 130))
    assert only(*batch("parse", 0.1, spread=0.001, **ALL), grown, of=acknowledged()).state == "accepted"
    over = only(*batch("parse", 0.151, spread=0.002, **ALL), grown, of=acknowledged())
    assert (over.state, over.blocks) == ("worse", True)


def test_another_output_is_accepted_only_where_the_entry_says_so():
    differs = Agreed("parse", "output[3]: 1 and 2", None)
    assert only(*batch("parse", 0.0, **ALL), differs, of=acknowledged()).state == "differs"
    meant = acknowledged(acceptance=Acceptance("other rounding", 0.05, output=True))
    outcome = only(*batch("parse", 0.0, **ALL), differs, of=meant)
    assert (outcome.state, outcome.blocks) == ("fine", False)
    assert "accepted: other rounding" in outcome.sentence


def test_a_failure_is_never_accepted():
    assert only(Failure("parse", "head", "failed", "ValueError: no"), of=acknowledged()).blocks


def test_an_expired_entry_counts_no_more_and_is_named():
    old = msgspec.structs.replace(revisions("parse"), expired=["parse"])
    outcome = only(*both("parse", 0.1), of=old)
    assert (outcome.state, outcome.blocks) == ("worse", True)
    assert "is in the base already, so that it counts no more" in outcome.sentence
    recorded = Recorded(None, [RUN, old, *both("parse", 0.1)])
    assert "to be taken out: parse." in " ".join(list_notes(gate_of(recorded), recorded))


def test_a_second_batch_is_judged_by_the_bound_too():
    records = [*batch("parse", 0.25, **ALL), *batch("parse", 0.1, of=CONFIRMATION, **ALL)]
    assert only(*records, of=acknowledged()).state == "cannot tell"


# What is read from a repository

TABLE = "[tool.argo_bench.ci.accepted]\n"


def project(folder, text):
    folder.mkdir(exist_ok=True)
    return written(folder, TABLE + text)


def test_entries_are_read_and_leave_the_other_settings_alone(tmp_path):
    root = project(tmp_path / "head", 'parse = { reason = "checks  more", bound = "15%", output = true }')
    assert read_entries(root)["parse"].acceptance == Acceptance("checks more", 0.15, output=True)
    assert read_settings(root) == Settings()
    assert read_entries(tmp_path) == {}


def test_an_entry_expires_once_the_base_has_it_or_its_commit(tmp_path):
    entry = 'parse = { reason = "checks more", bound = "15%" }'
    head = project(tmp_path / "head", f'{entry}\nwalk = {{ reason = "order", bound = "5%", since = "abc" }}')
    base = project(tmp_path / "base", entry)
    names = ["parse", "walk"]
    walk = Acceptance("order", 0.05)
    assert find_acceptances(head, base, names, lambda commit: False) == ({"walk": walk}, ["parse"])
    assert find_acceptances(head, base, names, lambda commit: commit == "abc") == ({}, ["parse", "walk"])
    wider = project(tmp_path / "wider", 'parse = { reason = "checks more", bound = "20%" }')
    assert find_acceptances(wider, base, names, lambda commit: False)[1] == []
    broken = project(tmp_path / "broken", "parse = 3")
    assert find_acceptances(wider, broken, names, lambda commit: False)[1] == []


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("parse = 3", "expected an entry such as parse = "),
        ('parse = { reason = "x" }', "expected an entry such as parse = "),
        ('parse = { reason = " ", bound = "5%" }', "expected a reason in words"),
        ('parse = { reason = "x", bound = "much" }', "expected a share"),
        ('parse = { reason = "x", bound = "5%", until = 3 }', "unknown key 'until'"),
        ('parse = { reason = "x", bound = "5%", since = 3 }', "expected since to be a commit"),
        ('parse = { reason = "x", bound = "5%", output = 1 }', "expected output to be true or false"),
        ('prase = { reason = "x", bound = "5%" }', "did you mean 'parse'"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named(tmp_path, text, match):
    with pytest.raises(UserError, match=match):
        find_acceptances(project(tmp_path / "head", text), tmp_path, ["parse"], lambda commit: False)


def test_a_commit_contains_those_that_it_comes_from(tmp_path):
    (tmp_path / "toy").mkdir()
    toy = Toy(tmp_path / "toy")
    first, second = toy.commit("one"), toy.commit("two")
    repository = Repository(toy.folder)
    assert repository.contains(second, first)
    assert not repository.contains(first, second)
    assert not repository.contains(first, "no such commit")
