"""Does a gate block what is slower, let through what is not, and say so where it cannot tell?"""

import math
import random

import pytest

from argo_bench.errors import UserError
from argo_bench.gate.answers import (
    AGAIN,
    CONFIRMATION,
    FIRST,
    HEAD,
    Times,
    comparison_of,
    describe_middle,
    gate_of,
    make_lines,
)
from argo_bench.gate.benchmarks import Settings, read_benchmarks, read_settings, share
from argo_bench.gate.callgrind import sum_self_costs
from argo_bench.gate.exact import FLOOR_BYTES, find_changes
from argo_bench.gate.outcome import Change
from argo_bench.gate.records import BY_KIND, Agreed, Exact, Revisions
from argo_bench.gate.table import table_of
from argo_bench.gate.verify import find_disagreements
from argo_bench.harness.record.records import LAST_WITHOUT_SEAL, RULE, SIGN_TEST, Block, Failure, Run, Samples
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics import beyond, signs
from argo_bench.harness.statistics.beyond import LOOKS, find_beyond
from argo_bench.harness.statistics.signs import critical, median_of, nominal_error, tail
from argo_bench.report.tables import markdown_table

RUN = Run(LAST_WITHOUT_SEAL, "ci", "", "", "ci", "twins", 1, list(LOOKS), {}, "", [], {}, rule=RULE)
ALL = {"replicates": LOOKS[-1]}
SPREAD = 0.01
"""Of the log-ratios of replicates: what a busy machine of two cores has."""


def revisions(*names, tolerance=0.03, **more):
    return Revisions(
        "b" * 40,
        "h" * 40,
        "own",
        {name: f"{name}.py" for name in names},
        dict.fromkeys(names, "cpu"),
        dict.fromkeys(names, tolerance),
        more.get("changed", []),
        more.get("accepted", []),
        more.get("removed", {}),
        more.get("outside", []),
        more.get("moved_on", 0),
        more.get("count_rule", BY_KIND),
    )


def batch(name, slower, *, of=FIRST, candidate=HEAD, replicates=LOOKS[0], seed=1, spread=SPREAD):
    """Samples of so many replicates in which the candidate takes ``slower`` more, as a share."""
    rng = random.Random(f"{name} {of} {candidate} {seed}")
    found = []
    for number in range(replicates):
        factor = (1 + slower) * math.exp(rng.gauss(0, spread))
        times = [round(1e9 * (factor if arm == "B" else 1.0)) for arm in "ABBA"]
        block = Block("ABBA", tuple(times), tuple(times))
        found.append(Samples(comparison_of(name, of, candidate), number, number, 1, 1, [block], None, None, None, None))
    return found


def both(name, slower, *, replicates=LOOKS[-1]):
    return [*batch(name, slower, replicates=replicates), *batch(name, slower, of=CONFIRMATION, replicates=replicates)]


def gate(*records, of):
    recorded = Recorded(None, [RUN, of, *records])
    found = gate_of(recorded)
    assert find_disagreements(Recorded(None, [*recorded.records, *make_lines(found)])) == []
    return found


def only(*records, of=None):
    found = gate(*records, of=of or revisions("parse"))
    [outcome] = found.outcomes
    return outcome


def test_a_slow_down_beyond_the_tolerance_in_two_batches_blocks():
    outcome = only(*both("parse", 0.06))
    assert (outcome.state, outcome.blocks) == ("worse", True)
    assert outcome.sentence.startswith("parse: 6.")
    assert "and in a second batch" in outcome.sentence
    assert outcome.interval[0] < outcome.speedup < outcome.interval[1] < 1


def test_what_a_second_batch_does_not_confirm_does_not_block():
    outcome = only(*batch("parse", 0.06, **ALL), *batch("parse", 0.0, of=CONFIRMATION, **ALL))
    assert (outcome.state, outcome.blocks) == ("cannot tell", False)
    assert "but in a second batch" in outcome.sentence


def test_without_time_for_a_second_batch_nothing_blocks():
    outcome = only(*batch("parse", 0.06, **ALL))
    assert (outcome.state, outcome.blocks) == ("cannot tell", False)
    assert outcome.sentence.endswith("no time was left to confirm it")


def test_equal_code_is_fine_and_a_faster_head_is_better():
    assert only(*batch("parse", 0.0, **ALL)).state == "fine"
    assert only(*batch("parse", -0.2, **ALL)).state == "better"


