"""Is no pair accused that looks odd and does nothing wrong?"""

import json

import pytest

from argo_bench.harness.workers.worker import check_agreement
from tests import honest

PAIRS = [(*each, False) for each in honest.PAIRS] + [(*each, True) for each in honest.FRESH_PAIRS]


def arm_of(name, function, setup, fresh):
    module = function.__module__
    arguments = {"function": f"{module}:{function.__name__}", "setup": f"tests.honest:{setup.__name__}"}
    return {"name": name, "factory": "", "arguments": json.dumps({**arguments, "fresh": fresh, "pickled": ""})}


@pytest.mark.parametrize(
    ("baseline", "candidate", "setup", "fresh"),
    PAIRS,
    ids=[f"{one.__name__}-{other.__name__}{'-fresh' * fresh}" for one, other, _, fresh in PAIRS],
)
def test_an_honest_pair_agrees_and_nothing_is_held_against_it(baseline, candidate, setup, fresh):
    arms = arm_of("baseline", baseline, setup, fresh), arm_of("candidate", candidate, setup, fresh)
    assert check_agreement(*arms, "allclose")["difference"] is None


def test_there_are_forty_of_them():
    assert len(PAIRS) >= 40
