"""Is a difference seen, and is nothing called the same that was not looked at?"""

import dataclasses
from collections import Counter
from functools import partial

import msgspec
import pytest

from argo_bench.harness.judging.outputs import describe_damage, describe_line, describe_output, word_of
from argo_bench.harness.plan import QUICK
from argo_bench.harness.record.records import Fidelity
from argo_bench.optimizations import catalogue, subjects
from argo_bench.optimizations.optimization import VARIANTS
from argo_bench.optimizations.together import SIGNAL_ONE
from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.consensus import WEIGHTS
from argo_bench.pipeline.market import Universe, installed_sample, read_universe
from argo_bench.pipeline.market.generator import generate
from argo_bench.pipeline.record import PARTS, cycle
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.study import recording as recording_module
from argo_bench.study.checking import check, trace
from argo_bench.study.checking.battery import build_reference, find_concerned_parts, play, play_baseline
from argo_bench.study.checking.cases import load_cases
from argo_bench.study.checking.differences import Differences, Raised, note_differences
from argo_bench.study.checking.failures import Trouble
from argo_bench.study.checking.seen import ABOUT, find_unseen, see
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.job import choose_checked_cycles
from argo_bench.study.recording import FAST, record
from tests.conftest import REAL_BARS

CASES = load_cases()
RULES = (
    *("incomplete", "stale", "entry off the reference price", "confidence out of range", "duplicate"),
    "no reference price",
)


@pytest.fixture(scope="module")
def seen_by_part():
    """What the baseline shows in the cases of each part."""
    found = {}
    for number, case in enumerate(CASES):
        see(play_baseline(number).result, found.setdefault(case.part, Counter()))
    return found


def test_every_part_has_cases_of_its_own_and_names_are_unique():
    assert {case.part for case in CASES} == {*PARTS, "whole"}
    assert min(Counter(case.part for case in CASES).values()) >= 5
    assert max(Counter(case.name for case in CASES).values()) == 1


@pytest.mark.parametrize("part", PARTS)
def test_the_cases_of_a_part_show_what_the_part_is_about(seen_by_part, part):
    assert find_unseen(part, seen_by_part[part]) == []


def test_the_cases_break_every_rule_and_detect_every_regime(seen_by_part):
    assert {f"rejected: {rule}" for rule in RULES} <= seen_by_part["validate"].keys()
    assert {f"regime {name}" for name in WEIGHTS} <= seen_by_part["regime"].keys()
    assert seen_by_part["whole"]["rejected: entry off the reference price"]
    assert seen_by_part["fetch"]["errors"]


def test_no_case_breaks_on_the_baseline():
    assert not [case.name for number, case in enumerate(CASES) if isinstance(play_baseline(number).result, Raised)]


def test_a_case_gives_the_same_whenever_it_is_played():
    for number, case in enumerate(CASES):
        found = Differences()
        again = play(case, partial(build_reference, case))
        note_differences(play_baseline(number).result, again.result, found)
        assert not found.counts, (case.name, found.first)


LONG = ("O03", "O07", "O08", "O09", "O13", "FIVE", "ALL")
"""A check of these on all cases takes seconds."""


def mark_long(identifiers):
    return [pytest.param(each, marks=pytest.mark.slow) if each in LONG else each for each in identifiers]


@pytest.mark.parametrize("identifier", mark_long(subjects()))
def test_no_engineered_variant_is_accused_on_the_cases(identifier):
    line = check.check_on_cases(subjects()[identifier], "engineered")
    assert line.counts == {}, line.first
    assert line.faithful
    assert line.saw["cases"] == line.compared >= 10


DEFECTS = {
    "O01": "quote",
    "O02": "fetch",
    "O03": "entry",
    "O04": "symbol, direction or regime of a text",
    "O05": "what readers see",
    "O07": "regime",
    "O08": "sma50",
    "O09": "dtype of close of the frame",
    "O10": "schedule: length",
    "O11": "body: order of the keys",
    "O12": "figures of a text",
    "O13": "atr14",
}
"""What the document's code does to the output, by the name that the check gives it. O06 and O14 cost time alone. O15
loses a batch where a rule raises; the baseline raises there too, so that the output is the same."""


@pytest.mark.parametrize("identifier", mark_long(DEFECTS))
def test_the_cases_show_what_the_document_s_code_does_to_the_output(identifier):
    line = check.check_on_cases(subjects()[identifier], "prescribed")
    assert DEFECTS[identifier] in line.counts
    assert line.first


@pytest.fixture(scope="module")
def trouble(small_universe):
    return Trouble.run(Oracle.run(small_universe, 1, 24))