def test_an_interval_across_the_tolerance_says_nothing():
    outcome = only(*batch("parse", 0.03))
    assert (outcome.state, outcome.blocks) == ("cannot tell", False)


def test_fewer_replicates_than_the_first_look_are_no_measurement():
    assert only(*batch("parse", 0.06, replicates=LOOKS[0] - 1)).state == "not measured"


def test_times_block_nothing_where_the_base_differs_from_itself():
    found = gate(*both("parse", 0.06), *batch("parse", 0.06, candidate=AGAIN, **ALL), of=revisions("parse"))
    assert found.advisory is not None and "parse" in found.advisory
    assert not found.blocks
    assert found.outcomes[0].state == "worse"


def test_a_base_that_seems_faster_than_itself_cannot_be_trusted_either():
    found = gate(*batch("parse", -0.06, candidate=AGAIN, **ALL), *batch("parse", 0), of=revisions("parse"))
    assert found.advisory is not None


MORE_INSTRUCTIONS = Exact(
    "parse", {"instructions": 1000}, {"instructions": 1010}, [], {"instructions": {"parser.c:next": 10}}
)
GREW = "instructions +1.0 %, 1,000 -> 1,010 (parser.c:next +10)"


def test_more_instructions_block_where_precise_times_are_slower_too():
    outcome = only(*batch("parse", 0.01, spread=0.001, **ALL), MORE_INSTRUCTIONS)
    assert (outcome.state, outcome.blocks) == ("worse", True)
    assert "1.0 % slower" in outcome.sentence and GREW in outcome.sentence


def test_more_instructions_inform_where_times_are_faster():
    outcome = only(*batch("parse", -0.2, spread=0.001, **ALL), MORE_INSTRUCTIONS)
    assert (outcome.state, outcome.blocks) == ("better", False)
    assert f"for information: {GREW}" in outcome.sentence
    assert "worse" not in outcome.sentence


def test_more_instructions_leave_a_benchmark_open_where_its_times_are_wide():
    outcome = only(*batch("parse", 0.0, spread=0.05, **ALL), MORE_INSTRUCTIONS)
    assert (outcome.state, outcome.blocks) == ("cannot tell", False)
    assert f"{GREW}, and the times leave open whether that is slower" in outcome.sentence


def test_more_instructions_leave_a_benchmark_open_where_times_say_nothing():
    away = batch("parse", 0.06, candidate=AGAIN, **ALL)
    found = gate(*batch("parse", 0.0, **ALL), *away, MORE_INSTRUCTIONS, of=revisions("parse"))
    assert found.advisory is not None
    assert (found.outcomes[0].state, found.outcomes[0].blocks) == ("cannot tell", False)
    assert only(MORE_INSTRUCTIONS).state == "cannot tell"


def test_more_instructions_than_a_busy_machine_can_see_in_time_are_timed_until_they_are_seen():
    taken = batch("parse", 0.0, spread=0.02, **ALL)
    for foretold, is_decided in (((), True), (("parse",), False)):
        times = Times(taken[: LOOKS[1]], revisions("parse"), beyond.BY_MEANS, foretold)
        assert times.is_decided("parse", FIRST) is is_decided


def test_bytecode_and_allocations_inform_and_block_nothing():
    exact = Exact(
        "parse",
        {"bytecode instructions": 10, "allocations": 1},
        {"bytecode instructions": 20, "allocations": 9},
        [],
        {},
    )
    outcome = only(*batch("parse", -0.2, **ALL), exact)
    assert (outcome.state, outcome.blocks) == ("better", False)
    assert outcome.sentence.count("for information: ") == 2


@pytest.mark.parametrize(("more", "state"), [(32, "better"), (FLOOR_BYTES - 1, "better"), (FLOOR_BYTES, "more memory")])
def test_more_peak_bytes_are_more_memory_from_a_floor_on(more, state):
    exact = Exact("parse", {"peak bytes": 1000}, {"peak bytes": 1000 + more}, [], {})
    outcome = only(*batch("parse", -0.2, **ALL), exact)
    assert (outcome.state, outcome.blocks) == (state, state == "more memory")


def test_a_slow_down_goes_before_more_memory():
    exact = Exact("parse", {"peak bytes": 1000}, {"peak bytes": 10_000_000}, [], {})
    outcome = only(*both("parse", 0.06), exact)
    assert outcome.state == "worse"
    assert "peak bytes" in outcome.sentence


