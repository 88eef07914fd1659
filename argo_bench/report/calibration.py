"""Shows how far the harness can be trusted on a machine: error rates, power and coverage, in tables and a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.text import Text

from argo_bench.harness.calibration.standing import Calibration
from argo_bench.report import finding
from argo_bench.report.tables import Column, Row, Table, terminal_table


def make_card(calibration: Calibration) -> Group:
    """Return the sentence and the tables as rich text for a console of 80 columns or more."""
    parts: list[Any] = [
        Text(f"{describe_calibration(calibration)}.", style="bold"),
        Text(_describe_bank(calibration), style="dim"),
        Text(),
    ]
    for table in make_tables(calibration):
        parts += [terminal_table(table), Text()]
    return Group(*parts)


def describe_calibration(calibration: Calibration) -> str:
    """Sum up all rates in one sentence, without a full stop."""
    parts = [f"equal code was told apart in {finding.format_rate(calibration.all_false_positives)} of comparisons"]
    parts += [
        f"{100 * abs(each.change - 1):.3g} % {'more' if each.change > 1 else 'less'} work"
        f"{f' in {each.where}' if each.where else ''} was found in "
        f"{finding.format_rate(each.found)} after {each.seconds:.0f} s"
        for each in calibration.power
        if each.change == 1.03
    ]
    parts += [f"the intervals contained the truth in {finding.format_rate(calibration.coverage)}"]
    return f"On this machine {'; '.join(parts)}"


def _describe_bank(calibration: Calibration) -> str:
    return (
        f"Machine {calibration.machine} ({calibration.processor}), {calibration.when}, {calibration.replicates:,} "
        f"replicates; code layout, position and role alone stay within {100 * calibration.floor:.2g} %."
    )


def make_tables(calibration: Calibration) -> Iterator[Table]:
    """Yield the tables of false positives, power and coverage, and of the speed-ups that equal work shows."""
    columns: tuple[Column, ...]
    rates = {**calibration.false_positives, "all": calibration.all_false_positives}
    columns = (Column("equal code", None), Column("told apart", 12), Column("rate in % [exact 95 %]", 24))
    rows = tuple(
        Row((name, f"{rate.events} of {rate.trials}", finding.format_rate(rate))) for name, rate in rates.items()
    )
    note = f"Contiguous draws, stopping early; over every starting point {100 * calibration.any_start:.2g} %."
    yield Table("False positives", note, columns, rows)
    columns = (
        Column("planted work", None),
        Column("found in % [exact 95 %]", 24),
        Column("wrong sign", 10),
        Column("to the decision", 22),
    )
    rows = tuple(
        Row(
            (
                f"{each.change:.4g}x" + (f", {each.where}" if each.where else ""),
                finding.format_rate(each.found),
                str(each.wrong),
                f"{each.seconds:.0f} s, n={each.replicates:.0f}",
            )
        )
        for each in calibration.power
    )
    yield Table("Power", "A call with so much of its work, found with the right sign.", columns, rows)
    columns = (Column("intervals at 95 %", None), Column("recorded, % [exact 95 %]", 25), Column("simulated, %", 13))
    rows = (
        Row(("ten replicates", finding.format_rate(calibration.coverage), f"{100 * calibration.simulated:.2f}")),
        Row(
            (
                "with stopping",
                finding.format_rate(calibration.coverage_stopped),
                f"{100 * calibration.simulated_stopped:.2f}",
            )
        ),
    )
    yield Table("Coverage", "How often an interval contained what was planted.", columns, rows)
    columns = (Column("nothing differs but", None), Column("mean speed-up", 13), Column("95 % interval", 18))
    rows = tuple(
        Row((null.what, f"{null.speedup:.4f}x", f"{null.low:.4f} to {null.high:.4f}")) for null in calibration.nulls
    )
    yield Table("Nulls", "What the mean over all replicates says of equal work.", columns, rows)
