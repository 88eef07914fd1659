"""The pipeline before any optimization, one part a file. ``BASELINE`` is the record of them."""

from argo_bench.baseline.consensus import consensus
from argo_bench.baseline.encode import encode
from argo_bench.baseline.fetch import fetch
from argo_bench.baseline.frame import frame
from argo_bench.baseline.indicators import indicators
from argo_bench.baseline.read import read
from argo_bench.baseline.reason import reason
from argo_bench.baseline.regime import regime
from argo_bench.baseline.schedule import schedule
from argo_bench.baseline.signals import signals
from argo_bench.baseline.store import store
from argo_bench.baseline.transport import transport
from argo_bench.baseline.validate import validate
from argo_bench.pipeline import Pipeline

PIPELINE = Pipeline(
    transport=transport,
    fetch=fetch,
    frame=frame,
    indicators=indicators,
    regime=regime,
    signals=signals,
    consensus=consensus,
    reason=reason,
    validate=validate,
    encode=encode,
    store=store,
    read=read,
    schedule=schedule,
)
