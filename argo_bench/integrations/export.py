"""Writes a comparison as two standalone scripts that pyperf and hyperfine can run, for a second opinion by other tools.

Both scripts time the body that a run times, on the inputs that a run records, and leave the measuring to the tool.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import CLOCKS
from argo_bench.harness.labels import label, label_both, shorten_name
from argo_bench.harness.plan import DEFAULT, replicate_seed
from argo_bench.harness.record.records import Comparison
from argo_bench.harness.record.store import UNREADABLE
from argo_bench.harness.replicate import LONGEST_PASS_NS
from argo_bench.harness.subject import Subject
from argo_bench.harness.table import read_pairs
from argo_bench.harness.workers.bodies import Body, body_of
from argo_bench.harness.workers.messages import Arm, arm_of
from argo_bench.optimizations import lookup
from argo_bench.pipeline.market import Universe
from argo_bench.study.job import study_job
from argo_bench.study.subject import StudySubject

Role = Literal["baseline", "candidate"]
ROLES: tuple[Role, Role] = ("baseline", "candidate")
DESCRIPTION = "export.json"
RUN_NS = 1_000_000_000
"""A run under hyperfine does this much work, beside which the noise of starting a process is small."""

SCRIPT = '''\
"""{title}.

{details}

    {pyperf}    a pyperf benchmark (pip install pyperf)
    {plain}    100 {passes} and nothing else, for hyperfine
    {empty}    only what these need, whose time is to be taken off
"""

import json
import sys
from pathlib import Path

from argo_bench.harness.workers.bodies import Body, body_of

NAME = {name!r}
ARGUMENTS = {{
{arguments}
}}
ARM = {{
    "name": {role!r},
    "factory": {factory!r},
    "arguments": json.dumps(ARGUMENTS),
    "path": {path!r},
}}
CALLS = {calls}


def main() -> None:
    body = body_of(ARM)
    body.keep(CALLS)
    body.first_call()
    match sys.argv[1:]:
        case ["--calls", passes]:
            body.sample(int(passes))
        case ["--prepare", passes]:
            for _ in range(int(passes)):
                body.prepare_calls()
        case _:
            measure(body)


def measure(body: Body) -> None:
    try:
        import pyperf
    except ImportError:
        sys.exit("pyperf is not installed: pip install pyperf, or run this script with --calls N")
    pyperf.Runner().bench_time_func(NAME, lambda passes: body.sample(passes).wall_ns / 1e9, inner_loops=body.calls)


if __name__ == "__main__":
    main()
'''


class Export(msgspec.Struct, frozen=True):
    """Says what the scripts of a folder measure.

    ``calls`` is the number of calls in a pass, ``passes`` the number of passes of each arm that take a second.
    """

    comparison: Comparison
    calls: int
    passes: dict[Role, int]


def subject_of(targets: Sequence[str], setup: str | None, universe: Callable[[], Universe], seed: int) -> Subject:
    """Return an optimization by its id, a benchmark by its name in pyproject.toml, or a benchmark of two functions.

    ``universe`` makes what an optimization is fed. Raises UserError for anything else.
    """
    match targets:
        case [old, new]:
            names = [*map(shorten_name, label_both(old, new))]
            return Benchmark(f"{names[1]} against {names[0]}", old, new, setup)
        case [name] if setup is None and ":" not in name:
            if (benchmark := read_pairs().get(name)) is not None:
                return benchmark
            return study_job(lookup([name]), universe(), DEFAULT, seed).subjects[0]
    raise UserError(
        f"expected an optimization, as in O08, or two functions, as in module:old module:new --setup module:make, got "
        f"{' '.join(targets)}{'' if setup is None else f' --setup {setup}'}"
    )


def export(subject: Subject, variant: str, seed: int, directory: Path) -> Export:
    """Write the scripts for the comparison behind a headline claim, with the inputs of a run's first replicate.

    A benchmark's functions must be importable from the current folder. Raises UserError where an arm lacks what it
    requires or raises, where the data gives no input, and for a folder that cannot be written.
    """
    claim = find_claim_about_time(subject)
    variant = variant if variant in subject.variants else subject.variants[0]
    comparison = subject.declaration().headline_comparison(claim, variant)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for reason in subject.feed([comparison], replicate_seed(seed, 0), directory, lambda doing: None).values():
            raise UserError(reason)
        names = dict(zip(ROLES, (comparison.reference, comparison.candidate), strict=True))
        arms = {role: _make_standalone(subject.arm(comparison, name, directory)) for role, name in names.items()}
        calls, passes = _choose_lengths(arms)
        exported = Export(comparison, calls, passes)
        for role, arm in arms.items():
            script = _write_script(role, arm, exported, _describe_comparison(subject, comparison))
            (directory / f"{role}.py").write_text(script, encoding="utf-8")
        described = msgspec.json.format(msgspec.json.encode(exported), indent=2)
        (directory / DESCRIPTION).write_bytes(described)
    except OSError as error:
        raise UserError(
            f"cannot write to {directory} ({error.strerror}): expected a folder that can be written"
        ) from None
    return exported


def find_claim_about_time(subject: Subject) -> Claim:
    """Return the headline claim about a time, or the first further reading that is about one.

    Raises UserError where none is.
    """
    timed = [claim for claim in subject.claims if claim.metric in CLOCKS]
    if isinstance(subject, StudySubject):
        timed = [each for each in timed if subject.optimization.workload(each.workload).timed]
    if not timed:
        raise UserError(f"{subject.id} has no claim about a time: its counts are exact, and no other tool counts them")
    return next((claim for claim in timed if claim.headline), timed[0])


def _describe_comparison(subject: Subject, comparison: Comparison) -> str:
    if isinstance(subject, Benchmark):
        fed = "no arguments" if subject.setup is None else f"what {label(subject.setup)} returns"
        return f"{label(subject.candidate)} against {label(subject.baseline)}, with {fed}."
    assert isinstance(subject, StudySubject)
    workload = subject.optimization.workload(comparison.workload)
    return (
        f"The stage {workload.stage} on {workload.description}. The copies and the state that a call needs are made "
        "outside the time that pyperf sees."
    )


def _make_standalone(arm: Arm) -> Arm:
    """Return the arm as a process started anywhere finds it; a user's function needs the current folder on its path."""
    if arm.factory:
        return msgspec.structs.replace(arm, path=())

    def absolute(target: str) -> str:
        module, _, name = target.rpartition(":")
        return f"{os.path.abspath(module)}:{name}" if module.endswith(".py") else target

    given = json.loads(arm.arguments)
    arguments = given | {"function": absolute(given["function"]), "setup": absolute(given["setup"])}
    return arm_of(arm.name, arm.factory, arguments, (os.getcwd(),), arm.key)


