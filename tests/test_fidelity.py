"""Does the harness notice when an arm computes something else, and say void?"""

import dataclasses
import importlib.util
import math
from pathlib import Path

import pytest

from argo_bench.harness.judging.judgements import judge_all
from argo_bench.harness.judging.measurements import Measured
from argo_bench.harness.record.records import Result
from argo_bench.harness.statistics.estimate import estimate
from argo_bench.optimizations import build, catalogue
from argo_bench.pipeline import baseline, kernels
from argo_bench.pipeline.market import Universe
from argo_bench.pipeline.model import Indicators, Reasoning, Signal
from argo_bench.pipeline.optimized import indicators as engineered_stage
from argo_bench.pipeline.record import find_changed_parts
from argo_bench.study.checking.check import check_on_markets, check_workload
from argo_bench.study.checking.differences import Differences, note_differences
from argo_bench.study.checking.served import Given
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.recording import record
from argo_bench.study.subject import declaration_of
from tests.test_stages import decision


def differences(expected, got, tolerance=0.0, permits=()):
    found = Differences(frozenset(permits), tolerance)
    note_differences(expected, got, found)
    return found


def check_pipeline(optimization, arm, pipeline, oracle):
    """Check a pipeline on the oracle's market as a variant of an optimization."""
    return check_on_markets(dataclasses.replace(optimization, **{arm: lambda _: pipeline}), arm, [oracle])


def test_equal_results_have_no_differences():
    value = {"a": (1.0, math.nan, Signal("LONG", 75.0)), "b": None}
    assert differences(value, value) == Differences()


@pytest.mark.parametrize(
    ("expected", "got", "kind"),
    [
        ({"rsi": 1.0}, {"rsi": 1.1}, "rsi"),
        ({"rsi": 1.0}, {"adx": 1.0}, "output: keys"),
        ((1.0, 2.0), (1.0,), "output: length"),
        (1.0, math.nan, "output"),
        (math.nan, 1.0, "output"),
        (Signal("LONG", 75.0), Signal("SHORT", 75.0), "output"),
        (None, 1.0, "output"),
    ],
)
def test_every_difference_is_counted_by_kind(expected, got, kind):
    assert kind in differences(expected, got).counts


def test_an_error_within_the_tolerance_is_kept_but_not_counted():
    found = differences(1000.0, 1000.0 * (1 + 1e-12), tolerance=1e-9)
    assert found.counts == {}
    assert 0 < found.largest_error < 1e-11
    assert differences(1000.0, 1000.1, tolerance=1e-9).counts == {"output": 1}


def judged(optimization, variant, fidelities, speedup=50.0):
    """The headline verdict on planted samples of a given speed-up."""
    claim = next(claim for claim in optimization.claims if claim.headline)
    planted = estimate([-math.log(speedup) + noise for noise in (-0.01, 0.0, 0.01, 0.005)], 0.95)
    result = Result(
        declaration_of(optimization).headline_comparison(claim, variant), planted, planted, 100.0, 2.0, None, 0.1, []
    )
    found = judge_all([declaration_of(optimization)], Measured([result]), fidelities, [])
    return next(each for each in found if each.claim == claim.id and each.arm == variant)


MUTATIONS = {
    "an off-by-one window": ("SHORT, MEDIUM, LONG = 20, 50, 200", "SHORT, MEDIUM, LONG = 21, 50, 200"),
    "a wrong smoothing": ("WILDER = 14", "WILDER = 15"),
    "float32 accumulation": ("total += np.float64(values[bar])", "total = np.float32(total + values[bar])"),
}


@pytest.fixture(scope="module")
def inputs(small_universe):
    return record(catalogue()["O08"].workload("full set"), small_universe, 300, seed=1)


def checked(stage, inputs):
    optimization = catalogue()["O08"]
    workload = optimization.workload("full set")
    edits = optimization.edits(workload)
    return check_workload(
        optimization, workload, inputs, edits["baseline"], lambda p: p.replace(indicators=stage), "engineered"
    )


def test_the_engineered_kernel_is_faithful_and_its_verdict_stands(inputs):
    fidelity = checked(engineered_stage.indicators, inputs)
    assert fidelity.faithful
    assert judged(catalogue()["O08"], "engineered", [fidelity]).verdict == "confirmed"


