"""Do the figures behind a verdict draw what was recorded: samples, ratios, scales, break-even and memory?"""

import math

import msgspec
import pytest

from argo_bench.harness.record.records import Block, Caching, Comparison, Judgement, Result, Samples, Spot
from argo_bench.harness.record.store import Recorded
from argo_bench.report.chart import COLOURS, NARROW, Picture, get_hue
from argo_bench.report.charts import arms
from argo_bench.report.charts.break_even import BREAK_EVEN, HIT_RATES
from argo_bench.report.charts.memory import MEMORY
from argo_bench.report.charts.samples import ECDF, PAIRED_RATIO
from argo_bench.report.charts.scaling import SCALING
from tests.test_report_finding import estimate, judgement, recorded, result
from tests.test_report_tables import weighed as readings

STOLEN = "stolen processor"


def block(reference: int, candidate: int, *, order: str = "ABBA", invalid: str | None = None) -> Block:
    times = tuple(reference if arm == "A" else candidate for arm in order)
    return Block(order, times, times, invalid)


def sampled(of: Judgement, *processes: list[Block], first: tuple[int, int] | None = None) -> list:
    """The judgement, its result, and the samples of so many pairs of processes, ten candidate calls a sample."""
    before, after = first or (None, None)
    taken = [
        Samples(of.comparison, number, number, 1, 10, blocks, before, after, None, None)
        for number, blocks in enumerate(processes)
    ]
    return [*taken, result(of), of]


@pytest.fixture
def timed(tmp_path) -> Recorded:
    one = judgement("exceeded", 10.0, arm="engineered")
    disturbed = block(9000, 300, invalid=STOLEN)
    return recorded(
        tmp_path, *sampled(one, [block(1000, 1000), block(1020, 1000, order="BAAB")], [block(980, 1000), disturbed])
    )


def drawn(picture: Picture | None) -> Picture:
    assert picture is not None
    assert picture.figure.get_figwidth() == NARROW
    return picture


def rows(picture: Picture) -> list[tuple[str, ...]]:
    return [row.cells for row in picture.data.rows if not row.strong]


def test_the_spread_of_an_arm_is_that_of_its_samples_that_count(timed):
    picture = drawn(ECDF.picture(timed))
    assert rows(picture)[0][:6] == ("baseline", "6 of 2 replicates", "980 ns", "980 ns", "985 ns", "1 us")
    assert rows(picture)[1][:3] == ("engineered", "6 of 2 replicates", "100 ns")
    assert picture.alt.endswith("a line for each arm of O06.time.")


@pytest.mark.parametrize("times", [1.1, 10, 1000])
def test_arms_share_an_axis_of_times_however_far_apart_they_are(tmp_path, times):
    """A call of the candidate is one of ten in a sample."""
    one = judgement("exceeded", times, arm="engineered")
    run = recorded(tmp_path, *sampled(one, [block(round(1000 * times), 10_000)]))
    axes = drawn(ECDF.picture(run)).figure.axes[0]
    assert axes.get_xlabel() == "CPU time per call, log scale; numbers are medians"
    assert axes.get_xscale() == "log"
    assert axes.get_xlim()[0] < 1000 < 1000 * times < axes.get_xlim()[1]
    marks = {line.get_marker(): line.get_xdata()[0] for line in axes.lines if line.get_marker() not in ("None", "")}
    assert marks == {"s": pytest.approx(1000 * times), "o": pytest.approx(1000)}


def test_marks_of_arms_that_agree_do_not_lie_on_each_other(tmp_path):
    one = judgement("no difference", 1.0, arm="engineered")
    axes = drawn(ECDF.picture(recorded(tmp_path, *sampled(one, [block(1000, 10_000)])))).figure.axes[0]
    heights = [line.get_ydata()[0] for line in axes.lines if line.get_marker() not in ("None", "")]
    assert len(heights) == len(set(heights)) == 2


def test_the_ratio_of_a_process_pair_is_the_trimmed_mean_of_what_counts(timed):
    assert rows(drawn(PAIRED_RATIO.picture(timed))) == [
        ("process pair 1", "2", "10.1x", "10.0x", "10.2x"),
        ("process pair 2", "2, 1 not counted", "9.80x", "9.80x", "9.80x"),
    ]


def test_a_disturbed_block_is_drawn_hollow_in_its_place(timed):
    figure = drawn(PAIRED_RATIO.picture(timed)).figure
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    seen = [(x, y) for line in hollow for x, y in line.get_xydata().tolist() if not math.isnan(y)]
    assert seen == [(3.5, pytest.approx(300.0))]
    assert "disturbed, not counted" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_clock_is_the_one_that_decided(tmp_path):
    slow = Block("ABBA", (4000, 1000, 1000, 4000), (1000, 1000, 1000, 1000))
    one = judgement("exceeded", 40.0, metric="wall", arm="engineered")
    assert rows(drawn(PAIRED_RATIO.picture(recorded(tmp_path, *sampled(one, [slow])))))[0][2] == "40.0x"


def test_further_readings_are_drawn_where_there_is_no_timed_headline(tmp_path):
    one = judgement("exceeded", 10.0, arm="engineered", headline=False)
    picture = drawn(PAIRED_RATIO.picture(recorded(tmp_path, *sampled(one, [block(1000, 1000)]))))
    assert picture.alt == "Ratio of every block in the order of measuring, for O06.time engineered."


FIGURES = [ECDF, PAIRED_RATIO, SCALING, BREAK_EVEN, HIT_RATES, MEMORY]


@pytest.mark.parametrize("chart", FIGURES, ids=lambda chart: chart.find.__name__)
def test_there_is_no_figure_of_what_was_not_measured(chart, tmp_path):
    counted = judgement("exceeded", 3.0, metric="requests")
    assert chart.picture(recorded(tmp_path, counted)) is None


