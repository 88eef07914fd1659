"""Twelve functions whose peak of memory is known from first principles, beyond what their setup made before.

Sizes are in bytes: 8 a float64, 4 a float32; CPython's objects take blocks of 16 bytes from its allocator, so that a
float (24) and a small int (28) take 32 each, and a slot of a list takes 8. What is imported inside a function is
imported by its first call.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from typing import Any, NamedTuple

MIB = 1024**2
FLOATS = MIB // 8
"""So many float64 make a MiB."""
NUMBERS = 600_000


def numpy_block() -> None:
    import numpy as np

    np.ones(24 * FLOATS)


def numpy_transient() -> Any:
    import numpy as np

    kept = np.ones(16 * FLOATS)
    np.ones(8 * FLOATS)
    return kept


_compiled: list[Any] = []


def numba_block() -> float:
    import numba
    import numpy as np

    if not _compiled:

        @numba.njit  # type: ignore[untyped-decorator]
        def inside(count: int) -> float:
            return np.ones(count)[::512].sum()  # type: ignore[no-any-return]

        _compiled.append(inside)
    return _compiled[0](24 * FLOATS)  # type: ignore[no-any-return]


def arrow_column() -> Any:
    import numpy as np
    import pyarrow as pa

    return pa.array(np.ones(12 * FLOATS))


def arrow_table(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pa.table({"more": pc.add(column, 1.0), "twice": pc.multiply(column, 2.0)})


def ints_and_floats() -> None:
    numbers: list[Any] = [None] * NUMBERS
    for position in range(NUMBERS):
        numbers[position] = position + (1000 if position % 2 else 0.5)


def hold(seconds: float) -> None:
    """16 MiB of bytes that live for so long. The processor stays busy, as with any work on them."""
    held = b"x" * (16 * MIB)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
    del held


def bytes_for_1_ms() -> None:
    hold(0.001)


def bytes_for_20_ms() -> None:
    hold(0.020)


def bytes_for_200_ms() -> None:
    hold(0.200)


def float64_block() -> Any:
    import numpy as np

    return np.ones((5, 8 * FLOATS))


def views(block: Any) -> Any:
    return [block[:, start:].T for start in range(100)]


def float32_copy(block: Any) -> Any:
    return block.astype("float32")


def frame() -> Any:
    import numpy as np
    import pandas as pd

    return pd.DataFrame(np.ones((4 * FLOATS, 5)), columns=list("abcde"))


def frame_copy(frame: Any) -> Any:
    return frame.copy()


def largest_in_a_row() -> Any:
    """6 MiB below, and above them 4, then 18 with 2 of them twice for a moment, then 12."""
    import numpy as np

    below = np.ones(6 * FLOATS)
    np.ones(4 * FLOATS)
    np.concatenate([np.ones(2 * FLOATS), np.ones(16 * FLOATS)[: 14 * FLOATS]])
    np.ones(12 * FLOATS)
    return below


class Allocator(NamedTuple):
    """``setup`` makes the argument, outside the pass; ``peak_bytes`` is what the function needs beyond it."""

    name: str
    peak_bytes: int
    setup: str = ""


ALLOCATORS = (
    Allocator("numpy_block", 24 * MIB),
    Allocator("numpy_transient", 24 * MIB),
    Allocator("numba_block", 24 * MIB),
    Allocator("arrow_table", 24 * MIB, "arrow_column"),
    Allocator("ints_and_floats", NUMBERS * (8 + 32)),
    Allocator("bytes_for_1_ms", 16 * MIB),
    Allocator("bytes_for_20_ms", 16 * MIB),
    Allocator("bytes_for_200_ms", 16 * MIB),
    Allocator("views", 0, "float64_block"),
    Allocator("float32_copy", 20 * MIB, "float64_block"),
    Allocator("frame_copy", 20 * MIB, "frame"),
    Allocator("largest_in_a_row", (6 + 2 + 16 + 16) * MIB),
)


def nothing() -> None:
    pass


# What a child has to stand


def blocks(count: int) -> list[Any]:
    kept: list[Any] = [None] * 30
    for position in range(count):
        kept[position] = bytes(MIB)
    return kept


def ten_blocks() -> list[Any]:
    return blocks(10)


def thirty_blocks() -> list[Any]:
    return blocks(30)


def light() -> None:
    refuse({"numpy", "pandas", "numba", "pyarrow", "argo_bench.optimizations", "_argo_bench.optimizations"})


def lightest() -> None:
    light()
    refuse({"psutil", "memory_profiler", "memray"})


def refuse(modules: set[str]) -> None:
    if heavy := modules & set(sys.modules):
        raise AssertionError(f"loaded without need: {', '.join(sorted(heavy))}")


def raises() -> None:
    raise ValueError("expected bars, got None")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leaves() -> None:
    raise SystemExit(3)


def leaves_in_peace() -> None:
    raise SystemExit


def prints() -> None:
    sys.stdout.write("not JSON\n")
    sys.stdout.flush()


HELD = 60 * MIB


def here() -> int:
    return len(bytearray(HELD))


def _hold_and_tell(results: Any) -> None:
    results.put(len(bytearray(HELD)))


def in_copies(number: int) -> int:
    """Allocate in copies of this process, one after the other."""
    context = multiprocessing.get_context("fork")
    found = 0
    for _ in range(number):
        results = context.SimpleQueue()
        child = context.Process(target=_hold_and_tell, args=(results,))
        child.start()
        found = results.get()
        child.join()
    return found


def in_a_copy() -> int:
    return in_copies(1)


def in_two_copies() -> int:
    return in_copies(2)


def in_a_new_process() -> None:
    subprocess.run([sys.executable, "-S", "-c", f"bytearray({HELD})"], check=True)


def in_a_process_that_goes_on() -> None:
    subprocess.Popen(["sleep", "1"])
