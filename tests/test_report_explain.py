"""Does explain show the claims and the code that really runs, and mend a name that is not there?"""

from io import StringIO

import pytest
from rich.console import Console

from argo_bench.errors import UserError
from argo_bench.optimizations import catalogue, subjects
from argo_bench.study.report.explain import explain_optimization, explain_stage, tabulate_optimizations


def printed(renderable, width: int = 120) -> str:
    console = Console(width=width, file=StringIO(), color_system=None)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("identifier", list(subjects()))
@pytest.mark.parametrize("width", [80, 160])
def test_every_optimization_is_explained_within_the_width_of_the_console(identifier, width):
    text = printed(explain_optimization(subjects()[identifier]), width)
    assert max(len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("identifier", list(subjects()))
def test_every_claim_stands_with_its_words_and_its_reading(identifier):
    optimization = subjects()[identifier]
    text = printed(explain_optimization(optimization), 400)
    for claim in optimization.claims:
        assert f'"{claim.text}"' in text
        assert claim.reading in text


@pytest.mark.parametrize(
    ("identifier", "code"),
    [
        ("O06", "def consensus(world: World"),
        ("O06", "class TextKeyedCache:"),
        ("O06", "return Memo(consensus, votes"),
        ("O02", "async def fetch_sources("),  # under the coalescer
        ("O02", "class AtOnce:"),
        ("FIVE", "class AdaptiveTTL(Cached):"),
        ("ALL", "class Incremental:"),
        ("O08", 'frame["close"].rolling(50, min_periods=1)'),
        ("O08", "def latest_indicators("),
        ("O11", "class JSONCache:"),
        ("O11", "def canonical("),
    ],
)
def test_the_code_that_runs_is_shown_with_all_that_it_calls(identifier, code):
    assert code in printed(explain_optimization(subjects()[identifier]), 97)  # as wide as one source alone can be


def test_sources_stand_beside_each_other_on_a_wide_console():
    lines = printed(explain_optimization(catalogue()["O06"]), 200).splitlines()
    assert any("baseline" in line and "prescribed" in line and "engineered" in line for line in lines)


def test_as_many_sources_as_there_is_room_for_stand_beside_each_other():
    lines = printed(explain_optimization(catalogue()["O06"]), 120).splitlines()
    assert any(line.startswith("baseline ") and " prescribed " in line for line in lines)
    assert any(line.startswith("engineered ") for line in lines)


def test_sources_stand_below_each_other_on_a_narrow_console():
    lines = printed(explain_optimization(catalogue()["O06"]), 80).splitlines()
    assert not any("def consensus" in line and "class TextKeyedCache" in line for line in lines)


def test_a_long_line_of_code_goes_on_further_in():
    lines = [line.rstrip() for line in printed(explain_stage("encode"), 80).splitlines()]
    broken = lines.index("        Encoded(decision, json.dumps(payload(decision)),")
    assert lines[broken + 1] == "                json.dumps(payload(decision)), digest(decision))"


def test_a_stage_stands_with_both_files_and_the_optimizations_that_touch_it():
    text = printed(explain_stage("consensus"))
    assert "argo_bench/pipeline/baseline/consensus.py" in text
    assert "argo_bench/pipeline/optimized/consensus.py" in text
    assert "O06 consensus cache: prescribed, engineered" in text


def test_an_unknown_stage_is_answered_with_the_closest_name():
    with pytest.raises(UserError, match=r"unknown stage 'indicatrs': expected one of .*; did you mean indicators\?"):
        explain_stage("indicatrs")


def test_a_name_like_none_is_answered_with_all_names():
    with pytest.raises(UserError, match=r"expected one of transport, fetch, .*schedule$"):
        explain_stage("zzz")


def test_the_listing_has_a_row_for_every_headline_claim():
    lines = printed(tabulate_optimizations(list(catalogue().values())), 300).splitlines()[1:]
    assert [line.split()[0] for line in lines if line.startswith("O")] == list(catalogue())
    assert len(lines) == sum(claim.headline for each in catalogue().values() for claim in each.claims)


def test_a_claim_about_a_count_is_not_said_to_be_about_a_time():
    text = printed(explain_optimization(catalogue()["O12"]), 200)
    assert "Judged on the workload: reason, a trading day; by model calls, compared with baseline" in text
    assert "Judged on the workload: cycle, live; by wall time, compared with baseline" in text


def test_a_reference_that_depends_on_the_variant_is_named_for_both():
    text = printed(explain_optimization(subjects()["ALL"]), 200)
    assert "wall time, compared with first five, prescribed or first five, engineered" in text
    assert "{variant}" not in text
