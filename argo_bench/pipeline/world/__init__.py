"""The worlds that a pipeline can run in: today the simulated one."""

from argo_bench.pipeline.world.simulated import SimulatedWorld

__all__ = ["SimulatedWorld"]
