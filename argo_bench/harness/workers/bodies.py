"""What can be timed: the body of an arm, whether it replays a stage of the pipeline or calls a user's function."""

from __future__ import annotations

from typing import Any, Protocol

from argo_bench.harness.workers.messages import Arm, FunctionArm
from argo_bench.harness.workers.timing import WARM_UP_NS, Timing


class Body(Protocol):
    """One arm, built and ready. A pass is ``calls`` calls; everything that is prepared is prepared outside the time."""

    calls: int
    few: int
    """Calls that a check or a reading of memory can do with: a pass may have more, and may wait in every one."""
    is_stored: bool
    """Whether what a pass returns is in a database: then only what the arm keeps is worth weighing."""

    def first_call(self) -> Any:
        """What the first call of a pass returns, on the state as built."""

    def results(self) -> list[Any]:
        """What every call of a pass returns, on newly built state."""

    def keep(self, calls: int) -> None:
        """Make a pass shorter: so many calls at the most, where it can be cut."""

    def prepared(self) -> Any:
        """The calls of one pass, with the copies and the new state that they need."""

    def timed(self, prepared: Any, passes: int) -> Timing:
        """The timed region: the prepared calls, so many times."""

    def sample(self, passes: int) -> Timing:
        """So many passes with what they need, on both clocks: wall (hybrid) and CPU of this process."""

    def warm_up(self, least_ns: int = WARM_UP_NS) -> int:
        """Warm up for so long at least; the passes that make a sample."""

    def drained_ns(self) -> float | None:
        """What is put off until the arm's world closes, per call of a pass on cold state; None where state is kept."""

    def close(self) -> None:
        """Let the state go."""


def body_of(arm: Arm) -> Body:
    """The arm's body, built in this process. A user's functions need nothing of the pipeline to be imported."""
    if isinstance(arm, FunctionArm):
        from argo_bench.harness.functions import function_body

        return function_body(arm)
    from argo_bench.study.replay import stage_body

    return stage_body(arm)