def at_scales(times: dict[int, tuple[float, float]]) -> list:
    one = judgement("exceeded", 3.0, arm="engineered", workload="bars")
    places = {scale: msgspec.structs.replace(one.comparison, scale=scale, unit="bars") for scale in times}
    found = [
        Result(places[scale], estimate(2.0), estimate(2.0), reference, candidate, None, 0.5, [])
        for scale, (reference, candidate) in times.items()
    ]
    return [*found, msgspec.structs.replace(one, comparison=places[min(times)])]


def test_scaling_says_slope_and_crossover(tmp_path):
    picture = drawn(SCALING.picture(recorded(tmp_path, *at_scales({100: (1e6, 2e6), 10_000: (100e6, 50e6)}))))
    said = {arm: words for arm, _, words in rows(picture)}
    assert said["baseline"] == "grows as n^1.00"
    # gains of ln(1/2) and ln(2): halfway between the logarithms of the scales
    assert said["engineered"] == "grows as n^0.70, as fast as baseline at about 1,000 bars"


def test_lines_that_never_cross_have_no_crossover(tmp_path):
    picture = drawn(SCALING.picture(recorded(tmp_path, *at_scales({100: (1e6, 5e5), 1000: (1e7, 5e6)}))))
    assert [words for _, _, words in rows(picture)] == ["grows as n^1.00"] * 2


def test_a_slow_first_call_is_made_up_for_where_the_line_crosses_one(tmp_path):
    one = judgement("exceeded", 2.0, arm="engineered", cold=Spot(6, 0.01, None, "refuted"), break_even_calls=990.0)
    found = sampled(one, [block(2000, 10_000)], first=(10_000, 1_000_000))
    found[1] = msgspec.structs.replace(found[1], reference_ns=2000.0, candidate_ns=1000.0)
    picture = drawn(BREAK_EVEN.picture(recorded(tmp_path, *found)))
    (line,) = [line for line in picture.figure.axes[0].lines if len(line.get_xdata()) > 2]
    crossing = next(x for x, y in line.get_xydata().tolist() if y >= 1)
    assert 990 <= crossing <= 990 * 1.13  # the next of 20 points a decade
    assert rows(picture)[0][2] == "990 calls"
    assert picture.alt.count(".") <= 2


def test_a_cache_is_drawn_from_the_times_of_its_hits_and_misses(tmp_path):
    """O11's hit takes 1.25 of the encoding, its miss 2.5 of it: never worth it."""
    found = []
    for workload, candidate in (("encode, hit", 1250.0), ("encode, miss", 2500.0)):
        place = Comparison("O11", workload, 6, "symbols", "baseline", "prescribed")
        found.append(Result(place, estimate(0.8), estimate(0.8), 1000.0, candidate, None, 0.5, []))
    run = recorded(tmp_path, *found, Caching("O11", "prescribed", 6, "symbols", 1.2, {"a trace": 0.5}))
    picture = drawn(HIT_RATES.picture(run))
    ((arm, ratios, pays),) = rows(picture)
    assert (arm, pays) == ("prescribed", "never: a hit costs more than computing")
    assert ratios.split("\n")[0] == "0 % hits: 0.400x"
    assert ratios.split("\n")[-1] == "100 % hits: 0.800x"


def test_a_cache_whose_record_does_not_follow_from_its_times_is_not_drawn(tmp_path):
    assert HIT_RATES.picture(recorded(tmp_path, Caching("O11", "prescribed", 6, "symbols", 0.3, {}))) is None


def test_every_reading_of_memory_is_a_mark_and_polled_ones_are_hollow(tmp_path):
    picture = drawn(MEMORY.picture(recorded(tmp_path, judgement(), *readings())))
    marks = [line for line in picture.figure.axes[0].lines if line.get_marker() not in ("None", "")]
    assert sorted(line.get_xdata()[0] for line in marks) == [25 << 20, 50 << 20, 50 << 20, 100 << 20]
    assert picture.alt.endswith("for O08 on full set.")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_variants_differ_in_hue_marker_and_line(theme):
    names = ("baseline", "prescribed", "engineered", "first five", "iloc slices", "fixed 20 s", "fixed 60 s")
    assigned = arms.assign_styles(names)
    assert len({style.marker for style in assigned.values()}) == len(names)
    styles = [assigned[arm] for arm in ("prescribed", "engineered", "first five", "fixed 20 s")]
    for channel in ("hue", "marker"):
        assert len({getattr(style, channel) for style in styles}) == len(styles)
    assert len({get_hue(style.hue, COLOURS[theme]) for style in styles}) == len(styles)


def test_what_a_run_has_on_one_optimization_is_that_and_what_concerns_the_whole(tmp_path):
    one, other = judgement(claim="O06.time"), judgement(claim="O07.time")
    run = recorded(tmp_path, result(one), result(other), one, other)
    part = run.of("O07")
    assert [each.claim for each in part.all(Judgement)] == ["O07.time"]
    assert [each.comparison.optimization for each in part.all(Result)] == ["O07"]
    assert part.run == run.run


def test_a_reference_that_served_two_candidates_is_counted_once(tmp_path):
    blocks = [block(1000, 1000), block(1020, 1000, order="BAAB")]
    both = [judgement("exceeded", 10.0, arm=arm) for arm in ("prescribed", "engineered")]
    shown = rows(drawn(ECDF.picture(recorded(tmp_path, *(each for one in both for each in sampled(one, blocks))))))
    assert [each[:2] for each in shown] == [
        ("baseline", "4 of 1 replicate"),
        ("prescribed", "4 of 1 replicate"),
        ("engineered", "4 of 1 replicate"),
    ]
