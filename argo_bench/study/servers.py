"""The servers behind the loopback world are started here: the providers and the shared store.

Workers find them by environment variables. The servers run on the orchestrator's processor, not on the workers', and
end with the orchestrator however it ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from argo_bench.errors import UserError
from argo_bench.extras import Requirement
from argo_bench.harness.machine.environment import worker_cpu
from argo_bench.harness.subject import Around
from argo_bench.pipeline.world import redis
from argo_bench.pipeline.world.loopback import Address

PROVIDERS, REDIS = "ARGO_BENCH_PROVIDERS", "ARGO_BENCH_REDIS"
"""Environment variables that hold the providers' address and the shared store's URL, for workers."""
MODULES = (Requirement("aiohttp", "loopback"), Requirement("requests", "loopback"), Requirement("trustme", "loopback"))
CLIENT = Requirement("redis", "redis")


@dataclass(slots=True)
class Servers:
    """Holds the servers that run; None for one that was not asked for or is not there."""

    address: Address | None = None
    redis: redis.Server | None = None


@contextmanager
def start_servers(needs: Collection[str], around: Around) -> Iterator[None]:
    """Start the servers that are needed and hold them as ``around.servers``; they end with the block.

    What cannot be started is named in ``around.missing``, with the reason.
    """
    before = {name: os.environ.get(name) for name in (PROVIDERS, REDIS)}
    with ExitStack() as stack:
        around.servers = servers = Servers()
        stack.callback(_restore, before)
        if "providers" in needs:
            _start_providers(stack, servers, around)
        if "redis" in needs:
            _start_redis(stack, servers, around)
        around.facts["shared_store"] = None if servers.redis is None else redis.find()
        yield


def _restore(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _start_providers(stack: ExitStack, servers: Servers, around: Around) -> None:
    if absent := [each for each in MODULES if not each.is_met]:
        around.missing["providers"] = f"{absent[0].module} is not installed: {absent[0].install_line}"
        return
    from argo_bench.pipeline.world.providers import start_providers

    try:
        servers.address = stack.enter_context(start_providers(server_cpu()))
    except UserError as error:
        around.missing["providers"] = str(error)
    else:
        os.environ[PROVIDERS] = servers.address.to_json()


def _start_redis(stack: ExitStack, servers: Servers, around: Around) -> None:
    if not CLIENT.is_met:
        around.missing["redis"] = f"{CLIENT.module} is not installed: {CLIENT.install_line}"
        return
    try:
        servers.redis = stack.enter_context(redis.Server(server_cpu()))
    except UserError as error:
        around.missing["redis"] = str(error)
    else:
        os.environ[REDIS] = servers.redis.url


def server_cpu() -> int | None:
    """Return the processor for servers: the first one allowed, or None where workers have none of their own."""
    if worker_cpu() is None or sys.platform != "linux":
        return None
    return min(os.sched_getaffinity(0))


def address_of_providers() -> Address | None:
    """Return the providers' address as a worker finds it."""
    text = os.environ.get(PROVIDERS)
    return Address.from_json(text) if text else None


def redis_url() -> str | None:
    """Return the shared store's URL as a worker finds it."""
    return os.environ.get(REDIS)
