"""Turns Callgrind's counting on and off from within the process that it runs, so that start-up is not counted.

A program talks to Valgrind by a sequence of instructions that does nothing on a processor: valgrind.h and callgrind.h
(Valgrind 3.19) have it, with the numbers of the requests. It is written to executable memory here. This file uses the
standard library alone.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...errors import UserError

X86_64 = bytes.fromhex(
    "4889f8"  # mov rax, rdi: the request
    "31d2"  # xor edx, edx: the answer without Valgrind
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi, 3, 13, 61, 51
    "4887db"  # xchg rbx, rbx
    "4889d0"  # mov rax, rdx: the answer
    "c3"  # ret
)
AARCH64 = b"".join(
    word.to_bytes(4, "little")
    for word in (
        *(0xAA0003E4, 0xAA1F03E3),  # mov x4, x0: the request; mov x3, xzr: the answer without Valgrind
        *(0x93CC0D8C, 0x93CC358C, 0x93CCCD8C, 0x93CCF58C),  # ror x12, x12, 3, 13, 51, 61
        0xAA0A014A,  # orr x10, x10, x10
        *(0xAA0303E0, 0xD65F03C0),  # mov x0, x3: the answer; ret
    )
)
PROGRAMS = {"x86_64": X86_64, "AMD64": X86_64, "aarch64": AARCH64, "arm64": AARCH64}
RUNNING_ON_VALGRIND = 0x1001
DUMP_STATS = ord("C") << 24 | ord("T") << 16
START_INSTRUMENTATION, STOP_INSTRUMENTATION = DUMP_STATS + 4, DUMP_STATS + 5
WORDS = 6
"""A request is a number and five arguments."""


class Callgrind:
    """Asks Callgrind to count within a block.

    Raises UserError where this process does not run under Callgrind, or on a processor whose sequence is not known.
    """

    def __init__(self) -> None:
        self._ask = _load(platform.machine())
        if not self._request(RUNNING_ON_VALGRIND):
            raise UserError("Valgrind does not answer: expected a process that runs under Callgrind")

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the instructions within the block, and let Callgrind write them to its next numbered file."""
        self._request(START_INSTRUMENTATION)
        try:
            yield
        finally:
            self._request(STOP_INSTRUMENTATION)
            self._request(DUMP_STATS)

    def _request(self, number: int) -> int:
        words = (ctypes.c_size_t * WORDS)(number)
        return self._ask(ctypes.addressof(words))


def _load(machine: str) -> Callable[[int], int]:
    program = PROGRAMS.get(machine)
    if program is None:
        raise UserError(f"instructions cannot be counted on {machine}: expected x86_64 or aarch64")
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(program)
    held = ctypes.c_char.from_buffer(memory)  # which keeps the memory as long as the function
    call = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_size_t)(ctypes.addressof(held))
    call.memory = held  # type: ignore[attr-defined]
    return call
