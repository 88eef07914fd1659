"""Defines ``argo-bench ci``: a gate on two revisions, thresholds of a run, ratios over time, and a workflow."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from argo_bench.cli.records import blaming
from argo_bench.cli.shell import (
    ENVIRONMENT_UNFIT,
    GATE_FAILED,
    INTERRUPTED,
    MISUSED,
    OUTPUTS_DIFFER,
    Duration,
    Share,
    StoredRun,
    make_console,
    print_json,
    say,
    show_progress,
    takes_seed,
    warn,
)
from argo_bench.controls import escape_controls
from argo_bench.errors import UserError
from argo_bench.extras import check_extra

if TYPE_CHECKING:
    from argo_bench.gate.repository import Repository
    from argo_bench.gate.run import Question


@click.group(invoke_without_command=True, short_help="Find out whether a commit is slower than another one.")
@click.option("--base", help="Commit or branch to compare with, where the head branched off. [default: HEAD~1]")
@click.option("--head", default="HEAD", show_default=True, help="Commit or branch to be judged.")
@click.option(
    "--patch",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Judge this patch, as git diff writes it, applied to HEAD (or --head, --base), in one word.",
)
@click.option(
    "--shard", metavar="K/N", help="Measure part K of N of the benchmarks; `ci merge` then decides over all parts."
)
@click.option(
    "--direct", "is_direct", is_flag=True, help="Compare with the base itself, not with where the head branched off."
)
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder of the project in its repository. [default: this one, or the nearest above with a pyproject.toml]",
)
@click.option("--tolerance", type=Share(), help="The slow-down that is still fine. [default: 3%]")
@click.option("--budget", "budget_s", type=Duration(), help="Time for everything. [default: 10m]")
@click.option(
    "--environment",
    type=click.Choice(["own", "current"]),
    help="own: each commit is installed into an environment of its own. current: both run in this one, and nothing is "
    "installed. [default: own]",
)
@click.option(
    "--accept", multiple=True, metavar="NAME", help="Accept that this benchmark's output or counts have changed."
)
@takes_seed
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the record. [default: results/ci-<time>]")
@click.option("--list", "is_list", is_flag=True, help="Only list the benchmarks, and why some cannot run.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
@click.pass_context
def ci(
    context: click.Context, /, project: Path, out: Path | None, is_list: bool, as_json: bool, **options: Any
) -> None:
    """Find out whether a commit (the head) is slower than another one (the base).

    Both are checked out and timed in turns; the base is also compared with itself, as a control. The benchmarks are
    those in the table [tool.argo_bench.benchmarks] of the head's pyproject.toml, or else its suite of asv or tests of
    pytest-benchmark.

    Exit code 1: two separate measurements both show that a benchmark is slower than the tolerance allows, or it takes
    more memory, or more of something that it counts, such as requests. 3: outputs differ. 4: base and head fail alike,
    or cannot be installed here. A difference that is not proven never fails. With --patch the first word of the output
    is void (outputs differ, or it does not run), worse, undecided, faster or fine.
    """
    if context.invoked_subcommand is not None:
        return
    from argo_bench.gate.repository import Repository
    from argo_bench.gate.run import run_gate
    from argo_bench.harness.machine.fitness import LoadWatch, check_load, describe_busy, glance_at_load

    repository = Repository(project)
    question = question_of(repository, **options)
    if is_list:
        show_benchmarks(repository, question, as_json)
        return
    if (uncommitted := repository.find_uncommitted_files()) and question.head == "HEAD":
        more = f" and {len(uncommitted) - 1} more" if len(uncommitted) > 1 else ""
        say(f"what is not committed is not measured: {uncommitted[0]}{more}", err=True)
    directory = out or Path("results") / f"ci-{datetime.now():%Y%m%d-%H%M%S}"
    interrupted = False
    warn(describe_busy(glance_at_load()))
    watch = LoadWatch()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends a gate as Ctrl-C does
    try:
        with show_progress() as on_progress:
            run_gate(repository, question, directory, on_progress)
    except KeyboardInterrupt:
        interrupted = True
    busy = describe_busy(check_load(watch.so_far()))
    code = show_and_save_gate(directory, as_json, interrupted=interrupted)
    if question.shard is not None and code in (GATE_FAILED, OUTPUTS_DIFFER):
        code = 0
    warn(busy)
    sys.exit(code)


def show_benchmarks(repository: Repository, question: Question, as_json: bool) -> None:
    """Show which benchmarks the head of a question has; nothing is compared."""
    import math
    import time

    from argo_bench.gate.suites.listing import list_benchmarks, make_list_table
    from argo_bench.harness.progress import Progress
    from argo_bench.report.tables import terminal_table

    began = time.monotonic()
    with show_progress() as on_progress:
        listed = list_benchmarks(
            repository,
            question.head,
            question.settings,
            lambda doing: on_progress(Progress(time.monotonic() - began, math.inf, doing, "")),
        )
    if as_json:
        print_json([each.row() for each in listed])
    else:
        make_console().print(terminal_table(make_list_table(listed)))


def question_of(repository: Repository, base: str | None, accept: tuple[str, ...], **given: Any) -> Question:
    """Return what the options ask of two revisions; the project's own settings stand where an option is None."""
    from argo_bench.gate.benchmarks import read_settings
    from argo_bench.gate.run import Question
    from argo_bench.gate.shards import read_shard

    asked = {key: given.pop(key) for key in ("head", "seed", "is_direct", "patch")}
    shard = given.pop("shard")
    settings = read_settings(repository.root / repository.project)
    try:
        part = None if shard is None else read_shard(shard)
    except ValueError as error:
        raise UserError(f"--shard: {error}") from None
    settings = dataclasses.replace(settings, **{key: value for key, value in given.items() if value is not None})
    default = (settings.base or "HEAD~1") if asked["patch"] is None else asked["head"]
    return Question(base or default, settings=settings, accepted=accept, shard=part, **asked)


