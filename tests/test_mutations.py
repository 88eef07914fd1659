"""Is every bug one: does a mutant differ, on an input that is written down, from the variant that it mutates?"""

import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from argo_bench.optimizations import FILES
from argo_bench.optimizations.optimization import CYCLE
from argo_bench.pipeline.baseline import PIPELINE
from argo_bench.pipeline.record import PARTS, find_changed_parts
from tests.mutations import (
    LAID_IN,
    as_optimization,
    every_mutant,
    further,
    held_out,
    load_further,
    load_held_out,
    subjects,
)
from tests.mutations import emptied as emptied_stages
from tests.mutations.further_sets import REVISED, TICK, OfViews, show_frames_and_indicators
from tests.mutations.held_out_stages import Judged, OneBuffer, Rounds, Vote, count_by, detect_by
from tests.mutations.held_out_transports import Together, fetch_by
from tests.mutations.inputs import outcome

FILE = Path(__file__).parent / "mutations" / "as_subjects.py"


MODULES = [*load_held_out(), *load_further()]
FOUND = [(module, each) for module in MODULES for each in module.MUTANTS]
EMPTIED = emptied_stages.emptied()
SHOWS = {identifier: show for module in MODULES for identifier, show in module.SHOWS.items()}


@pytest.mark.parametrize(("module", "mutant"), FOUND, ids=[each.id for _, each in FOUND])
def test_a_mutant_differs_from_what_it_mutates(module, mutant):
    show = module.SHOWS[mutant.id]
    right = repr(show(subjects()[mutant.subject].engineered(PIPELINE)))
    wrong = repr(show(mutant.make(PIPELINE)))
    assert right != wrong
    if mutant.id not in getattr(module, "UNLIKE_BASELINE", ()):
        assert right == repr(show(PIPELINE)), "the variant itself does not do what the baseline does"


@pytest.mark.parametrize("mutant", EMPTIED, ids=[each.id for each in EMPTIED])
def test_an_emptied_stage_differs_from_the_variant_or_raises(mutant):
    show = emptied_stages.SHOWS[mutant.part]
    right = repr(show(subjects()[mutant.subject].engineered(PIPELINE)))
    assert right != repr(outcome(show, mutant.make(PIPELINE)))
    assert right == repr(show(PIPELINE)), "the variant itself does not do what the baseline does"


def frames_of_one_buffer(pipeline):
    return pipeline.replace(frame=OneBuffer())


def compare_with_view_alone(pipeline):
    return pipeline.replace(indicators=OfViews(pipeline.indicators.__wrapped__))


@pytest.mark.parametrize("harmless", [frames_of_one_buffer, compare_with_view_alone])
def test_a_bug_between_two_optimizations_needs_both(harmless):
    show = show_frames_and_indicators(TICK, REVISED)
    assert repr(show(harmless(subjects()["ALL"].engineered(PIPELINE)))) == repr(show(PIPELINE))


def use_rounds(pipeline):
    return pipeline.replace(validate=Rounds())


def use_vote(pipeline):
    return count_by(pipeline, Vote())


def use_judged(pipeline):
    return detect_by(pipeline, Judged)


def use_together(pipeline):
    return fetch_by(pipeline, Together())


@pytest.mark.parametrize(
    ("subject", "part", "restate"),
    [
        ("O15", "validate", use_rounds),
        ("O06", "consensus", use_vote),
        ("O07", "regime", use_judged),
        ("O02", "fetch", use_together),
    ],
)
def test_the_pieces_that_bugs_are_put_into_are_right_without_them(subject, part, restate):
    shown = [SHOWS[each.id] for _, each in FOUND if (each.subject, each.part) == (subject, part)]
    assert len(shown) >= 3
    for show in shown:
        right = show(subjects()[subject].engineered(PIPELINE))
        assert repr(right) == repr(show(restate(subjects()[subject].engineered(PIPELINE))))


def test_there_are_enough_of_every_part():
    count = Counter(mutant.part for mutant in held_out())
    assert min(count[part] for part in PARTS) >= 3
    assert count["memo"] >= 8
    assert count["transport"] + count["schedule"] >= 6
    assert count["sets"] >= 6
    assert count.total() >= 60


def test_there_are_enough_further_ones_and_the_sets_have_their_share():
    count = Counter(mutant.part for mutant in further())
    assert min(count[part] for part in PARTS) >= 2
    assert count["memo"] >= 4
    assert count["sets"] >= 5
    assert count.total() >= 50
    assert sum(mutant.subject in ("FIVE", "ALL") for mutant in further()) >= 12


def test_every_part_is_emptied_in_two_ways_or_three():
    count = Counter(mutant.part for mutant in EMPTIED)
    assert set(count) == {*PARTS} == {*emptied_stages.SHOWS}
    assert set(count.values()) == {2, 3}


def test_every_subject_has_one_and_ids_are_their_own():
    assert {mutant.subject for mutant in held_out()} == {*subjects()}
    assert max(Counter(mutant.id for mutant in [*every_mutant(), *EMPTIED]).values()) == 1
    assert set(SHOWS) == {mutant.id for mutant in every_mutant()}


def test_a_mutant_goes_to_another_process_and_changes_its_part():
    for mutant in [*every_mutant(), *EMPTIED]:
        changed = find_changed_parts(PIPELINE, pickle.loads(pickle.dumps(mutant)).make(PIPELINE))
        assert mutant.part in ("memo", "sets") or mutant.part in changed


def test_workloads_that_lay_the_variant_in_something_get_the_mutant():
    for mutant in [*every_mutant(), *EMPTIED]:
        optimization = as_optimization(mutant)
        for workload in optimization.workloads:
            arm = optimization.edits(workload)["engineered"]
            is_its_own = "engineered" in workload.arms
            assert (arm is mutant.make) != is_its_own
            if (mutant.subject, workload.name) in LAID_IN:
                assert arm is not subjects()[mutant.subject].workload(workload.name).arms["engineered"]
                assert workload.stage == CYCLE or arm(PIPELINE)


def test_a_worker_finds_every_mutant_as_an_optimization_by_the_files_that_it_inherits():
    code = (
        "import json\n"
        "from argo_bench.optimizations import build, catalogue\n"
        "ids = [each for each in catalogue() if each.startswith('M-')]\n"
        "print(json.dumps([ids, [type(build({each: 'engineered'})).__name__ for each in ids]]))\n"
    )
    environment = {**os.environ, FILES: str(FILE)}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    ids, kinds = json.loads(ran.stdout)
    assert ids == [f"M-{mutant.id}" for mutant in [*every_mutant(), *EMPTIED]]
    assert set(kinds) == {"Pipeline"}
