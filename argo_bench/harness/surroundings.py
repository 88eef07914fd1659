"""What runs around a run: a place on disk, and the servers behind the loopback world. Nothing is left behind.

Workers find the servers in the environment. Servers run on the orchestrator's processor, not on the workers'; they end
with the orchestrator however it ends, and the place on disk is removed by a process that outlives it.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from argo_bench.errors import UserError
from argo_bench.extras import Requirement
from argo_bench.harness.machine.environment import worker_cpu
from argo_bench.optimizations.optimization import Server
from argo_bench.parent import cleaner
from argo_bench.pipeline.world import redis
from argo_bench.pipeline.world.database import file_system, is_disk
from argo_bench.pipeline.world.loopback import Address

PROVIDERS, REDIS = "ARGO_BENCH_PROVIDERS", "ARGO_BENCH_REDIS"
"""Environment variables with the providers' address and the shared store's URL, for workers."""
SCRATCH = "ARGO_BENCH_SCRATCH"
"""The environment variable that says where scratch directories go."""
MODULES = (Requirement("aiohttp", "loopback"), Requirement("requests", "loopback"), Requirement("trustme", "loopback"))
CLIENT = Requirement("redis", "redis")


@dataclass(slots=True)
class Surroundings:
    """``scratch`` is on a disk where there is one, ``file_system`` its type; ``missing`` says why a server that was
    asked for is not there, and the way out."""

    scratch: Path
    file_system: str
    address: Address | None = None
    redis: redis.Server | None = None
    missing: dict[Server, str] = field(default_factory=dict)


@contextmanager
def surroundings(servers: Collection[Server]) -> Iterator[Surroundings]:
    """The servers, started, and a scratch directory, which is also where this process and its children put what is
    temporary; all of it gone at the end."""
    before = {name: os.environ.get(name) for name in ("TMPDIR", PROVIDERS, REDIS)}
    with ExitStack() as stack:
        scratch = place() / f"argo-bench-{secrets.token_hex(8)}"
        stack.enter_context(cleaner(scratch))  # before there is anything to remove: a kill may come at any moment
        scratch.mkdir(mode=0o700)
        stack.callback(_end_what_runs_in, scratch)
        stack.callback(_restore, before)
        _put_temporary_files_in(scratch)
        found = Surroundings(scratch, file_system(scratch))
        if "providers" in servers:
            _start_providers(stack, found)
        if "redis" in servers:
            _start_redis(stack, found)
        yield found


def place() -> Path:
    """Where scratch directories go: ARGO_BENCH_SCRATCH, else the first of the usual places that is on a disk.

    Raises UserError where ARGO_BENCH_SCRATCH cannot be written to.
    """
    if chosen := os.environ.get(SCRATCH):
        if not (os.path.isdir(chosen) and os.access(chosen, os.W_OK)):
            raise UserError(f"{SCRATCH}: expected a directory that can be written to, got {chosen!r}; make or unset it")
        return Path(chosen).resolve()
    usual = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd()]
    return next((each for each in usual if os.access(each, os.W_OK) and is_disk(each)), usual[0])


def _end_what_runs_in(scratch: Path) -> None:
    """Kill what was started within, in a session of its own, and still runs, as it does after an interrupt: it would go
    on writing there."""
    for child in psutil.Process().children():
        with suppress(psutil.Error, ProcessLookupError):
            if child.environ().get("TMPDIR") == str(scratch) and os.getsid(child.pid) == child.pid:
                child.kill()


def _put_temporary_files_in(scratch: Path) -> None:
    os.environ["TMPDIR"] = str(scratch)
    tempfile.tempdir = None


def _restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    tempfile.tempdir = None


def _start_providers(stack: ExitStack, found: Surroundings) -> None:
    if absent := [each for each in MODULES if not each.is_met]:
        found.missing["providers"] = f"{absent[0].module} is not installed: {absent[0].install_line}"
        return
    from argo_bench.pipeline.world.providers import started

    try:
        found.address = stack.enter_context(started(server_cpu()))
    except UserError as error:
        found.missing["providers"] = str(error)
    else:
        os.environ[PROVIDERS] = found.address.to_json()


def _start_redis(stack: ExitStack, found: Surroundings) -> None:
    if not CLIENT.is_met:
        found.missing["redis"] = f"{CLIENT.module} is not installed: {CLIENT.install_line}"
        return
    try:
        found.redis = stack.enter_context(redis.Server(server_cpu()))
    except UserError as error:
        found.missing["redis"] = str(error)
    else:
        os.environ[REDIS] = found.redis.url


def server_cpu() -> int | None:
    """The processor for servers: the first one allowed, where workers have another."""
    if worker_cpu() is None or sys.platform != "linux":
        return None
    return min(os.sched_getaffinity(0))


def address_of_providers() -> Address | None:
    """The providers' address as a worker finds it."""
    text = os.environ.get(PROVIDERS)
    return Address.from_json(text) if text else None


def redis_url() -> str | None:
    """The shared store's URL as a worker finds it."""
    return os.environ.get(REDIS)
