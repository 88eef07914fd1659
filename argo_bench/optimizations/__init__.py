"""The catalogue is one optimization a file, found by its name (``oNN_*.py``); ``build`` applies a selection of them."""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

from argo_bench.errors import UserError
from argo_bench.extras import check_extra
from argo_bench.harness.claims.claim import Claim
from argo_bench.loading import load_module
from argo_bench.optimizations.optimization import VARIANTS, Optimization, Trace, Variant
from argo_bench.optimizations.persistence import judge_at_time_constants
from argo_bench.optimizations.together import ALL_IDS, FIVE_IDS, all_fifteen, first_five
from argo_bench.pipeline.record import Pipeline

Selection = Mapping[str, Variant]
BASELINE: Selection = {}
FIVE: Selection = dict.fromkeys(FIVE_IDS, "prescribed")
"""The selection that the documents call the state after the first five."""
OPTIMIZED: Selection = dict.fromkeys(ALL_IDS, "engineered")
"""The selection that applies all fifteen, as engineered."""
FILES = "ARGO_BENCH_OPTIMIZATIONS"
"""The environment variable that names files with further optimizations. Workers inherit it."""
TRACE, SKIP_UNCHANGED = "ARGO_BENCH_TRACE", "ARGO_BENCH_SKIP_UNCHANGED"
"""The environment variables that put another market, and the rule of ``unchanged``, under every trace."""


@cache
def catalogue() -> Mapping[str, Optimization]:
    """Return every optimization by id: the published ones in
    the order of their ids, then those of the files in FILES."""
    further = [
        each for file in os.environ.get(FILES, "").split(os.pathsep) if file for each in find_optimizations(Path(file))
    ]
    return {each.id: apply_switches(each) for each in (*load_published(), *further)}


@cache
def subjects() -> Mapping[str, Optimization]:
    """Return what can be measured: the catalogue, and the published ones together, as the first five and as all."""
    return {**catalogue(), **{each.id: apply_switches(each) for each in sets()}}


@cache
def sets() -> tuple[Optimization, ...]:
    """Return the published optimizations together: the first five, and all."""
    return first_five(load_published()), judge_at_time_constants(all_fifteen(load_published()))


def apply_switches(optimization: Optimization) -> Optimization:
    """Return the optimization with its traces as the environment has them.

    Curves over the share of ticks keep their own trace.
    """
    trace = cast("Trace | None", os.environ.get(TRACE))
    skips = SKIP_UNCHANGED in os.environ
    if trace is None and not skips:
        return optimization
    workloads = tuple(
        replace(
            each,
            trace=each.trace if trace is None or each.unit == "% ticking" else trace,
            skip_unchanged=each.skip_unchanged or skips,
        )
        for each in optimization.workloads
    )
    return replace(optimization, workloads=workloads)


def switch(trace: Trace | None, *, skip_unchanged: bool) -> None:
    """Switch every trace of the catalogue, for this process and its workers.

    ``trace`` names another market; ``skip_unchanged`` has the last signal served while a price has hardly moved.
    """
    if trace is not None:
        os.environ[TRACE] = trace
    if skip_unchanged:
        os.environ[SKIP_UNCHANGED] = "1"
    _forget()


def _forget() -> None:
    catalogue.cache_clear()
    subjects.cache_clear()


@cache
def load_published() -> tuple[Optimization, ...]:
    """Return the optimizations of this package: one a file, ``oNN_*.py``."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if re.match(r"o\d\d_", module.name))
    check_extra("study", "the catalogue of optimizations")
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return tuple(judge_at_time_constants(module.OPTIMIZATION) for module in modules)


def find_optimizations(file: Path) -> list[Optimization]:
    """Return the optimizations that a Python file defines under any name, except published ones that it only uses."""
    known = {id(each) for each in load_published()}
    values = vars(load_module(file.resolve())).values()
    return [each for each in values if isinstance(each, Optimization) and id(each) not in known]


def add_file(file: Path) -> list[Optimization]:
    """Return the optimizations of a Python file, and add them to the catalogue of this process and of its workers.

    Raises UserError where one has the id of another.
    """
    found = find_optimizations(file)
    if taken := [each.id for each in found if each.id in subjects()]:
        raise UserError(f"{file}: the id {taken[0]} is taken: expected one that is not of {', '.join(subjects())}")
    os.environ[FILES] = os.pathsep.join(filter(None, (os.environ.get(FILES), str(file.resolve()))))
    _forget()
    return found


def lookup(ids: Iterable[str]) -> list[Optimization]:
    """Return the optimizations with these ids, in the order of the catalogue; for no ids all of them and the two sets.

    Raises UserError with the closest id or name for one that is not there.
    """
    wanted = {canonical_id(each) for each in ids}
    return [optimization for optimization in subjects().values() if not wanted or optimization.id in wanted]


def canonical_id(text: str) -> str:
    known = subjects()
    by_name = {optimization.name.lower(): optimization.id for optimization in known.values()}
    candidate = text.strip()
    if (number := re.fullmatch(r"[oO]?(\d{1,2})", candidate)) and (exact := f"O{int(number[1]):02d}") in known:
        return exact
    if candidate.upper() in known:
        return candidate.upper()
    if candidate.lower() in by_name:
        return by_name[candidate.lower()]
    close = difflib.get_close_matches(candidate.upper(), known, 1, 0.5) or [
        f"{by_name[name]} ({name})" for name in difflib.get_close_matches(candidate.lower(), by_name, 1, 0.3)
    ]
    hint = f"; did you mean {close[0]}?" if close else ""
    raise UserError(f"unknown optimization {text!r}: expected one of {', '.join(known)}{hint}")


def build(selection: Selection) -> Pipeline:
    """Return the baseline with a selection's edits applied, by layer and then by id. Every call builds new, cold state.

    Raises UserError for an unknown id or variant.
    """
    from argo_bench.pipeline import baseline

    pipeline = baseline.PIPELINE
    chosen = {canonical_id(key): variant for key, variant in selection.items()}
    for optimization in sorted((subjects()[key] for key in chosen), key=lambda each: each.order):
        variant = chosen[optimization.id]
        if variant not in VARIANTS:
            raise UserError(f"{optimization.id}: expected the variant prescribed or engineered, got {variant!r}")
        pipeline = getattr(optimization, variant)(pipeline)
    return pipeline


def headline_claims() -> list[Claim]:
    """Return the family of claims whose intervals hold simultaneously, however few of them were run."""
    return [claim for optimization in (*load_published(), *sets()) for claim in optimization.claims if claim.headline]
