"""What the program says of stored records and of itself, kept as text: a change of it shows as a diff.

``python -m tests.goldens`` writes the files anew. Long texts, and pages with figures (whose curves depend on the
version of matplotlib), are kept as a digest; of pages the figures are left out.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from click.testing import CliRunner

from argo_bench.cli.main import cli

HERE = Path(__file__).parent
TEXTS = HERE / "texts"
ROOT = HERE.parents[1]
REFERENCE = ROOT / "results" / "reference"
RECORDS = {
    "reference": REFERENCE,
    "seed-0": REFERENCE / "seed-0",
    "sockets": REFERENCE / "sockets",
    "shares": REFERENCE / "shares",
    "lookups": REFERENCE / "lookups",
    "compare": HERE / "records" / "compare",
}
GATE = HERE / "records" / "gate"
LONGEST = 100_000
"""Characters of a text that is kept as it is."""
IDS = (*(f"O{number:02d}" for number in range(1, 16)), "FIVE", "ALL")
STAGES = (
    *("transport", "fetch", "frame", "indicators", "regime", "signals", "consensus"),
    *("reason", "validate", "encode", "store", "read", "schedule"),
)
COMMANDS = (
    *((), ("list",), ("run",), ("compare",), ("explain",), ("report",), ("lab",), ("export",), ("env",), ("claims",)),
    *(("calibrate",), ("verify",), ("ci",), ("ci", "check"), ("ci", "thresholds"), ("ci", "history"), ("ci", "init")),
    ("notebook",),
)


def output_of(*words: str) -> str:
    """What a command prints on stdout, in 80 columns."""
    done = CliRunner().invoke(cli, [*words], prog_name="argo-bench", terminal_width=80, env={"COLUMNS": "80"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout.replace(str(ROOT), "ROOT")


def page_of(directory: Path) -> str:
    """A run's report.html without its figures and the record inside."""
    from argo_bench import load

    with tempfile.TemporaryDirectory() as folder:
        page = load(directory).save_page(folder).read_text(encoding="utf-8")
    page = re.sub(r"<svg.*?</svg>", "<svg/>", page, flags=re.DOTALL)
    return re.sub(r"base64,[\w+/=]+", "base64,", page)


def gate_files() -> Iterator[tuple[str, str]]:
    """What ``argo-bench report`` writes beside a gate's record for other tools."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(GATE, folder, dirs_exist_ok=True)
        yield "gate report", output_of("report", folder).replace(folder, "FOLDER")
        yield "gate json", output_of("report", folder, "--json")
        yield "gate verify", output_of("verify", folder).replace(folder, "FOLDER")
        for file in sorted(Path(folder).iterdir()):
            if file.suffix in (".md", ".xml", ".json"):
                yield f"gate {file.name}", file.read_text(encoding="utf-8")


def annotations() -> str:
    """What a gate says to GitHub."""
    from argo_bench.gate.answers import gate_of
    from argo_bench.harness.record.store import load
    from argo_bench.integrations.outputs.github import annotate

    return annotate(gate_of(load(GATE)).outcomes)


def makers() -> dict[str, Callable[[], str]]:
    """What makes each text, by its name."""
    found: dict[str, Callable[[], str]] = {}
    for words in COMMANDS:
        found[" ".join(["help", *words])] = lambda words=words: output_of(*words, "--help")
    found["list"] = lambda: output_of("list")
    found["list json"] = lambda: output_of("list", "--json")
    for each in IDS:
        found[f"explain {each}"] = lambda each=each: output_of("explain", each)
    for stage in STAGES:
        found[f"explain stage {stage}"] = lambda stage=stage: output_of("explain", "--stage", stage)
    for name, directory in RECORDS.items():
        for form in ("markdown", "json", "junit", "pytest-benchmark"):
            found[f"{name} {form}"] = lambda of=str(directory), form=form: output_of("report", of, "--format", form)
        found[f"{name} verify"] = lambda of=str(directory): output_of("verify", of)
        found[f"{name} page"] = lambda of=directory: page_of(of)
    found["calibration verify"] = lambda: output_of("verify", str(REFERENCE / "calibration"))
    found["thresholds"] = lambda: output_of("ci", "thresholds", str(REFERENCE), "--times")
    found["check"] = lambda: output_of("ci", "check", str(REFERENCE / "seed-0"))
    found["annotations"] = annotations
    for name, text in gate_files():
        found[name] = lambda text=text: text
    return found


def kept(text: str) -> str:
    """The text as its file has it."""
    if len(text) <= LONGEST:
        return text
    return f"{len(text)} characters, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}\n"


def file_of(name: str) -> Path:
    return TEXTS / f"{name.replace(' ', '-')}.txt"
