"""How long does the engineered set take from a fresh process to the end of its first cycle of six symbols?

    python tests/benchmarks/study_start.py [--rounds 10] [--out FILE] [--report]

Of every round the first process compiles the kernels into an empty cache, the second one loads them from there. The
seconds of the second one are listed by parts: the interpreter, the imports, building the pipeline and its world, the
kernels, the cycle. Making the market's bars is not among them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import click

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.study_trials import read_lines  # noqa: E402 - a script finds the tests only now

RECORD = ROOT / "results" / "reference" / "start.jsonl"
GOAL_S = 1.5
PARTS = {
    "interpreter": "",
    "imports": """
from argo_bench.optimizations import build
from argo_bench.optimizations.together import ALL_IDS
from argo_bench.pipeline.record import cycle
from argo_bench.pipeline.world import SimulatedWorld, Simulation
""",
    "pipeline and world": """
pipeline = build({each: "engineered" for each in ALL_IDS})
world = SimulatedWorld(market, Simulation(prepare_ahead=False), seed=1, latency_scale=0.0)
""",
    "kernels": """
for symbol in market.symbols[:1]:
    made = pipeline.frame(world, market.bars(symbol, 0))
    pipeline.indicators(world, made)
    pipeline.regime(world, made)
""",
    "first cycle": """
ran = world.run(cycle(pipeline, world, market.symbols, 0))
""",
}
MARKET = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    market = pickle.load(file)
"""


def make_script() -> str:
    """Return a program that prints the moment at which each part is over, and how many signals its cycle decided."""
    lines = ["import time", "over = [time.time()]"]
    for name, code in PARTS.items():
        if name == "imports":
            lines += [code, "over.append(time.time())", MARKET, "pause = time.time() - over[-1]"]
        elif code:
            lines += [code, "over.append(time.time() - pause)"]
    return "\n".join([*lines, "import json", 'print(json.dumps({"over": over, "decided": len(ran.decided)}))'])


def start_process(script: Path, market: Path, cache: Path) -> dict[str, float]:
    """Return the seconds of each part in a fresh process."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    began = time.time()
    command = [sys.executable, str(script), str(market)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    over = json.loads(done.stdout)["over"]
    return {name: end - start for name, start, end in zip(PARTS, [began, *over], over, strict=False)}


def make_table(lines: Sequence[Mapping[str, float]]) -> str:
    rows = ["| part | seconds, median | most |", "| --- | --- | --- |"]
    totals = [sum(line.values()) for line in lines]
    for name in PARTS:
        own = [line[name] for line in lines]
        rows.append(f"| {name} | {median(own):.2f} | {max(own):.2f} |")
    rows.append(f"| all | {median(totals):.2f} | {max(totals):.2f} |")
    return "\n".join([*rows, "", f"The goal is {GOAL_S:g} s."])


@click.command()
@click.option("--rounds", default=10, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RECORD, help="The record, a line a round.")
@click.option("--report", is_flag=True, help="Only print what is recorded.")
def main(rounds: int, out: Path, report: bool) -> None:
    """Start processes, and print the parts of the second one of each round."""
    if not report:
        import pickle

        from argo_bench.pipeline.market import Tape, installed_sample

        with tempfile.TemporaryDirectory() as folder:
            script, market = Path(folder) / "start.py", Path(folder) / "market.pickle"
            script.write_text(make_script(), encoding="utf-8")
            market.write_bytes(pickle.dumps(Tape(installed_sample().frames, seed=1)))
            lines = []
            for number in range(rounds):
                cache = Path(folder) / f"cache-{number}"
                first = start_process(script, market, cache)
                lines.append(start_process(script, market, cache))
                click.echo(f"first {sum(first.values()):.2f} s, second {sum(lines[-1].values()):.2f} s", err=True)
        out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    click.echo(make_table(read_lines(out)))


if __name__ == "__main__":
    main()
