"""The machine's fitness as a card for the terminal: each check with what was found, and what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from argo_bench.harness.fitness import Finding


def machine_card(findings: Sequence[Finding], facts: Mapping[str, object]) -> Group:
    """A sentence, the checks, and the versions that a run would record."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for each in findings:
        fit = each.verdict == "fit"
        mark = Text("✓ fit" if fit else "! unfit", style="green" if fit else "bold yellow")
        table.add_row(mark, each.subject, each.found if fit else f"{each.found}: {each.advice}")
    versions = facts.get("versions")
    listed = ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, Mapping) else ""
    return Group(
        Text(sentence(findings), style="bold"),
        table,
        Text(f"{facts['processor']}, {facts['system']}, {facts['python']}; {listed}", style="dim"),
    )


def sentence(findings: Sequence[Finding]) -> str:
    """The whole in one sentence."""
    unfit = [each.subject for each in findings if each.verdict == "unfit"]
    if not unfit:
        return "This machine is fit for measuring."
    return f"This machine can measure, but look at {', '.join(unfit)}."
