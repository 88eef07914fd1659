"""Splits what is to be measured into shards, such as 2/8, the second of eight: every eighth of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")


class ShardNumber(NamedTuple):
    """Holds the number of a shard, from 1, and how many there are."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> ShardNumber:
        """Read a shard such as ``2/8``. Raises ValueError for anything else."""
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise ValueError(f"expected a shard such as 2/8, the second of eight, got {text!r}")
        return cls(int(number), int(of))

    def select(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items that this shard has, in their order."""
        return items[self.number - 1 :: self.of]
