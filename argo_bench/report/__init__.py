"""Computes the sentences, tables and pictures of a report from a record alone, and decides nothing."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import msgspec

from argo_bench._moved import names_of
from argo_bench.controls import spell_controls
from argo_bench.errors import UserError
from argo_bench.extras import check_extra
from argo_bench.harness.record.records import Judgement, Result
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.record.verify import blaming
from argo_bench.report import document, text
from argo_bench.report.frame import make_frame
from argo_bench.report.sections import HARNESS, Outline
from argo_bench.report.tables import escape
from argo_bench.report.title import summarize, write_title

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group

    from argo_bench.report.chart import Picture, Theme

PAGE = "report.html"
Given = ParamSpec("Given")
Shown = TypeVar("Shown")


def _blaming(show: Callable[Concatenate[Report, Given], Shown]) -> Callable[Concatenate[Report, Given], Shown]:
    """Have a method of a report say that its record contradicts itself, where that is why it fails."""

    @functools.wraps(show)
    def shown(report: Report, /, *args: Given.args, **kwargs: Given.kwargs) -> Shown:
        with blaming(report.whole or report.recorded):
            return show(report, *args, **kwargs)

    return shown


@dataclass(frozen=True, slots=True)
class Report:
    """Presents a recorded run: print it, show it in Jupyter, take its frame, draw it or save it.

    ``outline`` lists what a report on this kind of record consists of. ``whole`` is the record that ``recorded`` is a
    part of, if it is one.
    """

    recorded: Recorded
    outline: Outline = HARNESS
    whole: Recorded | None = None

    @property
    def directory(self) -> Path:
        return self.recorded.directory

    @property
    def judgements(self) -> list[Judgement]:
        return self.recorded.all(Judgement)

    @property
    def finding(self) -> str:
        """Return the finding in one sentence without a full stop: the title of the report."""
        return write_title(self.recorded)

    def of(self, optimization: str) -> Report:
        """Return the report on one optimization or benchmark, by its id.

        Raises UserError for one that is not in the run.
        """
        if optimization not in self.recorded.subjects:
            known = ", ".join(self.recorded.subjects)
            raise UserError(f"the run {self.recorded.run.run} has no {optimization!r}: expected one of {known}")
        return Report(self.recorded.of(optimization), self.outline, self.whole or self.recorded)

    @_blaming
    def __str__(self) -> str:
        return spell_controls(f"{self.finding}.")

    def __rich__(self) -> Group:
        return self.terminal()

    @_blaming
    def _repr_html_(self) -> str:
        return text.html(self.recorded, self.outline)

    @_blaming
    def _repr_markdown_(self) -> str:
        return f"**{escape(str(self))}**\n\n{text.markdown(self.recorded, self.outline)}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        shown = {"text/html": self._repr_html_(), "text/plain": str(self)}
        return shown if text.is_long(self.recorded) else shown | {"text/markdown": self._repr_markdown_()}

    @_blaming
    def terminal(self) -> Group:
        """Return the report as rich text for a console of 80 columns or more."""
        return text.terminal(self.recorded, self.outline)

    @_blaming
    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types: the finding, the claims reached by each arm, the run, its verdicts, and the results
        that they rest on."""
        return {
            "finding": self.finding,
            "claims": summarize(self.recorded),
            "run": msgspec.to_builtins(self.recorded.run),
            "verdicts": msgspec.to_builtins(self.judgements),
            "results": msgspec.to_builtins(self.recorded.all(Result)),
        }

    @_blaming
    def to_frame(self) -> pd.DataFrame:
        """Return one row per judgement: speed-ups are reference / candidate, times nanoseconds per call.

        docs/data.md describes the columns. Raises UserError where pandas is not installed.
        """
        return make_frame(self.recorded)

    @_blaming
    def draw(self, name: str, theme: Theme = "light", *, narrow: bool = False, title: bool = True) -> Picture | None:
        """Draw the chart with this name, such as ``hero``; return None where the record has nothing to show in it.

        Raises UserError where matplotlib is not installed.
        """
        section = self.outline.find(name)
        if section is None:
            return None
        return section.load_chart().picture(self.recorded, theme, narrow=narrow, title=title)

    def hero(self, theme: Theme = "light", *, narrow: bool = False, title: bool = True) -> Picture | None:
        """Draw every claim that the title counts, in a row with all of its variants; a narrow one is for a phone."""
        return self.draw("hero", theme, narrow=narrow, title=title)

    def forest(self, theme: Theme = "light", *, narrow: bool = False, title: bool = True) -> Picture | None:
        """Draw the verdicts as intervals over the ranges claimed; the picture shows itself in Jupyter."""
        return self.draw("forest", theme, narrow=narrow, title=title)

    def frontier(self, theme: Theme = "light", *, narrow: bool = False) -> Picture | None:
        """Draw what every arm saves over what it does to the output, where a workload trades one for the other."""
        return self.draw("frontier", theme, narrow=narrow)

    def curves(self, theme: Theme = "light", *, narrow: bool = False) -> Picture | None:
        """Draw the ratio of each claim over the share of symbols that tick, where it was measured at several shares."""
        return self.draw("curves", theme, narrow=narrow)

    def ecdf(self, theme: Theme = "light") -> Picture | None:
        """Draw the cumulative distribution of each arm's times per call, for every timed headline claim."""
        return self.draw("ecdf", theme)

    def paired_ratio(self, theme: Theme = "light") -> Picture | None:
        """Draw the ratio reference / candidate of every block, in the order of measuring."""
        return self.draw("paired_ratio", theme)

    def shares(self, theme: Theme = "light") -> Picture | None:
        """Draw each optimization's share in the speed of all together, from a run of ``study/attribution.py``."""
        return self.draw("shares", theme)

    def scaling(self, theme: Theme = "light") -> Picture | None:
        """Draw the time per call over the scale, with slopes and crossovers."""
        return self.draw("scaling", theme)

    def break_even(self, theme: Theme = "light") -> Picture | None:
        """Draw after how many calls the candidate has made up for a slow first one."""
        return self.draw("break_even", theme)

    def hit_rates(self, theme: Theme = "light") -> Picture | None:
        """Draw the hit rate from which on a cache pays."""
        return self.draw("hit_rates", theme)

    def memory(self, theme: Theme = "light") -> Picture | None:
        """Draw every reading of the memory that one pass of an arm over its workload takes."""
        return self.draw("memory", theme)

    def errors(self, theme: Theme = "light") -> Picture | None:
        """Draw the largest error that smaller floats cause in each group of indicators."""
        return self.draw("errors", theme)

    def pays(self, stages: Report, theme: Theme = "light") -> Picture | None:
        """Draw the hit rate from which on a cache pays, over what the cached computation costs.

        This report is on a run that timed look-ups; ``stages`` is one on a run of the study, which has what the stages
        of the pipeline cost.
        """
        both = Recorded(self.directory, [*self.recorded.records, *stages.recorded.records])
        return Report(both, stages.outline).draw("pays", theme)

    @_blaming
    def save(self, directory: str | Path, earlier: Sequence[Report] = ()) -> None:
        """Write report.html, and report.md with its figures, each file whole or not at all.

        Every figure is saved as an SVG in both themes, the one at the top in a version for phones and as a PNG too. The
        page says what changed since the ``earlier`` runs, of which the oldest is first. Raises UserError where
        matplotlib or jinja2 is not installed.
        """
        self.save_page(directory, earlier)
        drawn = [
            (each.name, f"{each.name}{'-narrow' * narrow}", self.draw(each.name, narrow=narrow))
            for each in self.outline.at("files")
            for narrow in ((False, True) if each.has_narrow_file else (False,))
        ]
        alts = {name: picture.alt for name, _, picture in drawn if picture is not None}
        files = {"report.md": document.write_document(self.recorded, self.outline, alts).encode()}
        for _, name, picture in drawn:
            if picture is not None:
                files |= {f"{name}.svg": picture.svg(), f"{name}-dark.svg": picture.dark_svg()}
                files |= {"hero.png": picture.png()} if name == "hero" else {}
        for name, content in files.items():
            write_whole(Path(directory) / name, content)

    @_blaming
    def save_page(self, directory: str | Path, earlier: Sequence[Report] = ()) -> Path:
        """Write report.html, which needs no other file and no network, and return its path.

        It says what changed since the ``earlier`` runs, of which the oldest is first. Raises UserError where
        matplotlib or jinja2 is not installed.
        """
        check_extra("report", PAGE)
        from argo_bench.report.webpage import write_page

        path = Path(directory) / PAGE
        write_whole(path, write_page(self.recorded, self.outline, [each.recorded for each in earlier]).encode())
        return path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises UserError where its folder cannot be written."""
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


__getattr__ = names_of(__name__)
