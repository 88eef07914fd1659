"""Do the sentences of a report say what its records hold?"""

import math

import msgspec
import pytest

from argo_bench.harness.calibration.standing import Calibration, Null, Power, Rate, Used
from argo_bench.harness.claims.metrics import Metric, is_count
from argo_bench.harness.claims.verdict import Word
from argo_bench.harness.record.records import Comparison, Counts, End, Judgement, Memory, Reading, Result, Run, Spot
from argo_bench.harness.record.store import Recorded, Writer, load
from argo_bench.harness.statistics.estimate import Estimate
from argo_bench.report import finding
from argo_bench.report.title import summarize, write_title

RUN = Run(
    schema=1,
    run="20260102-030405-quick",
    started="2026-01-02T03:04:05+00:00",
    command="argo-bench run --profile quick",
    profile="quick",
    isolation="shared",
    seed=1,
    looks=[6],
    symbols={"AAA": "real", "<b>BBB</b>": "generated"},
    source="installed sample",
    optimizations=["O06"],
    environment={"python": "CPython 3.11", "governor": None, "versions": {"numpy": "2.4"}, "load_average": [0.1, 0.2]},
)
END = End(seconds=31.0, interrupted=False, replicates=6)


def estimate(speedup: float, half: float | None = 0.02, level: float = 0.95) -> Estimate:
    theta = -math.log(speedup)
    if half is None:
        return Estimate(theta, None, None, level, 1, None)
    return Estimate(theta, theta - half, theta + half, level, 6, half)


def judgement(
    verdict: Word = "refuted",
    speedup: float | None = 0.208,
    *,
    claim: str = "O06.time",
    arm: str = "prescribed",
    kind: str = "reduction",
    low: float | None = 0.5,
    high: float | None = 0.7,
    headline: bool = True,
    reference: str = "baseline",
    output: str = "same",
    half: float | None = 0.02,
    flags: tuple[str, ...] = (),
    text: str = "50-70% reduction",
    workload: str = "consensus, hit",
    strip: tuple[Spot, ...] = (),
    cold: Spot | None = None,
    break_even_calls: float | None = None,
    metric: Metric = "cpu",
    curve: tuple[Spot, ...] = (),
    level_seen: tuple[float, float] | None = None,
    holds_when: str | None = None,
) -> Judgement:
    seen = None if speedup is None else estimate(speedup, half)
    return Judgement(
        claim=claim,
        optimization=claim[:3],
        arm=arm,
        text=text,
        kind=kind,
        low=low,
        high=high,
        headline=headline,
        comparison=Comparison(claim[:3], workload, 6, "symbols", reference, arm),
        metric=metric,
        speedup=None if seen is None else seen.speedup,
        interval=None if seen is None else seen.speedup_interval,
        level=None if seen is None else 1.0 if is_count(metric) else seen.level,
        verdict=verdict,
        flags=list(flags),
        output=output,
        sentence=f"what was seen of {claim}, {arm}",
        detectable=None if half is None else 1.05,
        needs="31 replicates (25 more, about 40 s in all) to tell it from 2x" if verdict == "inconclusive" else None,
        strip=list(strip),
        cold=cold,
        break_even_calls=break_even_calls,
        curve=list(curve),
        curve_unit="% ticking" if curve else "",
        level_seen=level_seen,
        holds_when=holds_when,
    )


def counts(of: Judgement, arm: str, *seen: float, workload: str | None = None, **further: float) -> list[Counts]:
    """A seed each of the judgement's metric, and the further counts, alike under every seed."""
    at = of.comparison
    return [
        Counts(
            at.optimization,
            workload or at.workload,
            at.scale,
            at.unit,  # type: ignore[arg-type]
            arm,
            seed,
            {of.metric: value, **{name.replace("_", " "): float(each) for name, each in further.items()}},
        )
        for seed, value in enumerate(seen)
    ]


def result(behind: Judgement, wall: float | None = None) -> Result:
    """The result that a judgement rests on; ``wall`` is the other clock's speed-up."""
    assert behind.speedup is not None
    half = None if behind.interval is None else 0.02
    cpu = estimate(behind.speedup, half)
    return Result(
        behind.comparison, cpu, estimate(wall, half) if wall else cpu, 51_200.0, 51_200 / behind.speedup, None, 0.5, []
    )


def recorded(directory, *records, end: End | None = END, run: Run = RUN) -> Recorded:
    """A run with these records, written and read back."""
    writer = Writer(directory / "run")
    for record in (run, *records, *([end] if end else [])):
        writer.write(record)
    writer.close()
    return load(directory / "run")


def verdicts(*words: str, output: str = "same", headline: bool = True) -> list[Judgement]:
    return [
        judgement(word, claim=f"O{number:02d}.time", output=output, headline=headline)  # type: ignore[arg-type]
        for number, word in enumerate(words, 1)
    ]


