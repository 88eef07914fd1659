"""Do the checks of outputs catch the bugs that were put into the engineered variants?"""

from pathlib import Path

import pytest

from argo_bench.study.checking.check import check_on_cases
from tests.mutations import as_optimization, every_mutant
from tests.mutations.emptied import emptied
from tests.mutations.score import MISSED, PROFILES, list_missed, rate, score_all, write_row, write_table

TABLE = Path(__file__).parents[1] / "results" / "reference" / "mutants.md"
LEAST = 0.95


@pytest.mark.study
def test_nineteen_of_twenty_bugs_are_caught_and_the_table_says_which():
    scores = score_all(every_mutant())
    for profile in PROFILES:
        assert rate([each for each in scores if each.profile == profile.name]) >= LEAST
    assert {each.id for each in list_missed(scores)} <= MISSED.keys()
    assert TABLE.read_text(encoding="utf-8") == write_table(scores)


@pytest.mark.slow
def test_every_twelfth_bug_is_caught_by_what_the_table_says():
    tried = every_mutant()[::12]
    scores = score_all(tried)
    table = TABLE.read_text(encoding="utf-8").splitlines()
    assert len(tried) > 15
    assert [row for row in (write_row(each, scores) for each in tried) if row not in table] == []


EMPTIED = emptied()
ONE_A_PART = list({each.part: each for each in EMPTIED}.values())


def assert_caught(mutant):
    line = check_on_cases(as_optimization(mutant), "engineered")
    assert line.counts, (mutant.id, line.output)
    assert not line.faithful


@pytest.mark.slow
@pytest.mark.parametrize("mutant", ONE_A_PART, ids=lambda each: each.id)
def test_a_stage_that_does_nothing_is_caught_in_every_part(mutant):
    assert_caught(mutant)


@pytest.mark.slow
def test_stages_that_do_nothing_accept_or_drop_everything_are_caught():
    for mutant in EMPTIED:
        assert_caught(mutant)
