"""Shows how fit the machine is for measuring: each check with what was found, and what would help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from argo_bench.harness.machine.fitness import FitnessCheck
from argo_bench.report.tables import Column, Row, Table, html_table, markdown_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Machine:
    """Holds what was found about a machine, and the versions a run would record; print it or show it in Jupyter."""

    findings: tuple[FitnessCheck, ...]
    facts: Mapping[str, object]

    def __str__(self) -> str:
        unfit = [each.subject for each in self.findings if each.verdict == "unfit"]
        if not unfit:
            return "This machine is fit for measuring."
        return f"This machine can measure, but look at {', '.join(unfit)}."

    def __rich__(self) -> Group:
        table = RichTable(show_header=False, box=None, padding=(0, 2, 0, 0))
        for each in self.findings:
            fit = each.verdict == "fit"
            mark = Text("✓ fit" if fit else "! unfit", style="green" if fit else "bold yellow")
            table.add_row(mark, Text(each.subject), Text(each.found if fit else f"{each.found}: {each.advice}"))
        return Group(Text(str(self), style="bold"), table, Text(self.components, style="dim"))

    @property
    def components(self) -> str:
        """Return processor, system and versions, in one line."""
        versions = self.facts.get("versions")
        listed = ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, Mapping) else ""
        return f"{self.facts['processor']}, {self.facts['system']}, {self.facts['python']}; {listed}"

    def table(self) -> Table:
        rows = tuple(
            Row((each.verdict, each.subject, each.found, "" if each.verdict == "fit" else each.advice))
            for each in self.findings
        )
        columns = (Column("", 6), Column("what", 20), Column("found", None), Column("what would help", None))
        return Table(str(self).removesuffix("."), self.components, columns, rows)

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with a row for every check."""
        import pandas as pd

        return pd.DataFrame(
            {"subject": each.subject, "verdict": each.verdict, "found": each.found, "advice": each.advice}
            for each in self.findings
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {
            "text/html": html_table(self.table()),
            "text/markdown": markdown_table(self.table()),
            "text/plain": str(self),
        }
