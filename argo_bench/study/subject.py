"""An optimization becomes a subject of the harness here: its arms are replays of recorded inputs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from argo_bench.errors import UserError
from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import CLOCKS, MEMORY, Method, is_count, is_memory
from argo_bench.harness.functions import search_path
from argo_bench.harness.plan import Profile
from argo_bench.harness.record.records import Comparison, Declaration, Fidelity, WorkloadFacts
from argo_bench.harness.subject import Ask, Counting, MemoryQuestion, OutputCheck, Settled, Tell, Trial
from argo_bench.harness.workers.messages import Arm, arm_of
from argo_bench.optimizations import headline_claims
from argo_bench.optimizations.optimization import COUNTS, CYCLE, SIMPLE, VARIANTS, Optimization, Workload, is_left_out
from argo_bench.study.counts import StageCounting
from argo_bench.study.recording import find_shortage, record, write_inputs
from argo_bench.study.supply import PUBLISHED, MarketSupply, make_call
from argo_bench.study.trials import trials

FACTORY = "argo_bench.study.replay:stage_body"
OTHER_SEEDS = 2
"""The number of seeds under which counts are taken at other
scales than the headline one, and of arms without a claim."""
ARMS_AT_ONCE = 6
"""So many sets of which one is left out are counted together: in one piece they are what a run waits for at the end."""
Place = tuple[str, int]
"""A workload and a scale, which together share recorded inputs."""


@dataclass(slots=True)
class StudySubject:
    """Presents an optimization on a market as a subject.

    ``inputs`` are the files of recorded inputs that belong to the replicate's seed and the folder in ``fed_with``.
    """

    optimization: Optimization
    supply: MarketSupply
    fed_with: tuple[int, Path] | None = None
    inputs: dict[Place, Path] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.optimization.id

    @property
    def name(self) -> str:
        return self.optimization.name

    @property
    def variants(self) -> tuple[str, ...]:
        return self.optimization.variants

    @property
    def claims(self) -> tuple[Claim, ...]:
        return self.optimization.claims

    def declaration(self) -> Declaration:
        return declaration_of(self.optimization)

    def comparisons(self, profile: Profile) -> list[Comparison]:
        return plan_comparisons(self.optimization, profile)

    def memory_questions(self, profile: Profile) -> list[MemoryQuestion]:
        """Ask for the memory behind claims on memory, and where every claim is judged behind headline claims on times.

        The methods that judge are asked under several hash seeds, the others once. The simple way is read beside the
        variants where a headline claim is about memory.
        """
        declared, judging = self.declaration(), {each.method for each in MEMORY.values()}
        found: dict[Comparison, dict[Method, tuple[int, ...]]] = {}
        for claim in profile.claims(self.claims):
            is_about_memory = is_memory(claim.metric)
            is_asked = is_about_memory or (profile.every_claim and not is_count(claim.metric))
            asked = profile.memory if claim.headline and is_asked else ()
            methods = {method: profile.memory_seeds for method in asked if method in judging}
            if is_about_memory:
                methods |= {method: 1 for method in asked if method not in judging}
                own = profile.memory_claim_seeds if claim.headline else profile.memory_seeds
                methods[MEMORY[claim.metric].method] = own
            is_laid_beside = is_about_memory and claim.headline and profile.every_claim
            simple = (SIMPLE,) if is_laid_beside and self.optimization.simple is not None else ()
            for arm in (*self.variants, *simple) if methods else ():
                looks = found.setdefault(declared.headline_comparison(claim, arm), {})
                looks |= {method: (max(seeds, *looks.get(method, (0,))),) for method, seeds in methods.items()}
        return [MemoryQuestion(comparison, looks) for comparison, looks in found.items()]

    def obstacles(self, comparisons: Sequence[Comparison]) -> list[tuple[str, str, Collection[Comparison]]]:
        """Return the arms whose modules are not installed, and the workloads that the data is too short for.

        Each comes with the reason and the comparisons that it prevents.
        """
        found: list[tuple[str, str, Collection[Comparison]]] = []
        for arm, requirement in self.optimization.requires.items():
            if not requirement.is_met:
                reason = f"{requirement.module} is not installed: {requirement.install_line}"
                gone = [each for each in comparisons if arm in (each.reference, each.candidate)]
                found.append((arm, reason, gone))
        reasons: dict[str, list[Comparison]] = {}
        for each in comparisons:
            workload = self.optimization.workload(each.workload)
            why = find_shortage(workload, each.scale, self.supply.universe)
            if why is not None and not workload.generates:
                reasons.setdefault(why, []).append(each)
        return found + [("every arm", why, gone) for why, gone in reasons.items()]

    def needs(self, comparison: Comparison) -> frozenset[str]:
        return frozenset(self.optimization.workload(comparison.workload).servers)

    def settle(self, reference: Ask, candidate: Ask, scratch: Path) -> Settled:
        return self.settle_unchecked()

    def confirm(self, reference: Ask, candidate: Ask, scratch: Path) -> None:
        """Return nothing: the outputs of stages are compared by the checks."""

    def settle_unchecked(self) -> Settled:
        return Settled(self, (), is_faithful=True)

    def feed(self, comparisons: Sequence[Comparison], seed: int, scratch: Path, tell: Tell) -> Mapping[Comparison, str]:
        """Record the inputs of every stage with a replicate's seed, beside those that are recorded with it already.

        Returns the comparisons that got no input, with the reason.
        """
        if (seed, scratch) != self.fed_with:
            self.fed_with, self.inputs = (seed, scratch), {}
        barren: dict[Place, str] = {}
        for each in comparisons:
            place = each.workload, each.scale
            if place in self.inputs or place in barren:
                continue
            tell(f"recording {each.workload} at {each.scale}")
            workload = self.optimization.workload(each.workload)
            try:
                recording = record(workload, self.supply.universe, each.scale, seed)
            except UserError as error:
                barren[place] = str(error)
                continue
            name = re.sub(r"\W", "_", self.id)
            self.inputs[place] = scratch / f"inputs-{name}-{len(self.inputs)}.pickle"
            write_inputs(self.inputs[place], recording)
        return {
            each: barren[each.workload, each.scale] for each in comparisons if (each.workload, each.scale) in barren
        }

    def arm(self, comparison: Comparison, name: str, scratch: Path) -> Arm:
        place = comparison.workload, comparison.scale
        return stage_arm(self.id, place, name, self.inputs[place])

    def checks(self, comparisons: Sequence[Comparison], scratch: Path) -> list[OutputCheck]:
        """Return the checks: of outputs against the reference's on every workload, of each variant on the named
        cases, on markets and while providers fail, and of the simple way on the first two of these."""
        found = {}
        for each in comparisons:
            if each.reference == "baseline" or self.optimization.workload(each.workload).damage is not None:
                found[each.candidate, each.workload] = self._check_of(each)
        of_variants = [each for variant in VARIANTS for each in self._checks_of_variant(variant, scratch)]
        of_simple = [] if self.optimization.simple is None else self._checks_of_variant(SIMPLE, scratch)[:2]
        return [*found.values(), *of_variants, *of_simple]

    def _checks_of_variant(self, variant: str, scratch: Path) -> list[OutputCheck]:
        of = {"optimization": self.id, "variant": variant}
        return [
            OutputCheck(variant, None, "cases", make_call("cases", of), Fidelity),
            OutputCheck(variant, None, "markets", self.supply.call("markets", scratch, of), Fidelity),
            OutputCheck(variant, None, "failures", self.supply.call("failures", scratch, of, half=True), Fidelity),
        ]

    def _check_of(self, comparison: Comparison) -> OutputCheck:
        arguments = {
            "optimization": self.id,
            "workload": comparison.workload,
            "arm": comparison.candidate,
            "reference": "baseline",
            "inputs": str(self.inputs[comparison.workload, comparison.scale]),
        }
        call = make_call("workload", arguments)
        return OutputCheck(comparison.candidate, comparison.workload, "workload", call, Fidelity)

    def countings(self, profile: Profile, seeds: Sequence[int]) -> list[Counting]:
        """Return the countings of every workload that has counts.

        It has them where a claim speaks of a count, or where it says what an arm does to the output. Sets of which one
        is left out are counted under the first seed, in every profile.
        """
        found: list[Counting] = []
        for workload in self.optimization.workloads:
            claims = claims_about(self.optimization, workload, profile)
            edits = self.optimization.edits(workload)
            is_own_trace = workload.opinion_minutes is None  # at other time constants only what is judged is counted
            left_out = tuple(filter(is_left_out, edits)) if is_own_trace and not workload.timed else ()
            tells = left_out or (workload.damage is not None and (profile.every_claim or claims))
            if workload.servers or not (tells or any(is_count(claim.metric) for claim in claims)):
                continue
            references = [claim.against(variant) for claim in claims for variant in VARIANTS]
            simple = () if self.optimization.simple is None else (SIMPLE,)
            judged = tuple(dict.fromkeys(("baseline", *VARIANTS, *simple, *references)))
            arms = dict.fromkeys(profile.scales(workload.scales), judged)
            if profile.every_claim and is_own_trace:
                arms[workload.scales[0]] = tuple(arm for arm in edits if arm not in left_out)
            for number, seed in enumerate(seeds):
                counted = arms if number < OTHER_SEEDS else _keep_judged(arms, judged)
                found.append(StageCounting(self.id, workload.name, seed, counted))
            for begin in range(0, len(left_out), ARMS_AT_ONCE):
                part = {workload.scales[0]: left_out[begin : begin + ARMS_AT_ONCE]}
                found.append(StageCounting(self.id, workload.name, seeds[0], part))
        return found

    def trials(self, profile: Profile) -> list[Trial]:
        is_wanted = profile.full_trials or profile.every_claim
        own = [each for each in trials() if each.optimization == self.id and is_wanted]
        return [each.on(self.supply, profile.full_trials) for each in own if profile.full_trials or not each.study]


def stage_arm(optimization: str, place: Place, name: str, inputs: Path) -> Arm:
    """Return an arm of an optimization's workload at a scale, fed from a file of recorded inputs."""
    workload, scale = place
    arguments = {"optimization": optimization, "workload": workload, "arm": name, "inputs": str(inputs)}
    key = f"{optimization} {workload} {scale} {name}"
    return arm_of(name, FACTORY, arguments, tuple(search_path()), key)