def test_symbols_that_wait_for_a_failed_leader_are_seen_to_hang(trouble):
    assert trouble.failed_cycles
    line = check.check_on_failures(catalogue()["O02"], "prescribed", [trouble])
    assert line.counts["hangs"]
    assert line.damage["lost"] > line.damage["lost by the baseline"]


@pytest.mark.parametrize("identifier", ["O02", "O10", "FIVE", "ALL"])
def test_one_symbol_s_failure_costs_the_engineered_walk_no_other(identifier, trouble):
    line = check.check_on_failures(subjects()[identifier], "engineered", [trouble])
    assert line.counts == {}, line.first
    assert line.damage["lost"] < line.damage["lost by the baseline"]
    assert "(baseline: " in line.output


def markets(universe, seed, cycles=20):
    return [Oracle.run(universe, seed, cycles, pace) for pace in ("fast", "live")]


def assert_clean(identifier, oracles, trouble):
    optimization = subjects()[identifier]
    for line in (
        check.check_on_markets(optimization, "engineered", oracles),
        check.check_on_failures(optimization, "engineered", [trouble]),
    ):
        assert line.counts == {}, line.first


@pytest.fixture(scope="module")
def on_a_market(small_universe):
    """Two markets of one seed, and what the baseline does on the first while providers fail."""
    oracles = markets(small_universe, 3)
    return oracles, Trouble.run(oracles[0])


@pytest.mark.parametrize("identifier", mark_long(subjects()))
def test_no_engineered_variant_is_accused_on_a_market(identifier, on_a_market):
    assert_clean(identifier, *on_a_market)


def generated(count):
    frames = generate([f"SYN{number:03d}" for number in range(count)], 400, 7).frames
    return Universe(frames, dict.fromkeys(frames, "generated"), "generated for a test")


UNIVERSES = {
    "two of the sample": lambda: installed_sample().take(2),
    "the sample": installed_sample,
    "thirty generated": lambda: generated(30),
    "two real ones": lambda: read_universe(REAL_BARS).take(2),
    "the real ones": lambda: read_universe(REAL_BARS).take(6),
}


FEWER = ("two of the sample", "thirty generated")
SEEDED = [
    pytest.param(name, seed, marks=pytest.mark.slow if seed == 1 else pytest.mark.study)
    for name in UNIVERSES
    for seed in range(1, 4 if name in FEWER else 7)
]


@pytest.mark.parametrize(("name", "seed"), SEEDED)
def test_no_engineered_variant_is_accused_under_any_seed(name, seed):
    if "real" in name and not REAL_BARS.is_dir():
        pytest.skip("no real bars are at hand")
    universe = UNIVERSES[name]()
    oracles = markets(universe, seed, choose_checked_cycles(QUICK, len(universe.symbols)))
    trouble = Trouble.run(oracles[0])
    for identifier in subjects():
        assert_clean(identifier, oracles, trouble)


@pytest.mark.slow
def test_what_is_older_than_fresh_data_is_damage_and_what_it_decides_is_no_fault(small_universe):
    line = check.check_on_markets(subjects()["FIVE"], "engineered", markets(small_universe, 1, 40))
    assert word_of(line) == "as declared"
    assert line.damage["missed"] + line.damage["added"] + line.damage["flipped"] > 0
    assert "signals" in line.output
    assert 0 < line.damage["oldest data s"] <= subjects()["FIVE"].staleness_s
    strict = dataclasses.replace(subjects()["FIVE"], staleness_s=0.0)
    assert check.check_on_markets(strict, "engineered", markets(small_universe, 1, 40)).counts


def test_a_market_without_a_decision_is_not_checked(small_universe, monkeypatch):
    def never(world, signals, regime):
        return None

    undecided = baseline.PIPELINE.replace(consensus=never)
    monkeypatch.setattr(trace, "FAST", undecided)
    optimization = dataclasses.replace(catalogue()["O06"], engineered=lambda pipeline: undecided)
    line = check.check_on_markets(optimization, "engineered", [Oracle.run(small_universe, 1, 6)])
    assert (word_of(line), line.faithful) == ("not checked", False)
    assert line.output == "not checked: no decisions and no rows seen"


def line(scope="markets", **fields):
    fields = {"saw": {"decisions": 3}} | fields
    found = Fidelity("O06", "engineered", None, 10, {}, 0.0, "", faithful=True, scope=scope, **fields)
    return msgspec.structs.replace(found, output=describe_line(found, "nothing"))


