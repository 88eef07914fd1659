"""The readers' queries are answered from databases that are empty, short, long, full of ties, and changed by others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from typing import Any

from argo_bench.pipeline.world.database import FILE_NAME
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.store import encode_plainly, several
from argo_bench.study.checking.scene import Scene

CASES = Cases("read")
SYMBOLS = ("AAPL", "ETH-USD", "NVDA")


def read(scene: Scene) -> Any:
    return scene.call("read", SYMBOLS)


def read_in_turn(scene: Scene, cycles: int) -> list[Any]:
    """Read once in each of some cycles, in which the readers ask for one symbol after another."""
    seen = []
    for _ in range(cycles):
        seen.append(read(scene))
        scene.pass_cycles(1)
    return seen


def change(scene: Scene, statement: str) -> None:
    """Change the database from another connection, as another process would."""
    with closing(sqlite3.connect(scene.directory / FILE_NAME)) as connection, connection:
        connection.execute(statement)


@CASES("an empty database")
def empty(scene: Scene) -> Any:
    return [read(scene), read(scene)]


@CASES("fewer rows than are asked for, then as many, then more")
def filling(scene: Scene) -> Any:
    seen = []
    for number in range(10):
        scene.call("store", encode_plainly(several(2, 2 * number)))
        seen += [read(scene), read(scene)]
        scene.pass_cycles(1)
    return seen


@CASES("rows of the same time: the later one first")
def ties(scene: Scene) -> Any:
    decisions = [replace(each, timestamp=each.timestamp - 5 * (place // 6)) for place, each in enumerate(several(30))]
    scene.call("store", encode_plainly(decisions))
    return read_in_turn(scene, len(SYMBOLS))


@CASES("rows stored with an older time than those before them")
def late(scene: Scene) -> Any:
    scene.call("store", encode_plainly(several(12)))
    seen = [read(scene)]
    scene.call("store", encode_plainly([replace(each, timestamp=each.timestamp - 500) for each in several(3, 12)]))
    return [*seen, read(scene)]


@CASES("outcomes that another process writes: the win rate is that of now")
def outcomes(scene: Scene) -> Any:
    scene.call("store", encode_plainly(several(20)))
    seen = [read(scene)]
    for statement in (
        "UPDATE signals SET outcome = 'win' WHERE id <= 3",
        "UPDATE signals SET outcome = 'loss' WHERE id BETWEEN 4 AND 10",
        "UPDATE signals SET outcome = 'expired' WHERE id = 11",
        "DELETE FROM signals WHERE id = 20",
    ):
        change(scene, statement)
        seen += [read(scene), read(scene)]
        scene.pass_cycles(1)
    scene.call("store", encode_plainly(several(2, 40)))
    return [*seen, read(scene)]


@CASES("a symbol without rows, and one whose rows are all old")
def rare(scene: Scene) -> Any:
    rare_symbol = [replace(each, symbol="NVDA", timestamp=each.timestamp - 9_000) for each in several(2)]
    scene.call("store", encode_plainly(rare_symbol))
    scene.call("store", encode_plainly([each for each in several(40, 2) if each.symbol == "AAPL"]))
    return read_in_turn(scene, 6)


@CASES("the same question in one cycle with other symbols")
def other_symbols(scene: Scene) -> Any:
    scene.call("store", encode_plainly(several(15)))
    return [scene.call("read", symbols) for symbols in (SYMBOLS, SYMBOLS[::-1], ("ETH-USD",), ("AAPL", "NVDA"))]


@CASES("a reader who changes what he was given")
def changed(scene: Scene) -> Any:
    scene.call("store", encode_plainly(several(12)))
    seen = []
    for _ in range(3):
        readings = read(scene)
        seen.append(deepcopy(readings))
        for rows in (readings.latest, readings.latest_of_symbol):
            if isinstance(rows, list):
                rows.clear()
    return seen
