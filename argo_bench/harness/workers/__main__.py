"""Begins every worker process, in any interpreter: ``python -P PATH/TO/workers JOB ARGUMENT ...``.

It gives the package beside it a name of its own, since the interpreter may have another argo_bench, or none.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

NAME = "_argo_bench"


def begin(job: str, *arguments: str) -> None:
    """Run ``main`` of the module in this folder that a job names.

    The main module is an empty one from then on: no name of a user's main program finds anything of ours there.
    """
    sys.modules["__main__"] = ModuleType("__main__")
    package = sys.modules[NAME] = ModuleType(NAME)
    package.__path__ = [str(Path(__file__).resolve().parents[2])]
    importlib.import_module(f"{NAME}.harness.workers.{job}").main(*arguments)


if __name__ == "__main__":
    begin(*sys.argv[1:])
