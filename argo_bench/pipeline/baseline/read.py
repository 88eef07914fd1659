"""The queries that readers issue after a cycle are made here, asked of the database each time."""

from __future__ import annotations

from collections.abc import Sequence

from argo_bench.pipeline.model import Readings, World

LATEST = "SELECT * FROM signals ORDER BY timestamp DESC, id DESC LIMIT 10"
LATEST_OF_SYMBOL = "SELECT * FROM signals WHERE symbol = ? ORDER BY timestamp DESC, id DESC LIMIT 10"
WIN_RATE = "SELECT AVG(outcome = 'win') FROM signals WHERE outcome IS NOT NULL"


def read(world: World, symbols: Sequence[str]) -> Readings:
    """Read the latest ten signals, the latest ten of one symbol (another one each cycle), and the win rate."""
    symbol = symbols[world.cycle % len(symbols)]
    return Readings(
        latest=world.query(LATEST),
        latest_of_symbol=world.query(LATEST_OF_SYMBOL, (symbol,)),
        win_rate=world.query(WIN_RATE)[0][0],
    )