TITLES = [
    (
        verdicts("confirmed", "exceeded", "refuted", "fell short"),
        "2 of 4 claims are reached; all of them keep the output",
    ),
    (verdicts("confirmed"), "1 of 1 claim is reached; the output is kept"),
    (
        verdicts("confirmed, at least low", "void", output="differs: everything"),
        "1 of 2 claims is reached; the output is not kept",
    ),
    (
        verdicts("confirmed", "confirmed", output="not checked"),
        "2 of 2 claims are reached; none of them keeps the output",
    ),
    (
        [*verdicts("confirmed", output="differs: x"), *verdicts("exceeded", output="as declared (rounding)")],
        "2 of 2 claims are reached; 1 of them keeps the output (1 within declared limits)",
    ),
    (verdicts("refuted", "inconclusive"), "0 of 2 claims are reached"),
    (
        verdicts("untested", "failed", "failed", "confirmed"),
        "1 of 4 claims is reached; the output is kept; 1 not measured and 2 failed",
    ),
    (
        verdicts("confirmed", "refuted", headline=False),
        "No headline claim was judged; 1 of 2 further readings is reached; the output is kept",
    ),
    (
        [*verdicts("refuted"), *verdicts("confirmed", "confirmed", headline=False)],
        "0 of 1 claim is reached",
    ),
    ([], "No claim was judged"),
]


@pytest.mark.parametrize(("records", "title"), TITLES)
def test_the_title_counts_the_headline_verdicts_that_hold_and_keep_the_output(tmp_path, records, title):
    assert write_title(recorded(tmp_path, *records)) == title


def test_each_variant_has_a_sentence_of_its_own(tmp_path):
    rows = [
        judgement("confirmed", arm="prescribed", claim="A"),
        judgement("exceeded", arm="prescribed", claim="B", output="differs: missed"),
        judgement("confirmed", arm="engineered", claim="A", output="same; 3 of 86 signals lost"),
        judgement("confirmed", arm="engineered", claim="B", output="as declared (older data)"),
    ]
    run = recorded(tmp_path, *rows)
    assert write_title(run) == (
        "As published, 2 of 2 claims are reached; 1 of them keeps the output. "
        "As engineered, 2 of 2 claims are reached; all of them keep the output "
        "(1 within declared limits)"
    )
    assert [(each["arm"], each["reached"], each["same"], each["as_declared"]) for each in summarize(run)] == [
        ("prescribed", 2, 1, 0),
        ("engineered", 2, 1, 1),
    ]


def test_an_interrupted_run_says_how_far_it_came(tmp_path):
    run = recorded(tmp_path, *verdicts("confirmed"), end=End(3.0, True, 2))
    assert write_title(run) == ("Interrupted after 2 of 6 replicates: 1 of 1 claim is reached; the output is kept")


def test_a_run_without_an_end_is_called_unfinished(tmp_path):
    assert write_title(recorded(tmp_path, end=None)) == "Unfinished run: No claim was judged"


def test_the_setting_names_profile_processes_seed_and_generated_symbols(tmp_path):
    assert finding.describe_setting(recorded(tmp_path)) == (
        "Profile quick: old and new in one process, 6 replicates, seed 1; "
        "2 symbols from installed sample, 1 of them generated."
    )


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((0.203, 0.214), "0.203 to 0.214x, n=6"),
        ((0.9996, 1.0004), "known to 0.04 %, n=6"),
        ((0.998, 0.9981), "known to 0.005 %, n=6"),
        ((1.0, 1.0), "known to 0.001 %, n=6"),
        ((119.1, 119.2), "known to 0.04 %, n=6"),
        (None, "no interval, n=6"),
    ],
)
def test_an_interval_whose_ends_read_the_same_says_how_far_they_are_apart(bounds, words):
    assert finding.format_interval(bounds, 6) == words


def test_an_output_is_worded_for_readers_who_do_not_know_the_checks():
    said = finding.word_output("differs: what readers see in 9 of 27 symbol-cycles")
    assert said == "differs: rows that readers of the database see in 9 of 27 steps of a symbol"


@pytest.mark.parametrize(
    ("kind", "low", "high", "words"),
    [
        ("reduction", 0.5, 0.7, "-50 to -70 %"),
        ("reduction", 0.484, 0.484, "-48.4 %"),
        ("speedup", 10, 100, "10-100x"),
        ("speedup", 8.34, 8.34, "8.34x"),
        ("at_least", 6024, None, ">= 6,024x"),
        ("at_least", 21_492, math.nan, ">= 21,492x"),
        ("up_to", None, 2.5, "up to 2.5x"),
        ("direction", None, None, "better"),
        ("level", 0.7, None, ">= 70 %"),
        ("level", 50, 100, "50 to 100"),
    ],
)
def test_a_claimed_range_is_worded_as_it_was_published(kind, low, high, words):
    assert finding.format_claimed(kind, low, high) == words


