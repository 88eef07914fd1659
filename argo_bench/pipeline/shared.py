"""A fetch stage whose answers all processes share through the store is defined here. It can do without the store.

What is fetched belongs to a cycle: the same symbol in the same cycle is the same market, whoever asked first. So the
cycle is part of the key, nothing served is older than its cycle, and the lifetime of a minute only bounds the store's
memory. Callers who accept older data say how old; then the key is the symbol's alone.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash

from argo_bench.pipeline.memo import SEAL, Memo, content_key
from argo_bench.pipeline.model import Bars, Fetched, Opinions, Stage, StoreError, World
from argo_bench.pipeline.record import find_at_hand, settle
from argo_bench.pipeline.world.base import OPINION
from argo_bench.pipeline.world.content import MODELS, uniform

SCHEMA = 2
"""The version of the bytes' layout; entries of another one are never read."""

TTL_S = 60.0
JITTER = 0.1
"""The share by which lifetimes are shortened at most, so that what was stored together does not expire together."""

RETRY_S = 1.0
ASKED = repr((OPINION, MODELS["x_sentiment"], MODELS["sonar"]))
"""Names what else the answers depend on, since another model's opinion is another answer."""


class SharedFetch:
    """Fetches through the process's own memory, then the store behind it, then the providers behind that.

    Within a process one call fetches for all that ask together; processes that ask for the same at the same moment all
    fetch. While the store is down everything is fetched. An entry is served only if its seal, over its key and its
    bytes, is right. ``accepts_s`` is how old a market the callers accept; by default it is that of their own cycle. The
    process keeps one entry per symbol, 15 kB each; without ``keeps_locally`` every call reads the store.

    ``misses`` counts what was fetched, ``found`` what the store had, and ``hits`` what either the store or the process
    had. ``unusable`` counts entries of the store that were corrupt or of another schema, ``failures`` commands without
    answer. An entry that is too old is fetched anew.
    """

    def __init__(self, fetch: Stage, *, accepts_s: float = 0.0, keeps_locally: bool = True) -> None:
        self.__wrapped__ = fetch
        self.found = 0
        self.misses = 0
        self.unusable = 0
        self.failures = 0
        self._accepts_s = accepts_s
        self._circuit = Circuit()
        self._local = LatestOfSymbol(self._fetch_shared, accepts_s, keeps=keeps_locally)

    @property
    def hits(self) -> int:
        return self._local.hits + self.found

    async def __call__(self, world: World, symbol: str) -> Fetched:
        return decode_fetched(await settle(self._local(world, symbol, self._key(world, symbol))))

    @property
    def at_hand(self) -> Stage | None:
        """What the wrapped stage has at hand: what a process knows by itself it need not ask the store for."""
        return find_at_hand(self.__wrapped__)

    def _key(self, world: World, symbol: str) -> str:
        return latest_key_of(symbol) if self._accepts_s else key_of(world, symbol)

    async def _fetch_shared(self, world: World, symbol: str, key: str) -> bytes:
        body = await self._read(world, key)
        if body is not None and is_accepted(world, body, self._accepts_s):
            self.found += 1
            return body
        self.misses += 1
        asked_at = world.now()
        body = encode_fetched(await settle(self.__wrapped__(world, symbol)), asked_at)
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
            # Where its age is looked at, an entry must not leave the store before it is too old.
            ttl_s = (TTL_S + self._accepts_s) * (1 - JITTER * uniform(key))
            await world.redis.set(key, seal(key, body), ttl_s)
        except StoreError:
            self._note_failure(world)
        else:
            self._circuit.close()

    def _note_failure(self, world: World) -> None:
        self.failures += 1
        self._circuit.open(world.now())


class Held(NamedTuple):
    """Holds the entry of a symbol: its key, its bytes, and until when they are served."""

    key: str
    body: bytes
    until: float


class LatestOfSymbol:
    """Keeps the latest entry of each symbol in the process, and fetches once for all that ask for the same together.

    ``fetch`` takes the world, the symbol and the entry's key. An entry of another key is never served, and one that is
    ``accepts_s`` old neither. ``hits`` counts the answers that were held or waited for.
    """

    def __init__(self, fetch: Stage, accepts_s: float, *, keeps: bool) -> None:
        self._held: dict[str, Held] = {}
        self._found = 0
        self._flights = Memo(fetch, lambda symbol, key: key, keep=lambda body: False)
        self._accepts_s = accepts_s
        self._keeps = keeps

    @property
    def hits(self) -> int:
        return self._found + self._flights.hits

    async def __call__(self, world: World, symbol: str, key: str) -> bytes:
        held = self._held.get(symbol)
        if held is not None and held.key == key and world.now() < held.until:
            self._found += 1
            return held.body
        body: bytes = await settle(self._flights(world, symbol, key))
        if self._keeps:
            until = asked_at(body) + self._accepts_s if self._accepts_s else math.inf
            self._held[symbol] = Held(key, body, until)
        return body


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


def latest_key_of(symbol: str) -> str:
    """Return the symbol's key where callers accept data of other cycles."""
    return f"argo:{SCHEMA}:latest:{symbol}:{content_key(ASKED).hex()}"


def is_accepted(world: World, body: bytes, accepts_s: float) -> bool:
    """Say whether an entry is young enough. One of this cycle's key always is."""
    return not accepts_s or world.now() < asked_at(body) + accepts_s


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
    asked_at: float = 0.0


DECODER = msgspec.msgpack.Decoder(Layout)


def encode_fetched(fetched: Fetched, asked_at: float = 0.0) -> bytes:
    """Encode what was fetched, with when it was asked for, in seconds since the epoch."""
    bars, opinions = fetched.bars, fetched.opinions
    arrays = raw(bars.timestamps), raw(bars.values)
    technical = {what: float(value) for what, value in opinions.technical.items()}
    return msgspec.msgpack.encode(
        Layout(bars.symbol, *arrays, technical, opinions.x_sentiment, opinions.sonar, asked_at)
    )


def asked_at(body: bytes) -> float:
    return DECODER.decode(body).asked_at


def decode_fetched(body: bytes) -> Fetched:
    """Decode what was fetched, the same to the last bit. Its arrays are views of the bytes and cannot be written to."""
    layout = DECODER.decode(body)
    (stamps_type, stamps), (values_type, values) = layout.stamps, layout.values
    bars = Bars(layout.symbol, np.frombuffer(stamps, stamps_type), np.frombuffer(values, values_type).reshape(5, -1))
    return Fetched(bars, Opinions(layout.technical, layout.x_sentiment, layout.sonar))


def raw(array: np.ndarray[Any, Any]) -> tuple[str, bytes]:
    return array.dtype.str, array.tobytes()