@pytest.mark.parametrize(("head", "state"), [(1009.4, "fine"), (1009.6, "more counted"), (1000, "fine"), (900, "fine")])
def test_a_count_is_judged_as_it_is_shown_to_a_tenth_of_a_percent(head, state):
    exact = Exact("parse", {"requests": 1000}, {"requests": head}, [], {})
    assert only(*batch("parse", 0.0, **ALL), exact).state == state


@pytest.mark.parametrize("name", ["requests", "instructions", "bytecode instructions", "peak bytes", "allocations"])
def test_a_record_of_earlier_versions_is_judged_by_any_count_that_grew(name):
    exact = Exact("parse", {name: 1000}, {name: 1010}, [], {})
    outcome = only(*batch("parse", -0.2, **ALL), exact, of=revisions("parse", count_rule="alike"))
    assert (outcome.state, outcome.blocks) == ("worse", True)


def test_a_benchmark_that_the_head_has_no_more_is_named():
    found = gate(*batch("parse", 0.0, **ALL), of=revisions("parse", removed={"scan": "scan.py"}))
    assert [(each.name, each.state, each.blocks) for each in found.outcomes] == [
        ("scan", "removed", False),
        ("parse", "fine", False),
    ]
    assert str(found) == "1 of 1 benchmark not worse, 1 removed"


def test_a_count_that_a_second_reading_contradicted_is_not_judged():
    exact = Exact("parse", {"peak bytes": 1000}, {"peak bytes": 2000}, ["peak bytes"], {})
    assert find_changes(exact) == {}
    assert only(*batch("parse", 0.0, **ALL), exact).state == "fine"


def test_a_count_from_nothing_to_something_blocks():
    assert Change(0, 3).share == math.inf
    assert only(*batch("parse", 0.0), Exact("parse", {"requests": 0}, {"requests": 3}, [], {})).blocks


def test_other_outputs_block_unless_they_are_accepted():
    differs = Agreed("parse", "output[3]: 1 and 2", None)
    outcome = only(*batch("parse", 0.0, **ALL), differs)
    assert (outcome.state, outcome.blocks) == ("differs", True)
    assert "--accept parse" in outcome.sentence
    meant = revisions("parse", accepted=["parse"])
    assert only(*batch("parse", 0.0, **ALL), differs, of=meant).state == "fine"
    grown = Exact("parse", {"requests": 1}, {"requests": 2}, [], {})
    assert not only(*batch("parse", 0.0, **ALL), grown, of=meant).blocks


def test_a_head_that_fails_blocks_and_a_base_that_fails_does_not():
    assert only(Failure("parse", "head", "failed", "ValueError: no")).blocks
    assert not only(Failure("parse", "base", "failed", "ValueError: no")).blocks
    new = only(Failure("parse", "base", "untested", "there is no parse"))
    assert (new.state, new.blocks) == ("new", False)


def test_what_fails_on_both_sides_alike_or_outside_of_them_cannot_run():
    failures = Failure("parse", "base", "failed", "x"), Failure("parse", "head", "failed", "y")
    found = gate(*failures, of=revisions("parse"))
    assert found.lacks_environment and not found.blocks
    assert found.outcomes[0].state == "cannot run"
    nowhere = Failure("parse", "base", "untested", "no module"), Failure("parse", "head", "untested", "no module")
    assert only(*nowhere).state == "cannot run"
    offline = Failure("parse", "head", "untested", "it cannot be installed: no answer")
    assert only(offline, of=revisions("parse", outside=["head"])).state == "cannot run"
    assert only(offline).blocks
    both_offline = Failure("parse", "base", "untested", "it cannot be installed: no answer"), offline
    assert only(*both_offline, of=revisions("parse", outside=["base", "head"])).state == "cannot run"


def test_one_failing_benchmark_leaves_the_others_judged():
    found = gate(
        Failure("parse", "head", "failed", "ValueError: no"), *both("walk", 0.08), of=revisions("parse", "walk")
    )
    assert [(each.name, each.state) for each in found.outcomes] == [("parse", "failed"), ("walk", "worse")]
    assert str(found) == "0 of 2 benchmarks not worse, 1 failed, 1 worse"


def drawn(mean, rng, number=64):
    return [rng.gauss(mean, SPREAD) for _ in range(number)]


def test_holm_names_all_that_are_clear_and_stops_at_the_first_that_is_not():
    rng = random.Random(3)
    values = {name: drawn(mean, rng) for name, mean in (("clear", 0.2), ("none", 0.0), ("below", -0.5), ("same", 0.2))}
    assert find_beyond(values, dict.fromkeys(values, math.log1p(0.03))) == ["clear", "same"]