def show_and_save_gate(directory: Path, as_json: bool, *, interrupted: bool = False, out: Path | None = None) -> int:
    """Show a gate's record, write what other tools read (into ``out``, if given), and return the exit code it has."""
    from argo_bench.gate.answers import gate_of
    from argo_bench.gate.description import describe_gate, judge_patch
    from argo_bench.gate.records import Revisions
    from argo_bench.gate.table import list_notes, table_of
    from argo_bench.harness.record.store import load
    from argo_bench.integrations.outputs.github import annotate, step_summary
    from argo_bench.integrations.outputs.rendering import write_all
    from argo_bench.integrations.outputs.results import Results
    from argo_bench.report.tables import terminal_table

    recorded = load(directory)
    if not recorded.all(Revisions):
        say("interrupted before anything was measured", err=True)
        return INTERRUPTED
    gate = gate_of(recorded)
    note = " ".join(list_notes(gate, recorded))
    if as_json:
        print_json(describe_gate(gate, recorded))
    else:
        if (revisions := recorded.all(Revisions)[0]).patch:
            say(judge_patch(gate, revisions))
        make_console().print(terminal_table(table_of(gate, recorded)))
    written = write_all(out or directory, Results(str(gate), gate.outcomes, recorded.run, note))
    files = ", ".join(each.name for each in written)
    say(f"record: {directory}, with {files}" if out is None else f"files: {out}, with {files}", err=True)
    if not as_json:
        say(f"{gate}.")
    is_part = recorded.all(Revisions)[0].is_part  # the whole is annotated once, after the merge
    if os.environ.get("GITHUB_ACTIONS") == "true" and not is_part:
        say(annotate(gate.outcomes), nl=False)
    if not is_part and (summary := os.environ.get("GITHUB_STEP_SUMMARY")):
        with open(summary, "a", encoding="utf-8") as file:
            file.write(step_summary(str(gate), gate.outcomes, note))
    if interrupted:
        say("interrupted: the answers above rest on what was measured until then", err=True)
        return INTERRUPTED
    if gate.blocks:
        return OUTPUTS_DIFFER if gate.differs else GATE_FAILED
    return ENVIRONMENT_UNFIT if gate.lacks_environment else 0