def declaration_of(optimization: Optimization) -> Declaration:
    """Return what a record says of an optimization."""
    own = {claim.id for claim in optimization.claims if claim.headline}
    is_published = own <= {claim.id for claim in headline_claims()}
    metrics = {claim.metric for claim in optimization.claims}
    return Declaration(
        optimization.id,
        optimization.name,
        [*optimization.variants],
        [*optimization.claims],
        [_state_facts(workload) for workload in optimization.workloads],
        family=PUBLISHED if is_published else optimization.id,
        nouns={metric: noun for metric, noun in COUNTS.items() if metric in metrics},
        may_change=optimization.may_change,
    )


def _state_facts(workload: Workload) -> WorkloadFacts:
    is_modelled = workload.stage == CYCLE and not workload.servers and workload.latency_scale > 0
    return WorkloadFacts(workload.name, workload.unit, [*workload.scales], workload.stage, workload.inputs, is_modelled)


def plan_comparisons(optimization: Optimization, profile: Profile) -> list[Comparison]:
    """Return every comparison of a run: all variants on every workload, further arms at the headline scale."""
    comparisons: dict[Comparison, None] = {}
    for workload in optimization.workloads:
        claims = claims_about(optimization, workload, profile)
        if not profile.every_claim:
            claims = [claim for claim in claims if claim.metric in CLOCKS]
        if not workload.timed or not (claims or profile.every_claim):
            continue
        pairs = [("baseline", variant) for variant in VARIANTS] if profile.every_claim else []
        pairs += [(claim.against(variant), variant) for claim in claims for variant in VARIANTS]
        arms = optimization.edits(workload) if profile.every_claim else {}
        left = () if profile.full_trials else workload.study_arms.keys() - workload.arms.keys()
        extra = [arm for arm in arms if arm != "baseline" and arm not in VARIANTS and arm not in left]
        for scale in profile.scales(workload.scales):
            further = _pair_further(extra, claims) if scale == workload.scales[0] else []
            for reference, candidate in pairs + further:
                comparison = Comparison(optimization.id, workload.name, scale, workload.unit, reference, candidate)
                comparisons[comparison] = None
    return list(comparisons)


def _pair_further(arms: Sequence[str], claims: Sequence[Claim]) -> list[tuple[str, str]]:
    """Return each arm with the baseline; the simple way with what the variants of every claim are compared with."""
    found = []
    for arm in arms:
        own = [each.reference for each in claims if each.metric in CLOCKS and "{" not in each.reference]
        references = own if arm == SIMPLE and own else ["baseline"]
        found += [(reference, arm) for reference in dict.fromkeys(references)]
    return found


def claims_about(optimization: Optimization, workload: Workload, profile: Profile) -> list[Claim]:
    """Return the claims that a profile judges on a workload, or for which it reads a curve of it."""
    return [
        claim
        for claim in profile.claims(optimization.claims)
        if workload.name in (claim.workload, claim.curve if profile.every_scale else "")
    ]


def _keep_judged(arms: Mapping[int, tuple[str, ...]], judged: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """Return, for the headline scale alone, the arms that claims rest on."""
    scale, names = next(iter(arms.items()))
    return {scale: tuple(name for name in names if name in judged)}
