"""Votes of all sources in all combinations and regimes, with confidences around what is accepted."""

from __future__ import annotations

import itertools
from typing import Any

from argo_bench.pipeline.baseline.consensus import ACCEPTED, WEIGHTS
from argo_bench.pipeline.model import SOURCES, Signal
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import step_from
from argo_bench.study.checking.scene import Scene

CASES = Cases("consensus")
CONFIDENCES = ((75.0,) * 4, (90.0, 75.0, 75.0, 60.0), (60.0, 88.5, 75.0, 100.0), (80.0, 80.04, 79.96, 80.0))
VOTES = ("LONG", "SHORT", "NEUTRAL", None)


def vote(scene: Scene, votes: dict[str, Signal], regime: str) -> Any:
    return scene.call("consensus", votes, regime)


def ballots(confidences: tuple[float, ...]) -> list[dict[str, Signal]]:
    """Return every way in which the four sources may vote or be missing, with these confidences."""
    return [
        {
            source: Signal(direction, confidence)  # type: ignore[arg-type]
            for source, direction, confidence in zip(SOURCES, directions, confidences, strict=True)
            if direction is not None
        }
        for directions in itertools.product(VOTES, repeat=len(SOURCES))
    ]


@CASES("every combination of votes in every regime")
def every_combination(scene: Scene) -> Any:
    seen = []
    for confidences in CONFIDENCES:
        for votes in ballots(confidences):
            seen += [vote(scene, votes, regime) for regime in WEIGHTS]
    return seen


@CASES("the same votes again, later, in another order of the regimes")
def again(scene: Scene) -> Any:
    seen = []
    for _ in range(2):
        for votes in ballots(CONFIDENCES[1])[::5]:
            seen += [vote(scene, votes, regime) for regime in reversed(tuple(WEIGHTS))]
        scene.pass_cycles(20)
    return seen


@CASES("a confidence at the limit, and the nearest ones beside it")
def at_the_limit(scene: Scene) -> Any:
    edges = (ACCEPTED, step_from(ACCEPTED, up=True), step_from(ACCEPTED, up=False), 74.95, 75.049, 74.996)
    return [
        vote(scene, {source: Signal(direction, edge)}, regime)
        for edge in edges
        for source in SOURCES
        for direction in ("LONG", "SHORT")
        for regime in WEIGHTS
    ]


@CASES("ties, and votes that differ by less than a rounding would show")
def ties(scene: Scene) -> Any:
    seen = []
    for regime in WEIGHTS:
        for nudge in (0.0, 1e-9, -1e-9, 0.004, -0.004):
            seen.append(vote(scene, {"x_sentiment": Signal("LONG", 90.0), "sonar": Signal("SHORT", 90.0)}, regime))
            equal = 90.0 * WEIGHTS[regime]["massive"] / WEIGHTS[regime]["alpha_vantage"]
            votes = {"massive": Signal("LONG", 90.0), "alpha_vantage": Signal("SHORT", equal + nudge)}
            seen.append(vote(scene, votes, regime))
    return seen


@CASES("confidences that agree in their first digits only")
def near(scene: Scene) -> Any:
    near_by = (88.0, 88.0000001, 88.001, 88.01, 88.04, 88.049, 88.4, 89.0, 0.0, 100.0)
    return [
        vote(scene, {"massive": Signal("LONG", each), "sonar": Signal("LONG", 80.0)}, regime)
        for each in near_by
        for regime in WEIGHTS
    ]


@CASES("the same votes given in another order of the sources")
def other_order(scene: Scene) -> Any:
    votes = ballots(CONFIDENCES[2])[0]
    turned = dict(reversed(votes.items()))
    return [vote(scene, each, regime) for regime in WEIGHTS for each in (votes, turned, votes)]


@CASES("a restart between votes")
def restarted(scene: Scene) -> Any:
    seen = []
    for _ in range(2):
        for votes in ballots(CONFIDENCES[1])[:24]:
            seen += [vote(scene, votes, regime) for regime in WEIGHTS]
        scene.restart()
    return seen


@CASES("a restart after which the files that were kept are damaged")
def damaged(scene: Scene) -> Any:
    seen = []
    for _ in range(2):
        for votes in ballots(CONFIDENCES[2])[:12]:
            seen += [vote(scene, votes, regime) for regime in WEIGHTS]
        scene.restart()
        scene.damage_files()
    return seen
