"""The weighted vote is remembered here for votes and regimes that were counted before."""

from __future__ import annotations

from collections.abc import Hashable

from argo_bench.pipeline.baseline.consensus import ACCEPTED, WEIGHTS
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import Regime, Signals, Stage

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
