"""Functions whose peak of memory is known from first principles, beyond what their setup made before.

Sizes are in bytes: 8 a float64, 4 a float32; CPython's objects take blocks of 16 bytes from its allocator, so that a
float (24) and a small int (28) take 32 each, and a slot of a list takes 8. What is imported inside a function is
imported by its first call.
"""

from __future__ import annotations

import array
import asyncio
import atexit
import ctypes
import mmap
import multiprocessing
import multiprocessing.shared_memory
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
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


def arrow_text() -> Any:
    import pyarrow as pa

    return pa.array([f"{number:020d}" for number in range(NUMBERS)])


def arrow_strings(text: Any) -> Any:
    """The result has the offsets of its input, and bytes of its own."""
    import pyarrow.compute as pc

    return pc.ascii_upper(text)


def pandas_strings() -> Any:
    import pandas as pd

    texts: list[Any] = [None] * NUMBERS
    for position in range(NUMBERS):
        texts[position] = f"{position:020d}"
    return pd.Series(texts, dtype=object)


def polars_series() -> Any:
    import numpy as np
    import polars as pl

    return pl.Series(np.ones(24 * FLOATS))


def polars_sum(series: Any) -> Any:
    return series + 1.0


def anonymous_map() -> None:
    with mmap.mmap(-1, 24 * MIB) as pages:
        pages[:: mmap.PAGESIZE] = bytes(24 * MIB // mmap.PAGESIZE)


def allocate_by_c(size: int) -> None:
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    held = ctypes.c_void_p(library.malloc(ctypes.c_size_t(size)))
    ctypes.memset(held, 1, size)
    library.free(held)


def c_malloc() -> None:
    allocate_by_c(24 * MIB)


def joined_bytes() -> int:
    return len(b"".join([b"x" * MIB for _ in range(12)]))


def machine_array() -> int:
    return len(array.array("d", bytes(8)) * (24 * FLOATS))


def compressed() -> bytes:
    return zlib.compress(b"x" * (24 * MIB))


def decompressed(packed: bytes) -> int:
    return len(zlib.decompress(packed, bufsize=24 * MIB))


def numbers_in_a_row() -> list[int]:
    return [*range(24 * FLOATS)]


def sorted_copy(numbers: list[int]) -> int:
    return len(sorted(numbers))


def list_summed() -> int:
    return sum([number + 1000 for number in range(NUMBERS)])


def generator_summed() -> int:
    return sum(number + 1000 for number in range(NUMBERS))


def file_on_disk() -> Path:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"x" * (24 * MIB))
    atexit.register(os.unlink, file.name)
    return Path(file.name)


def mapped_file(path: Path) -> int:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
        return len(pages[:: mmap.PAGESIZE])


