"""Finds the claims whose documents have no copy here: somebody else's words for them are all there is.

The source of a claim begins with the name of a file, such as ``plan.txt, Summary``, or describes a document in words,
such as ``an earlier document``. What is known from such a description alone may have been restated wrongly, so that
titles and pictures count it apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded

FILE = re.compile(r"[^\s,]+\.\w+(?=[,:]|$)")
"""A source that names a file begins like this."""


def find_restated(recorded: Recorded, judgements: Sequence[Judgement]) -> set[str]:
    """Return the ids of those claims among the judged ones whose documents have no copy here.

    There are none where no source names a file: then nothing is better known than anything else.
    """
    judged = {each.claim for each in judgements}
    sources = {
        claim.id: claim.source
        for declaration in recorded.declarations
        for claim in declaration.claims
        if claim.id in judged and claim.source
    }
    described = {claim for claim, source in sources.items() if FILE.match(source) is None}
    return described if len(described) < len(sources) else set()


def name_documents(recorded: Recorded, claims: set[str]) -> str:
    """Return the names of the files that the sources of these claims begin with, as in ``plan.txt and notes.md``."""
    found = (
        FILE.match(claim.source)
        for declaration in recorded.declarations
        for claim in declaration.claims
        if claim.id in claims
    )
    return " and ".join(dict.fromkeys(each[0] for each in found if each is not None))
