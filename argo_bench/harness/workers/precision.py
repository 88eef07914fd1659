"""Finds a candidate that computes with half the digits: all its numbers fit into 32 bits, and the baseline's do not.

It uses the standard library alone. numpy and pandas are never imported here.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .causes import Suspicion

MOST = 10_000
"""So many numbers are looked at."""
ROUNDED = 1e-10
"""Sums in another order differ by less than this share; numbers of 32 bits are rounded at 6e-8."""


def describe_precision(expected: Any, got: Any) -> Suspicion | None:
    """Say that outputs which agree do so to single precision alone."""
    pairs = list(itertools.islice(zip(list_floats(expected), list_floats(got), strict=False), MOST))
    fractions = [pair for pair in pairs if all(map(math.isfinite, pair)) and not pair[1].is_integer()]
    if not all(_is_single(other) for _, other in fractions) or all(_is_single(one) for one, _ in fractions):
        return None
    largest = max(abs(one - other) / max(abs(one), abs(other)) for one, other in fractions)
    if largest < ROUNDED:
        return None
    return Suspicion("lowers precision", f"computes in single precision: outputs differ by up to {largest:.2g}")


def _is_single(number: float) -> bool:
    try:
        return bool(struct.unpack("f", struct.pack("f", number))[0] == number)
    except OverflowError:
        return False


def list_floats(value: Any) -> Iterator[float]:
    """Yield the floats within a value in their order; in those of a mapping by the order of its keys' texts."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if isinstance(value, float):
        yield float(value)
    elif numpy is not None and isinstance(value, numpy.ndarray | numpy.floating):
        if value.dtype.kind == "f":
            yield from numpy.ravel(value)[:MOST].astype(float).tolist()
        elif value.dtype.kind == "O":
            yield from _list_floats_of(value.ravel()[:MOST].tolist())
    elif pandas is not None and isinstance(value, pandas.DataFrame):
        yield from _list_floats_of([value[name].to_numpy() for name in value.columns])
    elif pandas is not None and isinstance(value, pandas.Series | pandas.Index):
        yield from list_floats(value.to_numpy())
    elif isinstance(value, Mapping):
        yield from _list_floats_of([value[key] for key in sorted(value, key=repr)])
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from _list_floats_of([getattr(value, each.name) for each in dataclasses.fields(value)])
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
        yield from _list_floats_of(value)


def _list_floats_of(values: Sequence[Any]) -> Iterator[float]:
    for each in values:
        yield from list_floats(each)