@pytest.mark.parametrize(
    ("low", "high", "words"), [(0.5, 0.7, "2.0-3.3x"), (0.5, 0.5, "2.0x"), (0.05, 0.1, "1.05-1.11x")]
)
def test_a_claimed_reduction_is_also_given_as_a_factor(low, high, words):
    assert finding.format_claimed_as_factor("reduction", low, high) == words


def test_a_claimed_factor_needs_no_conversion():
    assert finding.format_claimed_as_factor("speedup", 10, 100) == ""


@pytest.mark.parametrize(
    ("speedup", "kind", "words"),
    [
        (0.208, "reduction", "0.21x (4.8x slower)"),
        (0.00021, "speedup", "0.00021x (4,762x slower)"),
        (0.97, "direction", "0.97x (1.03x slower)"),
        (0.998, "reduction", "1.00x"),
        (1.002, "reduction", "1.00x"),
        (2.41, "reduction", "2.41x (-59 % time)"),
        (2.41, "speedup", "2.41x"),
        (1480.0, "reduction", "1,480x (-99.93 % time)"),
        (20_000.0, "speedup", "20,000x"),
    ],
)
def test_a_loss_is_worded_as_plainly_as_a_gain(speedup, kind, words):
    assert finding.describe_measured(judgement("refuted", speedup, kind=kind)) == words


@pytest.mark.parametrize(
    ("speedup", "metric", "kind", "words"),
    [
        (3.4, "requests", "speedup", "3.40x fewer requests"),
        (3.45, "requests", "reduction", "3.45x (-71 % requests)"),
        (3.45, "dollars", "reduction", "3.45x (-71 % dollars)"),
        (0.5, "model_calls", "reduction", "0.50x (2.0x more model calls)"),
        (1.0, "model_calls", "reduction", "1.00x"),
        (2.0, "frame_bytes", "at_least", "2.00x fewer frame bytes"),
        (2.0, "peak_rss", "reduction", "2.00x (-50 % peak RSS)"),
        (2.0, "traced_peak", "direction", "2.00x less traced peak"),
        (0.8, "live_bytes", "reduction", "0.80x (1.2x more live bytes)"),
        (2.41, "wall", "reduction", "2.41x (-59 % time)"),
        (1e9, "requests", "reduction", "no requests left"),
    ],
)
def test_counts_and_memory_are_worded_by_what_they_are_of(speedup, metric, kind, words):
    assert finding.describe_measured(judgement("confirmed", speedup, metric=metric, kind=kind)) == words


@pytest.mark.parametrize(
    ("seen", "words"), [((0.12, 0.15), "hit rate 12 to 15 %"), ((0.12, 0.12), "hit rate 12 %"), (None, "not measured")]
)
def test_a_level_is_shown_as_the_range_that_was_seen(seen, words):
    assert (
        finding.describe_measured(judgement("fell short", None, kind="level", metric="hit_rate", level_seen=seen))
        == words
    )


def test_an_exact_count_has_the_range_over_its_seeds_in_the_place_of_an_interval(tmp_path):
    one = judgement("confirmed", 3.41, metric="requests", half=0.03)
    seeds = [*counts(one, "baseline", *[9] * 6), *counts(one, "prescribed", *[3] * 6), *counts(one, "other", *[3] * 8)]
    assert finding.describe_interval(recorded(tmp_path, one, *seeds), one) == "3.31 to 3.51x, 6 seeds"


def test_an_exact_count_that_is_the_same_on_all_seeds_says_so(tmp_path):
    one = judgement("confirmed", 3.0, metric="requests", half=0.0)
    run = recorded(tmp_path, one, *counts(one, "baseline", 9, 9), *counts(one, "prescribed", 3, 3))
    assert finding.describe_interval(run, one) == "the same under 2 seeds"


def test_a_level_counts_the_seeds_of_the_candidate_alone(tmp_path):
    one = judgement("fell short", None, kind="level", metric="hit_rate", level_seen=(0.1, 0.2))
    assert finding.describe_interval(recorded(tmp_path, one, *counts(one, "prescribed", 0.1, 0.2)), one) == "2 seeds"


def test_memory_has_as_many_replicates_as_it_was_read(tmp_path):
    one = judgement("confirmed", 2.0, metric="peak_rss")
    readings = [Reading("peak_rss", "VmHWM reset", True, peak_bytes=1), Reading("traced", "tracemalloc", True)]
    weighed = [Memory("O06", "consensus, hit", 6, arm, readings * 3) for arm in ("baseline", "prescribed")]
    assert finding.describe_interval(recorded(tmp_path, one, *weighed), one).endswith("x, n=3")