def shared_memory() -> None:
    block = multiprocessing.shared_memory.SharedMemory(create=True, size=24 * MIB)
    block.buf[:: mmap.PAGESIZE] = bytes(24 * MIB // mmap.PAGESIZE)
    block.close()
    block.unlink()


def four_threads() -> None:
    together = threading.Barrier(4)

    def hold_together() -> None:
        held = b"x" * (6 * MIB)
        together.wait()
        del held

    threads = [threading.Thread(target=hold_together) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def coroutines() -> int:
    async def hold_together(number: int, all_here: asyncio.Barrier) -> int:
        held = b"x" * (number * MIB)
        await all_here.wait()
        return len(held)

    async def run() -> int:
        all_here = asyncio.Barrier(2)
        return sum(await asyncio.gather(hold_together(8, all_here), hold_together(16, all_here)))

    return asyncio.run(run())


_kept: dict[str, Any] = {}


def table_kept() -> float:
    import numpy as np

    if "table" not in _kept:
        _kept["table"] = np.ones(24 * FLOATS)
    return float(_kept["table"][::1000].sum())


def table_made() -> float:
    import numpy as np

    return float(np.ones(24 * FLOATS)[::1000].sum())


def cache_that_grows() -> int:
    for key in map(str, range(24)):
        _kept.setdefault(key, b"x" * MIB)
    return len(_kept)


def one_mib() -> int:
    return len(b"x" * MIB)


def three_mib_of_c() -> None:
    allocate_by_c(3 * MIB)


class Allocator(NamedTuple):
    """``setup`` makes the argument, outside the pass; ``peak_bytes`` is what the function needs beyond it.

    ``spare_bytes`` more may be needed by interpreters that it starts.
    """

    name: str
    peak_bytes: int
    setup: str = ""
    spare_bytes: int = 0


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


FURTHER = (
    Allocator("arrow_strings", NUMBERS * 20, "arrow_text"),
    Allocator("pandas_strings", NUMBERS * (80 + 8 + 8), spare_bytes=NUMBERS * 8),
    Allocator("polars_sum", 24 * MIB, "polars_series"),
    Allocator("anonymous_map", 24 * MIB),
    Allocator("c_malloc", 24 * MIB),
    Allocator("joined_bytes", 24 * MIB),
    Allocator("machine_array", 24 * MIB),
    Allocator("decompressed", 24 * MIB, "compressed"),
    Allocator("sorted_copy", 24 * MIB, "numbers_in_a_row"),
    Allocator("list_summed", NUMBERS * (8 + 32)),
    Allocator("generator_summed", 0),
    Allocator("mapped_file", 24 * MIB, "file_on_disk"),
    Allocator("shared_memory", 24 * MIB),
    Allocator("four_threads", 24 * MIB),
    Allocator("coroutines", 24 * MIB),
    Allocator("table_kept", 24 * MIB),
    Allocator("table_made", 24 * MIB),
    Allocator("cache_that_grows", (24 + 1) * MIB),
    Allocator("in_a_copy", 60 * MIB, spare_bytes=4 * MIB),
    Allocator("in_two_copies", 60 * MIB, spare_bytes=4 * MIB),
    Allocator("in_a_new_process", 60 * MIB, spare_bytes=16 * MIB),
    Allocator("in_a_pool", 2 * 30 * MIB, spare_bytes=16 * MIB),
)
"""These are measured only as users' functions are: beside memory of the process, children and what is kept count."""


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


def here(*given: object) -> int:
    return len(bytearray(HELD))


def here_again(*given: object) -> int:
    """It is open whether this takes as much as ``here``, since it does, to nearly one per cent."""
    return len(bytearray(HELD + HELD // 200))


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


_together: list[Any] = []


def _keep_together(barrier: Any) -> None:
    _together.append(barrier)


def _hold_with_the_other(size: int) -> int:
    """Hold so much while the other does, for long enough to be seen beside busy processors."""
    held = bytearray(size)
    _together[0].wait()
    time.sleep(0.1)
    return len(held)


def in_a_pool() -> int:
    context = multiprocessing.get_context("fork")
    made = (context.Barrier(2),)
    with ProcessPoolExecutor(2, context, _keep_together, made) as pool:
        return sum(pool.map(_hold_with_the_other, [30 * MIB, 30 * MIB]))


def large_block() -> bytes:
    return b"x" * (200 * MIB)


def small_process_of_a_large_one(block: bytes) -> None:
    subprocess.run([sys.executable, "-S", "-c", ""], check=True)


def idle_pool() -> Any:
    """A pool whose only worker has held much before."""
    context = multiprocessing.get_context("fork")
    pool = context.Pool(1)
    pool.map(here, [None])
    return pool


def first_of_pool(pool: Any) -> int:
    return int(pool.apply(len, ("x",)))


def _keep_24_mib() -> None:
    _kept["in the worker"] = b"x" * (24 * MIB)


def pool_kept() -> int:
    if "pool" not in _kept:
        _kept["pool"] = multiprocessing.get_context("fork").Pool(1, _keep_24_mib)
    return int(_kept["pool"].apply(len, ("x",)))


def in_a_new_process() -> None:
    subprocess.run([sys.executable, "-S", "-c", f"bytearray({HELD})"], check=True)


def in_a_process_that_goes_on() -> None:
    subprocess.Popen(["sleep", "1"])


def executor_kept() -> int:
    """Unlike those of a Pool, the workers of an executor go on when the process that made them is ended."""
    if "executor" not in _kept:
        _kept["executor"] = ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
    return int(_kept["executor"].submit(len, "x").result())


def leave_a_child() -> str:
    """Return the number of a child that idles, with all open that this process has open."""
    if (child := os.fork()) == 0:
        time.sleep(100)
        os._exit(0)
    return str(child)


def killed_beside_a_child() -> None:
    leave_a_child()
    killed()


def wait_beside_a_child() -> None:
    """Write the child's number into the file that the environment names, and idle with it."""
    Path(os.environ["CHILD"]).write_text(f"{leave_a_child()}\n", encoding="ascii")
    time.sleep(100)