def test_among_twenty_equal_benchmarks_one_is_named_in_fewer_than_one_of_twenty_gates():
    rng = random.Random(11)
    false = 0
    for _ in range(300):
        values = {str(number): drawn(0, rng, LOOKS[0]) for number in range(20)}
        false += bool(find_beyond(values, dict.fromkeys(values, 0.0)))
    assert false <= 15


def test_looking_four_times_keeps_the_error_of_all_looks_together():
    rng = random.Random(12)
    wrong = 0
    for _ in range(2_000):
        values = [rng.gauss(0, SPREAD) for _ in range(LOOKS[-1])]
        wrong += any(find_beyond({"parse": values[:look]}, {"parse": 0.0}) for look in LOOKS)
    assert 0.03 < wrong / 2_000 < 0.065


def test_slow_processes_on_both_sides_name_nothing_and_hide_nothing():
    rng = random.Random(13)
    slow = [rng.choice((0.0,) * 7 + (math.log(1.5),)) - rng.choice((0.0,) * 7 + (math.log(1.5),)) for _ in range(24)]
    none = [each + rng.gauss(0, SPREAD) for each in slow]
    more = [each + 0.06 for each in none]
    assert find_beyond({"none": none, "more": more}, dict.fromkeys(("none", "more"), math.log1p(0.03))) == ["more"]


def test_a_gate_of_an_earlier_version_is_judged_by_signs():
    assert beyond.choose_test(SIGN_TEST) is beyond.choose_test("") is beyond.BY_SIGNS
    values = {"parse": drawn(0.2, random.Random(1), 16)}
    edges = {"parse": math.log1p(0.03)}
    assert beyond.BY_SIGNS.find_beyond(values, edges, 0.05) == ["parse"]
    mixed = {"parse": [*values["parse"][:12], -5.0, -5.0, -5.0, -5.0]}
    assert beyond.BY_SIGNS.find_beyond(mixed, edges, 0.05) == []
    assert beyond.BY_MEANS.find_beyond(mixed, edges, 0.05) == ["parse"]


@pytest.mark.parametrize("overall", [0.05, 0.025, 0.05 / 7])
def test_looking_four_times_kept_the_error_of_signs(overall):
    rng = random.Random(overall)
    nominal = nominal_error(overall)
    limits = {look: critical(look, nominal) for look in signs.LOOKS}
    false = 0
    for _ in range(20_000):
        found = [rng.random() < 0.5 for _ in range(signs.LOOKS[-1])]
        false += any(sum(found[:look]) >= limits[look] for look in signs.LOOKS)
    error = math.sqrt(overall * (1 - overall) / 20_000)
    assert 0.4 * overall < false / 20_000 < overall + 3 * error


def test_the_tail_is_the_binomial_one():
    stats = pytest.importorskip("scipy.stats")
    for number, beyond_edge in ((16, 13), (64, 41), (5, 0), (5, 5)):
        assert tail(number, beyond_edge) == pytest.approx(stats.binom.sf(beyond_edge - 1, number, 0.5), rel=1e-12)


def test_the_interval_lies_beyond_an_edge_exactly_where_the_test_finds_it_there():
    rng = random.Random(5)
    nominal = nominal_error(0.05)
    for _ in range(200):
        values = drawn(0.004, rng, 24)
        assert (median_of(values, nominal).low > 0) == (tail(24, sum(each > 0 for each in values)) <= nominal)


def test_values_far_off_move_nothing():
    quiet = drawn(0.05, random.Random(2))
    wild = [*sorted(quiet)[6:-6], *(5.0 for _ in range(6)), *(-5.0 for _ in range(6))]
    assert median_of(wild, 0.01)[:3] == median_of(quiet, 0.01)[:3]


def test_too_few_values_have_no_interval():
    assert median_of([0.1, 0.2], 0.01) == (pytest.approx(0.15), None, None, 2)


def test_a_slow_down_is_told_in_percent_with_its_interval():
    assert describe_middle(median_of([math.log(1.05)] * 20, 0.05)) == "5.0 % slower [5.0, 5.0]"
    assert describe_middle(median_of([math.log(0.9)] * 10 + [math.log(0.94)] * 10, 0.05)) == "8.0 % faster [6.0, 10.0]"
    assert describe_middle(median_of([0.0], 0.05)) == "0.0 % slower"


