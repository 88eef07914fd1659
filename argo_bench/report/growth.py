"""Tabulates how the time of a user's functions grows with the size of their input."""

from __future__ import annotations

from argo_bench.harness.claims.metrics import CLOCKS
from argo_bench.harness.judging.slopes import UNSTEADY, Step, find_steps
from argo_bench.harness.record.store import Recorded
from argo_bench.report.tables import Column, Row, Table

NOTE = (
    "Between two sizes time grows with this power of the size. Its 95 % interval allows for "
    f"{100 * UNSTEADY:g} % by which calls may run faster at one size. A usual way to grow is named where it is the "
    "only one that the interval contains."
)


def tabulate_growth(recorded: Recorded) -> Table:
    """Tabulate the local slope of every function between every two neighbouring sizes."""
    rows = [
        Row((each.function, f"{each.low:,} to {each.high:,}", _describe_slope(each), each.describe()))
        for each in find_steps(recorded)
    ]
    columns = (Column("function", 20), Column("items", 16), Column("power", 28), Column("grows like", None))
    return Table("How time grows", NOTE, columns, tuple(rows))


def _describe_slope(step: Step) -> str:
    """Return the slope with its interval and clock, as in ``1.02 [0.99, 1.05], CPU time``."""
    slope = step.slope
    if slope.low is None or slope.high is None:
        return f"{slope.theta:.2f}"
    return f"{slope.theta:.2f} [{slope.low:.2f}, {slope.high:.2f}], {CLOCKS[step.clock]}"
