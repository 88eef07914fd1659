"""A job measured into a folder, whoever asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from argo_bench.harness.calibration.rates import used
from argo_bench.harness.record.store import Recorded, Writer
from argo_bench.harness.run import Experiment

if TYPE_CHECKING:
    from argo_bench.harness.groundwork import Progress
    from argo_bench.harness.machine.fitness import Finding
    from argo_bench.study.job import Job


def is_interrupted(
    job: Job,
    directory: Path,
    name: str,
    on_progress: Callable[[Progress], None],
    machine: Sequence[Finding] = (),
    before: Recorded | None = None,
) -> bool:
    """Measure the job; whether Ctrl-C ended it, after which everything that was measured is recorded and judged.

    ``name`` is the run's in the record, ``machine`` what was found about its fitness, ``before`` the interrupted run
    that is taken up. Raises UserError where the folder holds a run already.
    """
    writer = Writer(directory, resume=before is not None)
    try:
        Experiment(
            job.subjects,
            job.universe,
            job.profile,
            job.seed,
            writer,
            name,
            on_progress,
            machine,
            used(),
            asked=job.asked,
            before=before,
        ).run()
    except KeyboardInterrupt:
        return True
    finally:
        writer.close()
    return False
