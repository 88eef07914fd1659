"""Requests travel here as they do before optimizing: every one on a connection of its own."""

from __future__ import annotations

from typing import Any

from argo_bench.pipeline.model import Pending, Request, World


def transport(world: World, request: Request) -> Pending[Any]:
    """Send the request on a new connection."""
    world.connect(request.provider)
    return world.exchange(request)