def test_the_table_has_the_finding_on_top_and_says_what_was_not_counted():
    exact = Exact("parse", {}, {}, [], {}, "valgrind is not installed")
    unknown = Agreed("parse", None, "its check is none")
    recorded = Recorded(None, [RUN, revisions("parse"), *batch("parse", 0.0, **ALL), exact, unknown])
    table = table_of(gate_of(recorded), recorded)
    assert table.title == "1 of 1 benchmark not worse"
    assert "parse: outputs were not compared, its check is none." in table.note
    assert "Machine instructions of parse were not counted: valgrind is not installed." in table.note
    assert "= not worse" in markdown_table(table)


def test_the_costs_of_a_function_are_its_own_without_those_it_calls():
    lines = """
version: 1
events: Ir
fl=(1) loop.c
fn=(1) main
16 400
cfn=(2) work
calls=3 32
17 9000
18 100
fn=(2)
32 9000
+1 20
""".splitlines()
    assert sum_self_costs(lines) == {"main": 500, "work": 9020}


# What is read from a repository


def written(folder, text):
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_benchmark_is_a_function_of_a_module_or_of_a_file_or_the_candidate_of_a_pair(tmp_path):
    found = read_benchmarks(
        written(
            tmp_path,
            """
[tool.argo_bench.benchmarks.parse]
function = "pkg.parser:parse"
tolerance = "5%"
[tool.argo_bench.benchmarks.walk]
function = "bench/walk.py:walk"
counts = "bench/walk.py:counts"
[tool.argo_bench.benchmarks.pair]
baseline = "pkg.old:f"
candidate = "pkg.new:f"
metric = "peak_rss"
""",
        ),
        0.03,
    )
    assert [(each.name, each.function, each.tolerance, each.file) for each in found] == [
        ("parse", "pkg.parser:parse", 0.05, "pkg/parser.py"),
        ("walk", "bench/walk.py:walk", 0.03, "bench/walk.py"),
        ("pair", "pkg.new:f", 0.03, "pkg/new.py"),
    ]
    assert found[2].metric is None


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            "",
            r"has no \[tool.argo_bench.benchmarks\], and the project no suite: expected a table such as",
        ),
        ('[tool.argo_bench.benchmarks.a]\nfunction = "nothing"', 'expected function = "module:name"'),
        ('[tool.argo_bench.benchmarks.a]\nfunction = "a:b"\nsize = 3', "unknown key 'size'"),
        ('[tool.argo_bench.benchmarks.a]\nfunction = "a:b"\ncheck = "x:y"', "expected the check allclose, equal or"),
        ('[tool.argo_bench.benchmarks.a]\nfunction = "a:b"\nmetric = "rss"', "expected the metric cpu or wall"),
        ('[tool.argo_bench.benchmarks.a]\nfunction = "a:b"\ntolerance = 3', "expected a share such as 3% or 0.03"),
        ('[tool.argo_bench.benchmarks.a]\nfunction = "a:b"\nfresh = "no"', "expected fresh to be true or false"),
        ("[tool.argo_bench.benchmarks.a]\nfunction = 3", "expected function to be a text"),
        ("[tool.argo_bench.benchmarks]\na = 3", "expected a table"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, text, match):
    with pytest.raises(UserError, match=match):
        read_benchmarks(written(tmp_path, text), 0.03)


def test_the_settings_of_a_gate_have_defaults_and_are_checked(tmp_path):
    assert read_settings(written(tmp_path, "")) == Settings()
    text = '[tool.argo_bench.ci]\nbase = "main"\nbudget = "90s"\ntolerance = 0.05\ninstall = "-e .[fast]"'
    assert read_settings(written(tmp_path, text)) == Settings("main", 0.05, 90.0, "own", ("-e", ".[fast]"))
    for wrong, match in (
        ('environment = "conda"', "own or current"),
        ('budget = "soon"', "a duration such as"),
        ("speed = 1", "unknown key 'speed'"),
        ("base = 1", "expected base to be a text"),
    ):
        with pytest.raises(UserError, match=match):
            read_settings(written(tmp_path, f"[tool.argo_bench.ci]\n{wrong}"))


@pytest.mark.parametrize("value", ["0", "100%", "three", 1.5, -0.1])
def test_a_share_lies_between_nothing_and_everything(value):
    with pytest.raises(ValueError, match="expected a share"):
        share(value)
