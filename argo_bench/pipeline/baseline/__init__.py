"""The pipeline before any optimization is assembled here, one file a part; ``PIPELINE`` is the record of them."""

from argo_bench.pipeline.baseline.consensus import consensus
from argo_bench.pipeline.baseline.encode import encode
from argo_bench.pipeline.baseline.fetch import fetch
from argo_bench.pipeline.baseline.frame import frame
from argo_bench.pipeline.baseline.indicators import indicators
from argo_bench.pipeline.baseline.read import read
from argo_bench.pipeline.baseline.reason import reason
from argo_bench.pipeline.baseline.regime import regime
from argo_bench.pipeline.baseline.schedule import schedule
from argo_bench.pipeline.baseline.signals import signals
from argo_bench.pipeline.baseline.store import store
from argo_bench.pipeline.baseline.transport import transport
from argo_bench.pipeline.baseline.validate import validate
from argo_bench.pipeline.record import Pipeline

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
