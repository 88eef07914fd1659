"""A world is what a pipeline runs in; this package exports the simulated one, the loopback one is in ``loopback``."""

from argo_bench.pipeline.world.simulated import SimulatedWorld, Simulation

__all__ = ["SimulatedWorld", "Simulation"]
