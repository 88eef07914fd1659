"""A fetch stage whose answers all processes share through the store is defined here. It can do without the store.

What is fetched belongs to a cycle: the same symbol in the same cycle is the same market, whoever asked first. So the
cycle is part of the key, nothing served is older than its cycle, and the lifetime of a minute only bounds the store's
memory.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import xxhash

from argo_bench.pipeline.memo import SEAL, Memo, content_key
from argo_bench.pipeline.model import Bars, Fetched, Opinions, Stage, StoreError, World
from argo_bench.pipeline.record import settle
from argo_bench.pipeline.world.base import OPINION
from argo_bench.pipeline.world.content import MODELS, uniform

SCHEMA = 1
"""The version of the bytes' layout; entries of another one are never read."""

TTL_S = 60.0
JITTER = 0.1
"""The share by which lifetimes are shortened at most, so that what was stored together does not expire together."""

LOCAL_ENTRIES = 1024
"""The number of entries kept in the process: two cycles of a universe of 500 symbols, 15 kB each."""

RETRY_S = 1.0
ASKED = repr((OPINION, MODELS["x_sentiment"], MODELS["sonar"]))
"""Names what else the answers depend on, since another model's opinion is another answer."""


class SharedFetch:
    """Fetches through the process's own memory, then the store behind it, then the providers behind that.

    Within a process one call fetches for all that ask together; processes that ask for the same at the same moment all
    fetch. While the store is down everything is fetched. An entry is served only if its seal, over its key and its
    bytes, is right. Without ``keeps_locally`` every call reads the store.

    ``misses`` counts what was fetched, ``found`` what the store had, and ``hits`` what either the store or the process
    had. ``unusable`` counts entries of the store that were corrupt or of another schema, ``failures`` commands without
    answer.
    """

    def __init__(self, fetch: Stage, *, keeps_locally: bool = True) -> None:
        self.__wrapped__ = fetch
        self.found = 0
        self.misses = 0
        self.unusable = 0
        self.failures = 0
        self._circuit = Circuit()
        self._local = Memo(
            self._fetch_shared,
            lambda symbol, key: key,
            ttl_s=TTL_S,
            maxsize=LOCAL_ENTRIES,
            keep=lambda body: keeps_locally,
        )

    @property
    def hits(self) -> int:
        return self._local.hits + self.found

    async def __call__(self, world: World, symbol: str) -> Fetched:
        return decode_fetched(await settle(self._local(world, symbol, key_of(world, symbol))))

    async def _fetch_shared(self, world: World, symbol: str, key: str) -> bytes:
        body = await self._read(world, key)
        if body is not None:
            self.found += 1
            return body
        self.misses += 1
        body = encode_fetched(await settle(self.__wrapped__(world, symbol)))
        await self._write(world, key, body)
        return body

    async def _read(self, world: World, key: str) -> bytes | None:
        if not self._circuit.is_closed(world.now()):
            return None
        try:
            stored = await world.redis.get(key)
        except StoreError:
            self._note_failure(world)
            return None
        self._circuit.close()
        if stored is None:
            return None
        body = unseal(key, stored)
        self.unusable += body is None
        return body

    async def _write(self, world: World, key: str, body: bytes) -> None:
        if not self._circuit.is_closed(world.now()):
            return
        try:
            await world.redis.set(key, seal(key, body), TTL_S * (1 - JITTER * uniform(key)))
        except StoreError:
            self._note_failure(world)
        else:
            self._circuit.close()

    def _note_failure(self, world: World) -> None:
        self.failures += 1
        self._circuit.open(world.now())


class Circuit:
    """Decides whether the store is asked. After a failure nobody asks it for a second, then one call tries for all."""

    def __init__(self) -> None:
        self._is_open = False
        self._retry_at = 0.0

    def is_closed(self, now: float) -> bool:
        if self._is_open:
            if now < self._retry_at:
                return False
            self._retry_at = now + RETRY_S
        return True

    def open(self, now: float) -> None:
        self._is_open = True
        self._retry_at = now + RETRY_S

    def close(self) -> None:
        self._is_open = False


def key_of(world: World, symbol: str) -> str:
    """Return the symbol's key in the current cycle."""
    return f"argo:{SCHEMA}:fetched:{symbol}:{content_key(world.nominal_time(), ASKED).hex()}"


def seal(key: str, body: bytes) -> bytes:
    """Return the schema, an XXH3-128 over key and body, and the body, as one string of bytes."""
    return bytes([SCHEMA]) + digest_of(key, body) + body


def unseal(key: str, stored: bytes) -> bytes | None:
    """Return the body, or None for anything but a whole entry of this key in this schema."""
    body = stored[1 + SEAL :]
    is_whole = stored[:1] == bytes([SCHEMA]) and stored[1 : 1 + SEAL] == digest_of(key, body)
    return body if is_whole else None


def digest_of(key: str, body: bytes) -> bytes:
    digest = xxhash.xxh3_128(key.encode())
    digest.update(body)
    return digest.digest()


class Layout(msgspec.Struct, array_like=True, frozen=True):
    """Describes the MessagePack of what was fetched: the arrays as their bytes, each with its dtype."""

    symbol: str
    stamps: tuple[str, bytes]
    values: tuple[str, bytes]
    technical: dict[str, float]
    x_sentiment: str
    sonar: str


DECODER = msgspec.msgpack.Decoder(Layout)


def encode_fetched(fetched: Fetched) -> bytes:
    bars, opinions = fetched.bars, fetched.opinions
    arrays = raw(bars.timestamps), raw(bars.values)
    technical = {what: float(value) for what, value in opinions.technical.items()}
    return msgspec.msgpack.encode(Layout(bars.symbol, *arrays, technical, opinions.x_sentiment, opinions.sonar))


def decode_fetched(body: bytes) -> Fetched:
    """Decode what was fetched, the same to the last bit. Its arrays are views of the bytes and cannot be written to."""
    layout = DECODER.decode(body)
    (stamps_type, stamps), (values_type, values) = layout.stamps, layout.values
    bars = Bars(layout.symbol, np.frombuffer(stamps, stamps_type), np.frombuffer(values, values_type).reshape(5, -1))
    return Fetched(bars, Opinions(layout.technical, layout.x_sentiment, layout.sonar))


def raw(array: np.ndarray[Any, Any]) -> tuple[str, bytes]:
    return array.dtype.str, array.tobytes()
