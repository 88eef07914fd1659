"""The lines of a record that the study alone writes are defined here: they say what its market was like."""

from __future__ import annotations

import msgspec


class Acceptance(msgspec.Struct, frozen=True, tag="acceptance"):
    """Counts how many of the workload's symbol-cycles the consensus accepted."""

    symbol_cycles: int
    accepted: int

    @property
    def rate(self) -> float:
        return self.accepted / self.symbol_cycles


class LiveRates(msgspec.Struct, frozen=True, tag="live rates"):
    """Holds the share of 5 s steps in which each symbol's quote moves, from its own volatility and quote step."""

    rates: dict[str, float]
