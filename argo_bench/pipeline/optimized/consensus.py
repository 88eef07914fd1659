"""The weighted vote is remembered here for votes and regimes that were counted before, or counted for many symbols."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from argo_bench.pipeline.arrays import LONG, REGIMES, SHORT, ConsensusColumn, RegimeColumn, SignalTable
from argo_bench.pipeline.baseline.consensus import ACCEPTED, WEIGHTS
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import SOURCES, Regime, Signals, Stage, World

SCHEMA = f"1:{ACCEPTED}:{sorted((regime, sorted(weights.items())) for regime, weights in WEIGHTS.items())}"
"""Names what the votes were counted with, so that entries counted
with other weights or another threshold are never served."""


def votes(signals: Signals, regime: Regime) -> Hashable:
    """Return all that the vote reads, as a small tuple."""
    return regime, *signals.items()


def remember(consensus: Stage) -> Memo:
    """Wrap the consensus stage in a Memo.

    The vote is a pure function, so nothing expires; the bound is ten minutes of a universe of 120 symbols.
    """
    return Memo(consensus, votes, maxsize=16_384, disk=True, schema=SCHEMA)


WEIGHTS_BY_NUMBER = np.array([[WEIGHTS[REGIMES[number]][source] for number in sorted(REGIMES)] for source in SOURCES])
"""The weights as an array of shape (4, regimes): one row a source, one column a number of a regime."""


def consensus_of_many(world: World, signals: SignalTable, regimes: RegimeColumn) -> ConsensusColumn:
    """Count the votes of many symbols, in the fixed source order, so that every sum rounds as that of one symbol."""
    longs, shorts, present = np.zeros((3, len(signals)))
    weights = WEIGHTS_BY_NUMBER[:, regimes.numbers]
    for directions, confidences, weight in zip(signals.directions, signals.confidences, weights, strict=True):
        is_long, is_short = directions == LONG, directions == SHORT
        vote = confidences * weight
        longs += np.where(is_long, vote, 0.0)
        shorts += np.where(is_short, vote, 0.0)
        present += np.where(is_long | is_short, weight, 0.0)
    # Without a vote both sides are equal, so that what is divided by zero there is not looked at.
    confidences = np.maximum(longs, shorts) / np.where(present > 0.0, present, 1.0)
    winners = np.where(longs > shorts, LONG, SHORT)
    is_accepted = (longs != shorts) & (confidences >= ACCEPTED)
    return ConsensusColumn(np.where(is_accepted, winners, 0).astype(np.int8), confidences)
