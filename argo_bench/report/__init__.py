"""Numbers in, sentences, tables and pictures out: a report computes from a record alone and decides nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.claims.verdict import HOLDS
from argo_bench.harness.record.records import Judgement, Result
from argo_bench.harness.record.store import Recorded, load
from argo_bench.report import document, finding, page
from argo_bench.report.tables import plain

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

    from argo_bench.report.picture import Picture, Theme

PAGE = "report.html"


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

    def of(self, optimization: str) -> Report:
        """What the run has on one optimization or benchmark, by its id: its tables and figures alone.

        Raises UserError for one that is not in the run.
        """
        if optimization not in self.recorded.subjects:
            known = ", ".join(self.recorded.subjects)
            raise UserError(f"the run {self.recorded.run.run} has no {optimization!r}: expected one of {known}")
        return Report(self.recorded.of(optimization))

    def __str__(self) -> str:
        return f"{self.finding}."

    def __rich__(self) -> Group:
        return self.terminal()

    def _repr_html_(self) -> str:
        return page.html(self.recorded)

    def _repr_markdown_(self) -> str:
        return f"**{plain(str(self))}**\n\n{page.markdown(self.recorded)}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/markdown": self._repr_markdown_(), "text/plain": str(self)}

    def terminal(self) -> Group:
        """For a rich console of 80 columns or more."""
        return page.terminal(self.recorded)

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
            "replicates": finding.replicates(self.recorded, judgement),
            "cpu_speedup": None if result is None else result.cpu.speedup,
            "wall_speedup": None if result is None else result.wall.speedup,
            "reference_ns": None if result is None else result.reference_ns,
            "candidate_ns": None if result is None else result.candidate_ns,
            "verdict": judgement.verdict,
            "holds": judgement.verdict in HOLDS,
            "holds_when": judgement.holds_when,
            "output": judgement.output,
            "flags": "; ".join(judgement.flags),
        }

    def forest(self, theme: Theme = "light", *, narrow: bool = False, title: bool = True) -> Picture:
        """The verdicts as intervals over the ranges claimed; shows itself in Jupyter."""
        from argo_bench.report.figures import forest

        return forest(self.recorded, theme, narrow=narrow, title=title)

    def frontier(self, theme: Theme = "light", *, narrow: bool = False) -> Picture | None:
        """What every arm saves over what it does to the output; None where no workload trades one for the other."""
        from argo_bench.report.frontier import frontier

        return frontier(self.recorded, theme, narrow=narrow)

    def curves(self, theme: Theme = "light", *, narrow: bool = False) -> Picture | None:
        """The claims' ratios over the share of ticking symbols; None where there is no such claim."""
        from argo_bench.report.curves import curves

        return curves(self.recorded, theme, narrow=narrow)

    def ecdf(self, theme: Theme = "light") -> Picture | None:
        """How the times of each arm are spread, behind each timed headline claim; None where nothing was timed."""
        from argo_bench.report.samples import ecdf

        return ecdf(self.recorded, theme)

    def paired_ratio(self, theme: Theme = "light") -> Picture | None:
        """The ratio of every block in the order of measuring; None where nothing was timed."""
        from argo_bench.report.samples import paired_ratio

        return paired_ratio(self.recorded, theme)

    def shares(self, theme: Theme = "light") -> Picture | None:
        """What each optimization contributes to all of them; None for any run but one of ``harness/attribution.py``."""
        from argo_bench.report.shares import shares

        return shares(self.recorded, theme)

    def scaling(self, theme: Theme = "light") -> Picture | None:
        """Time per call over the scale, with slopes and crossovers; None without several scales."""
        from argo_bench.report.scaling import scaling

        return scaling(self.recorded, theme)

    def break_even(self, theme: Theme = "light") -> Picture | None:
        """After how many calls a slow first one is made up for; None where no first call was timed."""
        from argo_bench.report.paying import break_even

        return break_even(self.recorded, theme)

    def hit_rates(self, theme: Theme = "light") -> Picture | None:
        """From which hit rate on a cache pays; None where hits and misses were not both timed."""
        from argo_bench.report.paying import hit_rates

        return hit_rates(self.recorded, theme)

    def memory(self, theme: Theme = "light") -> Picture | None:
        """Every reading of the memory that a pass takes; None where none was read."""
        from argo_bench.report.weighed import weighed

        return weighed(self.recorded, theme)

    def errors(self, theme: Theme = "light") -> Picture | None:
        """The largest error of each group of indicators; None where none were counted."""
        from argo_bench.report.errors import errors

        return errors(self.recorded, theme)

    def pays(self, stages: Report | None = None, theme: Theme = "light") -> Picture | None:
        """From which hit rate on a cache pays, of a run of look-ups; ``stages`` is a run that says what stages of the
        pipeline cost. None for any other run."""
        from argo_bench.report.lookups import stage_costs, when_a_cache_pays

        return when_a_cache_pays(self.recorded, {} if stages is None else stage_costs(stages.recorded), theme)

    def save(self, directory: str | Path) -> None:
        """Write report.html, and report.md with its figures (SVGs in both themes, the forest plot as PNG too), each
        whole or not at all.

        The figures are forest, and frontier and curves where there is something to draw.
        """
        self.save_page(directory)
        forest = self.forest()
        drawn = {"forest": forest, "frontier": self.frontier(), "curves": self.curves()}
        pictures = {name: picture for name, picture in drawn.items() if picture is not None}
        alts = {name: picture.alt for name, picture in pictures.items()}
        files = {"forest.png": forest.png(), "report.md": document.document(self.recorded, alts).encode()}
        files |= {f"{name}.svg": picture.svg() for name, picture in pictures.items()}
        files |= {f"{name}-dark.svg": picture.dark_svg() for name, picture in pictures.items()}
        for name, content in files.items():
            _write_whole(Path(directory) / name, content)

    def save_page(self, directory: str | Path) -> Path:
        """Write report.html, which needs no other file and no network, and say where it is."""
        from argo_bench.report.webpage import webpage

        path = Path(directory) / PAGE
        _write_whole(path, webpage(self.recorded).encode())
        return path


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