def _choose_lengths(arms: Mapping[Role, Arm]) -> tuple[int, dict[Role, int]]:
    """Return the calls in a pass, as a run would choose them, and the passes of each arm that take a second."""
    bodies = {role: body_of(msgspec.to_builtins(arm)) for role, arm in arms.items()}
    call_ns = {role: _time_call_ns(body, arms[role]) for role, body in bodies.items()}
    for body in bodies.values():
        body.keep(body.fixed_calls or max(1, int(LONGEST_PASS_NS / max(call_ns.values()))))
        body.close()
    calls = bodies["baseline"].calls
    return calls, {role: math.ceil(RUN_NS / (calls * each)) for role, each in call_ns.items()}


def _time_call_ns(body: Body, arm: Arm) -> float:
    try:
        body.first_call()
        return max(1, body.sample(1).wall_ns / body.calls)
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything
        raise UserError(
            f"the {arm.name} raised {type(error).__name__}: {error}; expected a call that succeeds"
        ) from None


def _write_script(role: Role, arm: Arm, exported: Export, details: str) -> str:
    given = json.loads(arm.arguments)
    arguments = {name: repr(value) for name, value in given.items()}
    if "inputs" in given:
        arguments["inputs"] = f"str(Path(__file__).with_name({Path(given['inputs']).name!r}))"
    return SCRIPT.format(
        title=f"The {role} of {exported.comparison}",
        details="\n".join(textwrap.wrap(details, 100)),
        pyperf=(pyperf := f"python {role}.py -o {role}.json"),
        plain=f"python {role}.py --calls 100".ljust(len(pyperf)),
        empty=f"python {role}.py --prepare 100".ljust(len(pyperf)),
        passes="calls" if exported.calls == 1 else f"passes of {exported.calls} calls",
        name=str(exported.comparison),
        role=arm.name,
        factory=arm.factory,
        path=list(arm.path),
        arguments="\n".join(f"    {name!r}: {value}," for name, value in arguments.items()),
        calls=exported.calls,
    )


def list_commands(exported: Export, directory: Path) -> list[str]:
    """Return the commands to type: pyperf on both scripts and its comparison, hyperfine with and without the calls."""
    python = "python" if shutil.which("python") == sys.executable else sys.executable
    script = {role: str(directory / f"{role}.py") for role in ROLES}
    figures = {role: str(directory / f"{role}.json") for role in ROLES}
    runs = [
        shlex.join([python, script[role], option, str(exported.passes[role])])
        for role in ROLES
        for option in ("--prepare", "--calls")
    ]
    return [
        *(shlex.join([python, script[role], "-o", figures[role]]) for role in ROLES),
        shlex.join([python, "-m", "pyperf", "compare_to", *figures.values()]),
        shlex.join(["hyperfine", "--warmup", "1", "--export-json", str(directory / "hyperfine.json"), *runs]),
    ]


def read_export(directory: Path) -> Export:
    """Read what the scripts of a folder measure. Raises UserError for a folder that no export wrote."""
    file = directory / DESCRIPTION
    try:
        return msgspec.json.decode(file.read_bytes(), type=Export)
    except OSError as error:
        reason = error.strerror
    except UNREADABLE as error:
        reason = str(error)
    raise UserError(f"cannot read {file} ({reason}): expected a folder that argo-bench export wrote")