def perturbed(field, error):
    """The engineered stage with one indicator off by a relative error."""
    import dataclasses

    def stage(world, frame):
        right = engineered_stage.indicators(world, frame)
        return dataclasses.replace(right, **{field: getattr(right, field) * (1 + error)})

    return stage


FIELDS = [name for name in Indicators.__slots__ if name not in ("change_1", "change_4")]
FEW = FIELDS[::4]


@pytest.mark.parametrize(
    "field", [each if each in FEW else pytest.param(each, marks=pytest.mark.slow) for each in FIELDS]
)
def test_any_indicator_off_by_a_hundred_thousandth_makes_the_verdict_void(field, inputs):
    fidelity = checked(perturbed(field, 1e-5), inputs)
    assert not fidelity.faithful
    verdict = judged(catalogue()["O08"], "engineered", [fidelity])
    assert verdict.verdict == "void"
    assert verdict.output.startswith(f"differs: {field} in ")


def test_a_prescribed_variant_keeps_its_verdict_and_the_output_column_says_what_it_does(inputs):
    optimization = catalogue()["O08"]
    workload = optimization.workload("full set")
    fidelity = check_workload(
        optimization,
        workload,
        inputs,
        optimization.edits(workload)["baseline"],
        lambda p: p.replace(indicators=perturbed("sma20", 1e-5)),
        "prescribed",
    )
    verdict = judged(optimization, "prescribed", [fidelity])
    assert verdict.verdict == "confirmed"
    assert verdict.output.startswith("differs: sma20")


def test_a_mutated_kernel_changes_decisions_and_the_oracle_sees_it(small_universe):
    oracle = Oracle.run(small_universe, 1, 24)
    assert oracle.acceptance.accepted > 0
    wrong = build({}).replace(indicators=perturbed("close", 0.01))
    fidelity = check_pipeline(catalogue()["O08"], "engineered", wrong, oracle)
    assert not fidelity.faithful
    assert "entry" in fidelity.counts


def test_a_short_history_is_checked_for_as_many_cycles_as_a_long_one(small_universe):
    frames = {symbol: frame.iloc[:265] for symbol, frame in small_universe.frames.items()}
    short = Universe(frames, small_universe.origin, "cut for a test")
    assert len(Oracle.run(short, 1, 12).cycles) == 12


def test_what_a_walk_is_answered_is_kept_once(small_universe):
    """Bars take most of the memory of a check: those that did not change are shared, and nobody may write into them."""
    log = Oracle.run(small_universe, 1, 12).walk.log
    given = [each.said for question, answers in log.given.items() if question[2] == "bars" for each in answers]
    fetched = [each.bars for each in log.fetched.values()]
    assert len(given) == len(fetched) == 12 * len(small_universe.symbols)
    contents = {(each.symbol, each.values.tobytes()) for each in given}
    assert len({id(each.values) for each in [*given, *fetched]}) == len(contents) < len(given)
    served = Given(given[0]).result()
    served.values[:] = 0.0
    assert given[0].values.any()


def test_signals_that_are_lost_or_made_up_are_counted(small_universe):
    oracle = Oracle.run(small_universe, 1, 24)

    def never(world, signals, regime):
        return None

    lost = check_pipeline(catalogue()["O06"], "engineered", build({}).replace(consensus=never), oracle)
    assert lost.counts == {"missed": oracle.acceptance.accepted}

    def always(world, signals, regime):
        from argo_bench.pipeline.model import Consensus

        return baseline.PIPELINE.consensus(world, signals, regime) or Consensus("LONG", 80.0)

    extra = check_pipeline(catalogue()["O06"], "engineered", build({}).replace(consensus=always), oracle)
    assert extra.counts["added"] == oracle.acceptance.symbol_cycles - oracle.acceptance.accepted


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.slow] if number else []) for number, each in enumerate(MUTATIONS)]
)
def test_a_mutation_of_the_kernel_makes_the_verdict_void(name, inputs, tmp_path):
    kernel = mutated(tmp_path, *MUTATIONS[name]).latest_indicators

    def stage(world, frame):
        return Indicators(*kernel(engineered_stage.block(frame)).tolist())

    verdict = judged(catalogue()["O08"], "engineered", [checked(stage, inputs)])
    assert verdict.verdict == "void"
    assert verdict.output.startswith("differs: ")


