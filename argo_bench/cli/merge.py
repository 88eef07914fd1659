"""Defines ``argo-bench merge``: records of shards become one run, and kinds of machines are laid side by side."""

from __future__ import annotations

from pathlib import Path

import click

from argo_bench.cli.report import save, say_again, show
from argo_bench.cli.shell import StoredRun, make_console, print_json, say, warn


@click.command(short_help="Make one run of the records of its shards.")
@click.argument("records", nargs=-1, required=True, type=StoredRun())
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the merged record.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def merge(records: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Make one run of RECORDS that `argo-bench run --shard` made, here or on other machines; it verifies as any other.

    Machines of another kind, by processor and number of cores, are never averaged: each kind has a record of its own,
    and a table says on which of them a claim holds. RECORDS of other versions, data or options do not belong together.
    """
    from argo_bench.harness.merging import find_missing_shards, merge_runs
    from argo_bench.harness.record.store import load
    from argo_bench.opening import open_report
    from argo_bench.report.kinds import describe_table, tabulate_kinds
    from argo_bench.report.tables import terminal_table

    missing = find_missing_shards([load(each) for each in records])
    kinds = merge_runs(records, out)
    for kind, shards in missing.items():
        for number, of in shards:
            warn(f"shard {number} of {of} is missing on {kind}: what it has is not measured")
    for kind, recorded in kinds.items():
        say(f"{kind}: {recorded.directory}", err=True)
    if len(kinds) == 1:
        [recorded] = kinds.values()
        report = open_report(recorded.directory)
        show(report, as_json)
        save(report, recorded.directory)
        say_again(report, as_json)
    elif as_json:
        print_json(describe_table(kinds))
    else:
        make_console().print(terminal_table(tabulate_kinds(kinds)))
