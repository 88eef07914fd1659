"""Market data comes from here: bars that are read or generated, the symbols of a study, and the ticks within a day."""

from argo_bench.pipeline.market.generator import Generated, generate
from argo_bench.pipeline.market.quotes import is_crypto, round_to_quotes, trading_seconds
from argo_bench.pipeline.market.reader import read_bars
from argo_bench.pipeline.market.ticks import Tape, live_change_rate
from argo_bench.pipeline.market.universe import Universe, installed_sample, read_universe

__all__ = [
    "Generated",
    "Tape",
    "Universe",
    "generate",
    "installed_sample",
    "is_crypto",
    "live_change_rate",
    "read_bars",
    "read_universe",
    "round_to_quotes",
    "trading_seconds",
]
