"""A reader's own latencies and prices are read here; the simulated providers then take and cost what the file says.

A file has a table for each provider that differs, as TOML or as JSON:

    [sonar]
    median_ms = 900      # with p99_ms: half of the requests, and all but one in a hundred, are answered by then
    p99_ms = 2500
    input_price = 1.0    # of a model, in dollars per million tokens, as is output_price
    output_price = 1.0
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

from argo_bench.errors import UserError

Figures = dict[str, dict[str, float]]
"""Holds what differs, by provider and by name."""

FIGURES = "ARGO_BENCH_FIGURES"
"""The environment variable that holds a reader's own figures, as JSON. Workers inherit it."""
LATENCY = ("median_ms", "p99_ms")
PRICE = ("input_price", "output_price")
LARGEST = 1_000_000
"""The largest of the figures that may be given; a provider that takes longer than a quarter of an hour is a mistake."""


def read_figures(file: Path, providers: Collection[str], models: Collection[str]) -> Figures:
    """Read the latencies in milliseconds, and the prices of ``models`` in dollars per million tokens, of a file.

    Raises UserError for a file that cannot be read, for a name that is not one of ``providers`` or of the four figures,
    for what is no number, negative or too large, and for a median above the 99th percentile.
    """
    try:
        text = file.read_text()
        tables = tomllib.loads(text) if file.suffix != ".json" else json.loads(text)
    except OSError as error:
        raise UserError(f"{file}: expected a file with latencies, got {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{file}: expected TOML, or JSON in a file that ends in .json, got: {error}") from None
    if not isinstance(tables, dict) or not tables:
        raise UserError(f"{file}: expected a table for a provider, such as [sonar], found none")
    for provider, figures in tables.items():
        if provider not in providers:
            raise UserError(f"{file}: {provider!r} is no provider: expected one of {', '.join(providers)}")
        if (why := find_mistake(figures, is_model=provider in models)) is not None:
            raise UserError(f"{file}: [{provider}] {why}")
    return {provider: {name: float(value) for name, value in figures.items()} for provider, figures in tables.items()}


def find_mistake(figures: object, *, is_model: bool) -> str | None:
    """Say what is wrong with a provider's figures, or return None where nothing is."""
    known = (*LATENCY, *PRICE) if is_model else LATENCY
    if not isinstance(figures, Mapping) or not figures:
        return f"has no figures: expected some of {', '.join(known)}"
    for name, value in figures.items():
        if name not in known:
            free = "" if is_model or name not in PRICE else " (only models have prices)"
            return f"has {name!r}: expected some of {', '.join(known)}{free}"
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
            return f"has {name} = {value!r}: expected a number from 0 to {LARGEST:,}"
    given = [name for name in LATENCY if name in figures]
    if len(given) == 1:
        return f"has {given[0]} alone: expected median_ms and p99_ms together"
    if given and not 0 < figures["median_ms"] <= figures["p99_ms"]:
        return (
            f"has a median of {figures['median_ms']:g} ms and a 99th percentile of {figures['p99_ms']:g} ms: expected "
            "a median above 0 and no larger than the 99th percentile"
        )
    return None


def use_figures(figures: Figures | None) -> None:
    """Have this process and its workers take a reader's own figures, or the usual ones for None."""
    from argo_bench.pipeline.world import content

    os.environ.pop(FIGURES, None)
    if figures:
        os.environ[FIGURES] = json.dumps(figures)
    content.forget_figures()


def own_figures() -> Figures:
    """Return the figures that are in force beside the usual ones."""
    found: Figures = json.loads(os.environ.get(FIGURES, "{}"))
    return found
