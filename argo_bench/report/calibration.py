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
    parts = [
        f"identical code was called different in {finding.format_rate(calibration.all_false_positives)} of comparisons"
    ]
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
        f"replicates; over many processes, identical code never differed by more than {100 * calibration.floor:.2g} %."
    )


def make_tables(calibration: Calibration) -> Iterator[Table]:
    """Yield the tables of false positives, power and coverage, and of the speed-ups that equal work shows."""
    columns: tuple[Column, ...]
    rates = {**calibration.false_positives, "all": calibration.all_false_positives}
    columns = (Column("identical code", None), Column("called different", 16), Column("rate in % [95 % interval]", 25))
    rows = tuple(
        Row((name, f"{rate.events} of {rate.trials}", finding.format_rate(rate))) for name, rate in rates.items()
    )
    any_start = f"{100 * calibration.any_start:.2g} %"
    note = f"How often identical code was called different; over every possible beginning of the samples {any_start}."
    yield Table("False alarms", note, columns, rows)
    columns = (
        Column("work that was planted", None),
        Column("found in % [95 % interval]", 26),
        Column("wrong sign", 10),
        Column("until decided", 22),
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
    note = "How often a call with so many times the work was found, in the right direction."
    yield Table("Differences found", note, columns, rows)
    columns = (Column("intervals at 95 %", None), Column("recorded, % [95 % interval]", 27), Column("simulated, %", 13))
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
    note = "How often an interval contained the difference that was planted."
    yield Table("Intervals that held", note, columns, rows)
    columns = (Column("all that differs", None), Column("mean speed-up", 13), Column("95 % interval", 18))
    rows = tuple(
        Row((null.what, f"{null.speedup:.4f}x", f"{null.low:.4f} to {null.high:.4f}")) for null in calibration.nulls
    )
    yield Table("Checks with identical code", "What all replicates together say of identical code.", columns, rows)
