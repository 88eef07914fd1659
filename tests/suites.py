"""A toy module in two revisions with a suite, as a gate finds it and asks it; for tests of every kind of suite."""

import sys
import time
from pathlib import Path

from argo_bench.gate.checkouts import Checkout
from argo_bench.gate.suites.finding import find_compared, name_function
from argo_bench.harness.workers.messages import function_arm
from argo_bench.harness.workers.processes import WorkerProcess

ROUNDS = {"base": 1, "head": 2}


def write_toy(folder, rounds):
    text = f"def walk(values):\n    return sum(each for _ in range({rounds}) for each in values)\n"
    (folder / "toy.py").write_text(text, encoding="utf-8")


class Sides:
    """Two revisions that use this interpreter: ``write`` writes the suite into those of ``roles``."""

    def __init__(self, folder, write, roles=("base", "head")):
        self.checkouts = {}
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        for role, rounds in ROUNDS.items():
            root = folder / role
            root.mkdir()
            write_toy(root, rounds)
            if role in roles:
                write(root)
            self.checkouts[role] = Checkout(role, role, role, root, root, Path(sys.executable))
        self._compared = None

    def root(self, role):
        return self.checkouts[role].root

    def compare(self):
        """Return what the two are compared by, as it is found now."""
        return find_compared(self.checkouts, 0.03, self.scratch, time.monotonic() + 60, is_own=False)

    @property
    def compared(self):
        if self._compared is None:
            self._compared = self.compare()
        return self._compared

    def arm(self, name, role="head"):
        """Return a benchmark by its name, and the arm of a side."""
        benchmark = next(each for each in self.compared.benchmarks if each.name == name)
        checkout = self.checkouts[role]
        return benchmark, function_arm(
            role, name_function(benchmark, checkout, self.checkouts["head"], self.scratch), checkout.path
        )


class Asked:
    """A worker in the environment of a side, which is asked about benchmarks by their names."""

    def __init__(self, sides, folder, role="head"):
        self._sides = sides
        self._worker = WorkerProcess(0, folder / "numba", None, sides.checkouts[role].program)

    def __call__(self, name, message, expected, *arguments, role="head"):
        return self._worker.ask(message(self._sides.arm(name, role)[1], *arguments), expected)

    def close(self):
        self._worker.close()
