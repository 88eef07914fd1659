"""Is no pair accused that looks odd and does nothing wrong?"""

import msgspec
import pytest

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.record.records import Fidelity
from argo_bench.harness.workers.worker import Worker
from tests import honest

PAIRS = [(*each, False) for each in honest.PAIRS] + [(*each, True) for each in honest.FRESH_PAIRS]
REMARKED = {"multiplies", "in_a_kept_pool"}
"""Beside these a remark may stand: numpy computes in threads here, which a worker does not let it, and a kept pool does
too, which is seen on some machines and too short on others."""

OFTEN = 4
"""Every fourth pair is tried each time, the others with the slow tests."""


def name_pair(baseline, candidate, setup, fresh):
    return f"{baseline.__name__}-{candidate.__name__}{'-fresh' * fresh}"


def ask_here(message, expected):
    """Answer in this process as a worker does in its own."""
    return msgspec.convert(Worker().answer(msgspec.to_builtins(message)), expected)


@pytest.mark.parametrize(
    ("baseline", "candidate", "setup", "fresh"),
    [
        pytest.param(*pair, id=name_pair(*pair), marks=[pytest.mark.slow] if number % OFTEN else [])
        for number, pair in enumerate(PAIRS)
    ],
)
def test_an_honest_pair_agrees_and_nothing_is_held_against_it(baseline, candidate, setup, fresh, tmp_path):
    benchmark = Benchmark("pair", baseline, candidate, setup, fresh=fresh)
    lines = benchmark.settle(ask_here, ask_here, tmp_path).lines
    (output,) = [each.output for each in lines if isinstance(each, Fidelity)]
    may_be_remarked = not REMARKED.isdisjoint((baseline.__name__, candidate.__name__))
    assert output == "same" or (may_be_remarked and output.startswith("same; "))


def test_there_are_forty_of_them():
    assert len(PAIRS) >= 40