def test_the_worst_of_all_comparisons_is_what_is_said_of_an_arm():
    same, unseen = line(), line("cases", unseen=["texts"])
    differs = msgspec.structs.replace(line("workload"), counts={"entry": 2}, concerned=1, output="differs: entry")
    declared = line(damage={"signals": 86, "missed": 20, "added": 39, "flipped": 0})
    said = [describe_output(lines, "O06", "engineered") for lines in ([same], [same, declared], [same, unseen])]
    assert [each.word for each in said] == ["same", "as declared", "not checked"]
    assert said[1].text.endswith("20 of 86 signals missed, 39 added")
    everything = describe_output([same, unseen, declared, differs], "O06", "engineered")
    assert (everything.word, everything.text) == ("differs", "differs: entry; 20 of 86 signals missed, 39 added")
    assert describe_output([], "O06", "engineered").word == "not checked"


def test_what_happens_while_providers_fail_is_said_beside_the_word():
    lost = {"signals": 119, "lost": 0, "signals of the baseline": 119, "lost by the baseline": 36}
    quiet, trouble = line(), line("failures", damage=lost)
    found = describe_output([quiet, trouble], "O06", "engineered")
    assert (found.word, found.is_kept) == ("same", True)
    assert found.when_providers_fail == "same; 0 of 119 signals lost (baseline: 36 of 119)"
    worse = msgspec.structs.replace(trouble, counts={"hangs": 3})
    assert not describe_output([quiet, worse], "O06", "engineered").is_kept


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ({}, ""),
        ({"signals": 86, "missed": 0, "added": 0, "flipped": 0}, ""),
        ({"signals": 86, "missed": 0, "added": 39, "flipped": 1}, "39 of 86 signals added, 1 flipped"),
    ],
)
def test_damage_is_said_in_signals(damage, text):
    assert describe_damage(damage) == text


def test_every_stage_has_something_that_it_is_about():
    assert set(ABOUT) == {*PARTS, "cycle"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_cases_concern_what_an_edit_changes_and_what_goes_through_it(variant):
    parts = find_concerned_parts(getattr(catalogue()["O05"], variant))
    assert {"store", "read", "validate", "schedule", "whole"} <= parts
    assert "regime" not in parts


@pytest.mark.parametrize(
    ("expected", "got", "kind"),
    [
        (1, 1.0, "output"),
        (1, True, "output"),
        (1_000_000, 999_991, "output"),
        ("a", "b", "output"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "output: order of the keys"),
        (Raised(ValueError()), Raised(TypeError()), "output"),
        ([1], 1, "output"),
    ],
)
def test_whole_numbers_types_and_orders_are_exact(expected, got, kind):
    found = Differences(tolerance=1e-3)
    note_differences(expected, got, found)
    assert kind in found.counts
    assert found.first


def count_decided(recording):
    with SimulatedWorld(
        recording.market, Simulation(prepare_ahead=False), seed=recording.seed, latency_scale=0
    ) as world:
        walked = [world.run(cycle(FAST, world, recording.market.symbols, each.cycle)) for each in recording.groups]
    return [len(each.decided) for each in walked]


@pytest.mark.parametrize("seed", range(5))
def test_whole_cycles_are_drawn_until_something_is_decided(seed):
    recording = record(SIGNAL_ONE, installed_sample(), 24, seed)
    assert len(recording.market.symbols) == 1
    assert sum(count_decided(recording)[1:]) > 0


def test_symbols_and_days_are_drawn_by_the_seed():
    markets = [record(SIGNAL_ONE, installed_sample(), 24, seed).market for seed in range(8)]
    assert len({each.symbols for each in markets}) > 2
    assert len({each.bars(symbol, 0).timestamps[-1] for each in markets for symbol in each.symbols}) > 2
    assert record(SIGNAL_ONE, installed_sample(), 24, 3).market.symbols == markets[3].symbols


def test_cycles_in_which_nothing_is_ever_decided_are_timed_and_not_checked(small_universe, monkeypatch):
    """So it is on short data of a user's: nothing is refused, and no claim holds."""
    monkeypatch.setattr(recording_module, "decides", lambda tape, seed, cycles, minutes: False)
    found = record(SIGNAL_ONE, small_universe, 4, 1)
    assert len(found.groups) == 4
    quiet = dataclasses.replace(SIGNAL_ONE, stage="cycle")
    never = lambda pipeline: pipeline.replace(consensus=lambda world, signals, regime: None)  # noqa: E731
    line = check.check_workload(subjects()["ALL"], quiet, found, never, never, "engineered")
    assert word_of(line) == "not checked"
    said = describe_output([msgspec.structs.replace(line, optimization="O06")], "O06", "engineered")
    assert not said.is_kept


def test_larger_universes_are_checked_over_fewer_cycles():
    assert choose_checked_cycles(QUICK, 2) == choose_checked_cycles(QUICK, 6) == QUICK.checked_cycles
    assert 8 <= choose_checked_cycles(QUICK, 30) < QUICK.checked_cycles
