"""Wrappers here watch a part of the pipeline without changing it, so that stages themselves carry no probes."""

from __future__ import annotations

from typing import Any

from argo_bench.pipeline.model import Stage, World


class Recorder:
    """Wraps a stage and remembers the arguments of every call until they are taken."""

    __slots__ = ("__wrapped__", "_calls")

    def __init__(self, stage: Stage) -> None:
        self.__wrapped__ = stage
        self._calls: list[tuple[Any, ...]] = []

    def __call__(self, world: World, *arguments: Any) -> Any:
        self._calls.append(arguments)
        return self.__wrapped__(world, *arguments)

    def take_calls(self) -> list[tuple[Any, ...]]:
        """Return the arguments (without the World) of the calls since the last time."""
        calls, self._calls = self._calls, []
        return calls
