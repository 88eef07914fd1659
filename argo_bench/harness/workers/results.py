"""Writes what a function returned, in full or as a sample, for a comparison in another process.

It uses the standard library alone, and relative imports.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
import sys
import zlib
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

SAMPLED_ABOVE = 1 << 20
"""Results of more bytes are compared by a sample of their items, once they have been compared in full."""
ITEMS, CHUNKS, CHUNK = 1000, 64, 4096
"""A sample has about so many items of a collection, or so many pieces of a text of so many characters each."""


class Written(NamedTuple):
    """Says why a result was not written, or None, and the digest of what was."""

    unread: str | None
    digest: str


class TooLarge(Exception):
    """Says that a result has more bytes than it may have."""


class _Limited:
    """A file in memory that takes no more than ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self.parts: list[bytes] = []
        self._left = most

    def write(self, part: bytes) -> int:
        size = memoryview(part).nbytes
        self._left -= size
        if self._left < 0:
            raise TooLarge
        self.parts.append(bytes(part))
        return size


def write_result(result: Any, file: Path, most: int | None = None) -> Written:
    """Write a result to a file; one of more than ``most`` bytes is not written, nor one that cannot be pickled."""
    try:
        return write_packed(pack(result, most), file)
    except TooLarge:
        return Written(f"more than {most} bytes", "")
    except Exception as error:  # noqa: BLE001 - what cannot be pickled refuses in any way
        return Written(f"{type(error).__name__}: {error}", "")


def write_packed(content: bytes, file: Path) -> Written:
    file.write_bytes(content)
    return Written(None, hashlib.blake2b(content).hexdigest())


def pack(result: Any, most: int | None = None) -> bytes:
    """Pickle a result. Raises TooLarge where it has more than ``most`` bytes."""
    if most is None:
        return pickle.dumps(result)
    target = _Limited(most)
    pickle.Pickler(target).dump(result)
    return b"".join(target.parts)


def pack_if_possible(result: Any) -> bytes | None:
    try:
        return pack(result)
    except Exception:  # noqa: BLE001 - what cannot be pickled refuses in any way
        return None


def copy_result(result: Any) -> Any:
    """Return a copy that later calls cannot change, or the result itself where it cannot be copied."""
    try:
        return copy.deepcopy(result)
    except Exception:  # noqa: BLE001 - results may refuse to be copied in any way
        return result


def sample(result: Any) -> Any:
    """Return the length of a result with about a thousand of its items, the same ones in every process."""
    if isinstance(result, str | bytes | bytearray | memoryview):
        step = max(CHUNK, len(result) // CHUNKS)
        return [len(result), [result[start : start + CHUNK] for start in range(0, len(result), step)]]
    if isinstance(result, Mapping):
        return [len(result), {key: result[key] for key in result if _is_chosen(key, len(result))}]
    if isinstance(result, Set):
        return [len(result), {each for each in result if _is_chosen(each, len(result))}]
    if _is(result, "numpy", "ndarray"):
        step = max(1, result.size // ITEMS)
        return [list(result.shape), str(result.dtype.kind), result.ravel()[::step]]
    if _is(result, "pandas", "DataFrame") or _is(result, "pandas", "Series") or _is(result, "pandas", "Index"):
        step = max(1, len(result) // ITEMS)
        return [list(result.shape), (result if _is(result, "pandas", "Index") else result.iloc)[::step]]
    if isinstance(result, Sequence):
        return [len(result), [result[place] for place in range(0, len(result), max(1, len(result) // ITEMS))]]
    return result


def _is_chosen(key: Any, size: int) -> bool:
    """Choose about a thousand of so many keys by what they look like, which order and process do not change."""
    return zlib.crc32(repr(key).encode()) % max(1, size // ITEMS) == 0


def _is(value: Any, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name, ()))
