"""Indicators at and around every threshold, and replies of models that can and cannot be parsed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from argo_bench.pipeline.baseline.signals import HIGH_VOLUME, STRONG_TREND
from argo_bench.pipeline.model import Indicators, Opinions
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import step_from
from argo_bench.study.checking.scene import Scene

CASES = Cases("signals")
RISING = Indicators(
    *(110.0, 106.0, 103.0, 98.0, 108.0, 105.0, 3.0, 2.0, 1.0, 63.0, 1.4, 31.0, 14.0),
    *(28.0, 112.0, 106.0, 100.0, 1.1e6, 1.3, 0.004, 0.011, 0.012, 0.013),
)
FALLING = replace(RISING, close=95.0, sma20=99.0, sma50=102.0, macd=-3.0, macd_signal=-2.0, macd_hist=-1.0, rsi14=37.0)
FIGURES = {"rsi": 63.0, "sma": 106.0, "quote": 110.0}
REPLIES = (
    *("direction=LONG confidence=75", "direction=SHORT confidence=82.5", "direction=NEUTRAL confidence=60"),
    *("direction=LONG confidence=0", "direction=LONG confidence=100", "direction=LONG confidence=75.0"),
    *("", "LONG", "direction=long confidence=75", "direction=LONG confidence=75 ", " direction=LONG confidence=75"),
    *("direction=LONG confidence=75\n", "direction=LONG confidence=-5", "direction=LONG confidence=7e1"),
    *("direction=LONG  confidence=75", "direction=LONGER confidence=75", "direction=SHORT confidence=75."),
    *("direction=SHORT confidence=.5", "confidence=75 direction=LONG", "direction=LONG confidence=75%"),
)


def signal(scene: Scene, indicators: Indicators, x: str = REPLIES[0], sonar: str = REPLIES[1]) -> Any:
    found = scene.call("signals", indicators, Opinions(FIGURES, x, sonar))
    return found, dict(scene.ledger.failures)


@CASES("every reply from both models")
def replies(scene: Scene) -> Any:
    return [
        *(signal(scene, RISING, each) for each in REPLIES),
        *(signal(scene, FALLING, sonar=each) for each in REPLIES),
        *(signal(scene, RISING, each, each) for each in REPLIES),
    ]


@CASES("the price above, at and below both averages, in every order")
def trends(scene: Scene) -> Any:
    levels = (99.0, 100.0, 101.0)
    return [
        signal(scene, replace(RISING, close=close, sma20=s20, sma50=s50))
        for close in levels
        for s20 in levels
        for s50 in levels
    ]


@CASES("volume and trend strength at their thresholds")
def thresholds(scene: Scene) -> Any:
    volumes = (HIGH_VOLUME, step_from(HIGH_VOLUME, up=True), step_from(HIGH_VOLUME, up=False), 0.0, math.nan)
    strengths = (25.0, step_from(float(STRONG_TREND), up=True), 24.9, 80.0, math.nan)
    return [
        signal(scene, replace(base, volume_ratio=volume, adx14=strength))
        for base in (RISING, FALLING)
        for volume in volumes
        for strength in strengths
    ]


@CASES("momentum at its thresholds")
def momentum(scene: Scene) -> Any:
    strengths = (0.0, 20.0, 49.9, 50.0, step_from(50.0, up=True), 50.1, 79.9, 80.0, 80.1, 100.0, math.nan)
    crossings = ((1.0, 0.5), (0.5, 1.0), (1.0, 1.0), (-1.0, -2.0), (-2.0, -1.0), (math.nan, 1.0))
    return [
        signal(scene, replace(RISING, rsi14=rsi, macd=macd, macd_signal=line, macd_hist=macd - line))
        for rsi in strengths
        for macd, line in crossings
    ]


@CASES("histories that were too short for an average")
def short(scene: Scene) -> Any:
    missing = ("sma20", "sma50", "sma200", "macd", "macd_signal", "rsi14", "adx14", "volume_ratio")
    return [signal(scene, replace(base, **{name: math.nan})) for base in (RISING, FALLING) for name in missing]
