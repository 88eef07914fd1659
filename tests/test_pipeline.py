"""Is a pipeline a record of functions, and an optimization an edit of it?"""

import random

import pytest

from argo_bench.errors import UserError
from argo_bench.optimizations import BASELINE, OPTIMIZED, build, canonical_id, catalogue, lookup
from argo_bench.optimizations.optimization import CYCLE, VARIANTS
from argo_bench.optimizations.together import ALL_IDS
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.record import PARTS, Cycle, cycle, find_changed_parts
from argo_bench.pipeline.world import SimulatedWorld

IDS = list(catalogue())


def test_the_empty_selection_builds_the_baseline():
    assert build(BASELINE) == baseline.PIPELINE
    assert find_changed_parts(build(BASELINE), baseline.PIPELINE) == {}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("identifier", IDS)
def test_every_variant_changes_the_part_that_it_is_about(identifier, variant):
    differing = find_changed_parts(baseline.PIPELINE, build({identifier: variant}))
    stages = {workload.stage for workload in catalogue()[identifier].workloads} - {CYCLE}
    assert differing
    assert not stages or stages & differing.keys() or "transport" in differing


def test_changed_sees_through_wrappers_to_the_code():
    wrapped = baseline.PIPELINE.replace(regime=Memo(baseline.PIPELINE.regime))
    again = baseline.PIPELINE.replace(regime=Memo(baseline.PIPELINE.regime))
    assert set(find_changed_parts(baseline.PIPELINE, wrapped)) == {"regime"}
    assert find_changed_parts(wrapped, again) == {}


def test_building_twice_gives_two_cold_caches(small_universe):
    first, second = build({"O06": "engineered"}), build({"O06": "engineered"})
    assert first.consensus is not second.consensus
    with SimulatedWorld(Tape(small_universe.frames, seed=1), latency_scale=0) as world:
        world.run(cycle(first, world, small_universe.symbols, 0))
    assert first.consensus.misses > 0
    assert second.consensus.misses == 0


LATER = [pytest.param(each, marks=pytest.mark.slow) for each in range(10, 200)]


@pytest.mark.parametrize("number", [*range(10), *LATER])
def test_random_subsets_of_the_optimizations_build_and_run(number, small_universe):
    rng = random.Random(number)
    selection = {each: rng.choice(VARIANTS) for each in IDS if rng.random() < 0.7}
    walked = walk(build(selection), small_universe, number)
    assert [type(each) for each in walked] == [Cycle, Cycle]
    for each in walked:
        assert {decision.symbol for decision in each.decided} <= set(small_universe.symbols[:3])
        assert len(each.stored) + len(each.rejected) == len(each.decided)
        assert all(decision.reasoning and decision.stop != decision.target for decision in each.decided)


@pytest.mark.parametrize("number", range(20))
def test_random_subsets_of_the_engineered_variants_decide_as_the_baseline_does(number, small_universe):
    rng = random.Random(number)
    selection = {each: "engineered" for each in IDS if rng.random() < 0.7}
    expected, got = (walk(each, small_universe, number) for each in (baseline.PIPELINE, build(selection)))
    # The second cycle may be decided on data of the first: that is what O03 declares.
    assert list(map(kept, got[0].decided)) == list(map(kept, expected[0].decided))


def walk(pipeline, universe, seed):
    """Two cycles over three symbols."""
    tape = Tape({symbol: universe.frames[symbol] for symbol in universe.symbols[:3]}, seed=seed)
    with SimulatedWorld(tape, seed=seed, latency_scale=0) as world:
        return [world.run(cycle(pipeline, world, tape.symbols, number)) for number in range(2)]


def kept(decision):
    """What no engineered variant may change."""
    return decision.symbol, decision.direction, decision.entry, decision.stop, decision.target, decision.regime


def test_a_user_may_write_ids_as_people_do():
    assert [canonical_id(text) for text in ("O08", "o8", "8", " 08 ", "JSON cache")] == [
        "O08",
        "O08",
        "O08",
        "O08",
        "O11",
    ]


@pytest.mark.parametrize(("typed", "meant"), [("O88", "O08"), ("vectorised indicators", "O08"), ("jason cache", "O11")])
def test_an_unknown_optimization_is_refused_with_the_closest_name(typed, meant):
    with pytest.raises(UserError, match=f"unknown optimization '{typed}'.*did you mean {meant}"):
        lookup([typed])


def test_an_unknown_variant_is_refused():
    with pytest.raises(UserError, match="expected the variant prescribed or engineered, got 'fast'"):
        build({"O08": "fast"})


def test_optimized_engineers_all_fifteen():
    assert dict.fromkeys(ALL_IDS, "engineered") == OPTIMIZED


def test_a_pipeline_has_the_thirteen_parts():
    assert len(PARTS) == 13


def test_claims_have_unique_ids_and_name_workloads_that_exist():
    claims = [claim for optimization in catalogue().values() for claim in optimization.claims]
    assert len({claim.id for claim in claims}) == len(claims)
    for optimization in catalogue().values():
        assert {claim.workload for claim in optimization.claims} <= {each.name for each in optimization.workloads}
        assert any(claim.headline for claim in optimization.claims)
        assert {claim.curve for claim in optimization.claims} - {""} <= {each.name for each in optimization.workloads}
        for claim in optimization.claims:
            assert claim.reference in optimization.edits(optimization.workload(claim.workload))