def mutated(tmp_path, before, after):
    """The module of kernels with one change in its text, compiled anew."""
    source = Path(kernels.__file__).read_text(encoding="utf-8")
    assert source.count(before) == 1, f"the kernel's source no longer has {before!r} once: mend this test"
    path = tmp_path / "mutated_kernels.py"
    path.write_text(source.replace(before, after).replace("cache=True", "cache=False"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("mutated_kernels", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_changed_shows_the_part_that_a_selection_touches():
    assert set(find_changed_parts(build({}), build({"O08": "engineered"}))) == {"indicators"}


def reworded(world, decision):
    """The baseline's explanation in other words."""
    right = baseline.PIPELINE.reason(world, decision)
    return Reasoning(right.text.replace("limits the loss", "keeps the loss small"), right.author)


def test_the_wording_may_differ_where_that_is_declared(small_universe):
    oracle = Oracle.run(small_universe, 1, 12)
    other = baseline.PIPELINE.replace(reason=reworded)
    strict = dataclasses.replace(catalogue()["O08"], permits=frozenset())
    permitting = dataclasses.replace(strict, permits=frozenset({"reasoning"}), may_change="the wording")
    assert check_pipeline(strict, "engineered", other, oracle).faithful is False
    found = check_pipeline(permitting, "engineered", other, oracle)
    assert (found.faithful, found.counts) == (True, {})
    assert found.permitted["reasoning"] > 0
    assert found.output.startswith("as declared (the wording")


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("stop", "stop 3.5", "figures of a text"),
        (" LONG ", " SHORT ", "symbol, direction or regime of a text"),
        ("TRENDING", "VOLATILE", "symbol, direction or regime of a text"),
        ("AAPL", "MSFT", "symbol, direction or regime of a text"),
        ("support", "do not support", "sense of a text"),
        ("253.61.", "253.61", "sense of a text"),
    ],
)
def test_what_a_text_says_may_not_differ_from_what_it_is_about(before, after, kind):
    text = (
        "Trend and sentiment support a LONG position in AAPL at 241.53 with a confidence of 81.25 in a TRENDING "
        "market. The stop at 234.28 limits the loss; the target is 253.61."
    )
    wrong = text.replace(before, after)
    assert wrong != text
    found = differences(Reasoning(text, "model"), Reasoning(wrong, "model"), permits=["reasoning"])
    assert found.counts == {kind: 1}
    assert differences(Reasoning(text, "model"), Reasoning(text, "template"), permits=["reasoning"]).counts


def late(cycles):
    """A fetch stage whose answers are so many cycles old."""
    seen = {}

    def fetch(world, symbol):
        seen.setdefault(symbol, []).append(baseline.PIPELINE.fetch(world, symbol))
        return seen[symbol][max(0, len(seen[symbol]) - 1 - cycles)]

    return baseline.PIPELINE.replace(fetch=fetch)


@pytest.mark.parametrize(("cycles", "faithful"), [(0, True), (3, True), (4, False)])
def test_data_may_be_as_old_as_declared_and_no_older(small_universe, cycles, faithful):
    oracle = Oracle.run(small_universe, 1, 12)
    declared = dataclasses.replace(catalogue()["O08"], staleness_s=15.0)
    found = check_pipeline(declared, "engineered", late(cycles), oracle)
    assert found.faithful is faithful
    assert ("older than declared" in found.counts) is not faithful


def test_a_digest_of_other_numbers_is_not_a_second_difference():
    first = decision()
    second = dataclasses.replace(first, entry=first.entry * (1 + 1e-9))
    left, right = (baseline.PIPELINE.encode(None, [each])[0] for each in (first, second))
    assert left.sha256 != right.sha256
    assert differences(left, right, tolerance=1e-6).counts == {}
    forged = dataclasses.replace(left, sha256=right.sha256)
    assert differences(left, forged, tolerance=1e-6).counts == {"SHA-256": 1}