@ci.command(short_help="Decide over the records of all shards together.")
@click.argument("records", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the merged record.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
def merge(records: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Decide over the RECORDS of all shards together, with the exit codes of `ci`.

    Benchmarks of a shard that is missing count as not measured. RECORDS that differ in commits, options or seeds do
    not belong together: exit code 2.
    """
    from argo_bench.gate.shards import merge_shards

    merge_shards(records, out)
    sys.exit(show_and_save_gate(out, as_json))


@ci.command(short_help="Find out whether a run still reaches its thresholds.")
@click.argument("run", type=StoredRun())
@click.option(
    "--thresholds",
    type=click.Path(path_type=Path),
    default=Path("tests/benchmarks/thresholds.toml"),
    show_default=True,
    help="The file that says what is expected.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON.")
def check(run: Path, thresholds: Path, as_json: bool) -> None:
    """Find out whether a stored RUN still reaches its thresholds.

    Exit code 1: at least one threshold is missed for sure. A miss that is not proven never fails.
    """
    from argo_bench.gate.table import make_outcome_table
    from argo_bench.gate.thresholds import check_thresholds, read_thresholds
    from argo_bench.harness.record.store import load
    from argo_bench.report.tables import terminal_table

    recorded = load(run)
    with blaming(recorded):
        found = check_thresholds(recorded, read_thresholds(thresholds))
    if as_json:
        print_json({"outcomes": [each.row() for each in found.outcomes], "unknown": list(found.unknown)})
    else:
        make_console().print(terminal_table(make_outcome_table(str(found), found.note, found.outcomes, "seen")))
    for sentence in found.unknown:
        say(f"argo-bench: {sentence}", err=True)
    if any(each.state == "differs" for each in found.outcomes):
        sys.exit(OUTPUTS_DIFFER)
    if any(each.blocks for each in found.outcomes):
        sys.exit(GATE_FAILED)
    sys.exit(MISUSED if found.unknown else 0)


@ci.command(short_help="Propose thresholds for `ci check`.")
@click.argument("run", type=StoredRun())
@click.option(
    "--margin",
    type=Share(),
    default=0.1,
    show_default=True,
    help="How far below its interval each threshold is set, as a share.",
)
@click.option("--times", is_flag=True, help="Also propose times per call, which hold on this processor alone.")
def thresholds(run: Path, margin: float, times: bool) -> None:
    """Print thresholds for `ci check`, proposed from the intervals of a stored RUN, as TOML."""
    from argo_bench.gate.thresholds import propose_thresholds
    from argo_bench.harness.record.store import load

    recorded = load(run)
    with blaming(recorded):
        click.echo(escape_controls(propose_thresholds(recorded, margin, with_times=times)), nl=False)


@ci.command(short_help="Show how speed-ups have moved over several runs.")
@click.argument("runs", nargs=-1, type=StoredRun())
@click.option("--claim", help="Show one claim alone, as in O08.time.")
@click.option("--svg", type=click.Path(path_type=Path), help="Also draw it into this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def history(runs: tuple[Path, ...], claim: str | None, svg: Path | None, as_json: bool) -> None:
    """Show how speed-ups have moved over several RUNS; without arguments over all of results/.

    Each speed-up is over the baseline that was measured in the same run. Runs of different profiles are never
    compared; records of `ci` have rows of their own.
    """
    from argo_bench.gate.history import history_of, read_runs, table_of
    from argo_bench.report.tables import terminal_table

    recorded, unreadable = read_runs(runs)
    for sentence in unreadable:
        say(f"argo-bench: {sentence}", err=True)
    if not recorded:
        raise UserError("no run to show: expected folders of argo-bench run or ci, by default under results/")
    with blaming(*recorded):
        found = history_of(recorded, claim)
        if as_json:
            print_json([dataclasses.asdict(each) for each in found])
        else:
            make_console().print(terminal_table(table_of(found)))
        if svg is not None:
            check_extra("report", "--svg")
            from argo_bench.gate.history_figure import draw_history

            picture = draw_history(found)
            svg.write_bytes(picture.svg())
            say(f"figure: {svg}, of which an alternative text may say: {picture.alt}", err=True)


@ci.command(short_help="Write workflows for GitHub Actions.")
@click.option("--force", is_flag=True, help="Replace a workflow that is there already.")
@click.option("--strict", is_flag=True, help="Let the workflow also fail where base and head cannot run (exit code 4).")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="Folder of the project. [default: .]")
@click.option(
    "--install", default="", metavar="REQUIREMENT", help="What pip installs in the workflow. [default: this version]"
)
def init(force: bool, strict: bool, project: Path, install: str) -> None:
    """Write a workflow that runs `argo-bench ci` on every pull request, and one that comments on it.

    They are written to .github/workflows/ at the root of the repository, where GitHub looks for them. The first one has
    no right to write anything, so that pull requests from forks are safe.
    """
    from argo_bench.gate.repository import Repository
    from argo_bench.gate.workflow import Workflow, write_workflows

    repository = Repository(project)
    asked = Workflow(install, strict)
    paths, missing = write_workflows(repository.root, repository.project, asked, overwrite=force)
    for path in paths:
        say(path)
    for sentence in missing:
        say(sentence, err=True)
