"""Every mutant and emptied stage is an optimization here, so that a run takes this file like a user's, in workers too.

It is imported by its own name from its own folder, wherever the tests' package is not on the path.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)

mutations = importlib.import_module("tests.mutations")
emptied = importlib.import_module("tests.mutations.emptied")
globals().update({each.id: mutations.as_optimization(each) for each in (*mutations.every_mutant(), *emptied.emptied())})
