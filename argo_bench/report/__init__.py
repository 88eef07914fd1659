"""Numbers in, sentences, tables and pictures out: a report computes from a record alone and decides nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from argo_bench.harness.results import Judgement, Recorded, Result, load
from argo_bench.harness.verdict import HOLDS
from argo_bench.model import UserError
from argo_bench.report import document, finding, tables

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

    from argo_bench.report.figures import Picture, Theme


@dataclass(frozen=True, slots=True)
class Report:
    """A recorded run, readable: print it, show it in Jupyter, take its frame, draw it or save it."""

    recorded: Recorded

    @property
    def directory(self) -> Path:
        return self.recorded.directory

    @property
    def judgements(self) -> list[Judgement]:
        return self.recorded.all(Judgement)

    @property
    def finding(self) -> str:
        """The title, without a full stop."""
        return finding.finding(self.recorded)

    def __str__(self) -> str:
        return f"{self.finding}."

    def __rich__(self) -> Group:
        return self.terminal()

    def _repr_html_(self) -> str:
        return tables.html(self.recorded)

    def _repr_markdown_(self) -> str:
        return f"**{tables.plain(str(self))}**\n\n{tables.markdown(self.recorded)}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/markdown": self._repr_markdown_(), "text/plain": str(self)}

    def terminal(self) -> Group:
        """For a rich console of 80 columns or more."""
        return tables.terminal(self.recorded)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types: the finding, the run, its verdicts, and the results that they rest on."""
        return {
            "finding": self.finding,
            "run": msgspec.to_builtins(self.recorded.run),
            "verdicts": msgspec.to_builtins(self.judgements),
            "results": msgspec.to_builtins(self.recorded.all(Result)),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per judgement: speed-ups are reference / candidate, times nanoseconds per call."""
        import pandas as pd

        return pd.DataFrame([self._row(each) for each in self.judgements])

    def _row(self, judgement: Judgement) -> dict[str, Any]:
        result = finding.result_behind(self.recorded, judgement)
        low, high = judgement.interval or (None, None)
        return {
            "claim": judgement.claim,
            "optimization": judgement.optimization,
            "arm": judgement.arm,
            "headline": judgement.headline,
            "workload": judgement.comparison.workload,
            "scale": judgement.comparison.scale,
            "reference": judgement.comparison.reference,
            "claimed": finding.claimed(judgement.kind, judgement.low, judgement.high),
            "metric": judgement.metric,
            "speedup": judgement.speedup,
            "interval_low": low,
            "interval_high": high,
            "level": judgement.level,
            "replicates": None if result is None else result.on(judgement.metric).replicates,
            "cpu_speedup": None if result is None else result.cpu.speedup,
            "wall_speedup": None if result is None else result.wall.speedup,
            "reference_ns": None if result is None else result.reference_ns,
            "candidate_ns": None if result is None else result.candidate_ns,
            "verdict": judgement.verdict,
            "holds": judgement.verdict in HOLDS,
            "output": judgement.output,
            "flags": "; ".join(judgement.flags),
        }

    def forest(self, theme: Theme = "light") -> Picture:
        """The verdicts as intervals over the ranges claimed; shows itself in Jupyter."""
        from argo_bench.report.figures import forest

        return forest(self.recorded, theme)

    def save(self, directory: str | Path) -> None:
        """Write forest.svg, forest.png, forest-dark.svg and report.md, each of them whole or not at all."""
        light, dark = self.forest("light"), self.forest("dark")
        files = {
            "forest.svg": light.svg(),
            "forest.png": light.png(),
            "forest-dark.svg": dark.svg(),
            "report.md": document.document(self.recorded, light.alt).encode(),
        }
        for name, content in files.items():
            _write_whole(Path(directory) / name, content)


def open_report(path: str | Path) -> Report:
    """The report of a run: its directory or its run.jsonl. Raises UserError for anything else."""
    return Report(load(path))


def _write_whole(path: Path, content: bytes) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            scratch.write_bytes(content)
            os.replace(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}): expected a folder that can be written") from None