def test_a_count_has_no_other_clock(tmp_path):
    one = judgement("confirmed", 3.0, metric="requests", flags=("wall time says: refuted",))
    assert finding.describe_other_clock(recorded(tmp_path, result(one, wall=0.9), one), one) == ""


def test_a_claim_is_named_by_what_it_is_about_and_a_users_one_by_itself(tmp_path):
    run = recorded(tmp_path)
    assert finding.name_claim(run, judgement()) == "O06.time consensus cache"
    assert finding.name_claim(run, msgspec.structs.replace(judgement(), claim="a", optimization="a")) == "a"


def test_what_was_not_measured_is_not_given_a_number():
    assert finding.describe_measured(judgement("failed", None)) == "not measured"


def test_an_interval_stands_with_its_number_of_replicates():
    assert finding.format_interval((0.2034, 0.2141), 6) == "0.203 to 0.214x, n=6"


def test_one_replicate_has_no_interval():
    assert finding.format_interval(None, 1) == "no interval, n=1"


def test_the_other_clock_stands_beside_where_a_flag_says_that_they_disagree(tmp_path):
    flagged = judgement(flags=("worse", "wall time says: inconclusive"))
    run = recorded(tmp_path, result(flagged, wall=0.95), flagged)
    assert finding.describe_other_clock(run, flagged) == "wall time 0.95x"


def test_the_other_clock_is_left_out_where_both_agree(tmp_path):
    agreeing = judgement(flags=("worse",))
    run = recorded(tmp_path, result(agreeing, wall=0.25), agreeing)
    assert finding.describe_other_clock(run, agreeing) == ""


@pytest.mark.parametrize(
    ("nanoseconds", "words"), [(244.0, "244 ns"), (51_200.0, "51.2 us"), (1.5e6, "1.5 ms"), (1.1e9, "1.1 s")]
)
def test_a_duration_is_shown_in_the_unit_that_suits_it(nanoseconds, words):
    assert finding.format_duration(nanoseconds) == words


def test_a_single_open_question_is_answered_in_the_title_and_several_are_counted(tmp_path):
    alone = [judgement("faster", 2.0, kind="difference", claim="new against old")]
    assert write_title(recorded(tmp_path / "one", *alone)) == "What was seen of new against old, prescribed"
    words = enumerate(("faster", "faster", "slower"))
    several = [judgement(word, kind="difference", claim=f"n{number}") for number, word in words]
    assert write_title(recorded(tmp_path / "more", *several)) == "Of 3 candidates 2 faster, 1 slower"


@pytest.mark.parametrize(
    ("cold", "calls", "words"),
    [(None, None, "-"), (0.5, None, "never"), (0.5, 1234.5, "1,234 calls"), (2.0, 0.0, "at once")],
)
def test_a_slow_first_call_is_made_up_for_after_so_many_calls(cold, calls, words):
    spot = None if cold is None else Spot(6, cold, None, "inconclusive")
    assert finding.describe_break_even(judgement(cold=spot, break_even_calls=calls)) == words


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (40 << 20, "40 MiB"), (3 << 30, "3 GiB")]
)
def test_bytes_are_shown_in_the_unit_that_suits_them(number, words):
    assert finding.format_bytes(number) == words


RATE = Rate(1, 50, 0.0005, 0.106)
CALIBRATION = Calibration(
    machine="0123456789ab",
    processor="some processor",
    when="2026-01-02",
    replicates=120,
    false_positives={"millisecond, quiet": RATE},
    all_false_positives=RATE,
    any_start=0.01,
    power=[Power(1.03, Rate(9, 9, 0.66, 1.0), 0, 14.0, 10.0)],
    coverage=Rate(95, 100, 0.89, 0.98),
    coverage_stopped=Rate(98, 100, 0.93, 0.998),
    simulated=0.95,
    simulated_stopped=0.98,
    nulls=[Null("layout", 0.99, 0.98, 1.0)],
)


@pytest.mark.parametrize(
    ("where", "words"),
    [("here", "On this machine"), ("reference", "On the reference machine (some processor)")],
)
def test_a_report_says_in_one_line_where_it_was_calibrated(tmp_path, where, words):
    kept = {"calibration": msgspec.to_builtins(Used(where, CALIBRATION))}
    line = finding.describe_calibration(recorded(tmp_path, run=msgspec.structs.replace(RUN, environment=kept)))
    assert words in line
    assert "different in 2 % [0.05, 10.6] of the comparisons, and found 3 % more work in 100 % [66, 100]" in line
    assert "held the truth in 95 % [89, 98]" in line
    assert ("argo-bench calibrate" in line) == (where == "reference")


def test_a_run_without_a_calibration_says_how_to_make_one(tmp_path):
    assert finding.describe_calibration(recorded(tmp_path)).startswith(
        "How often this program errs here is not known: argo-bench calibrate"
    )
