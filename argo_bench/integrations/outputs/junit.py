"""Writes outcomes as JUnit XML: what blocks is a failure, what cannot be told is skipped.

XML 1.0 has no control characters, escaped or not (section 2.2): they are spelled out.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from argo_bench.controls import spell_controls
from argo_bench.gate.outcome import Outcome
from argo_bench.integrations.outputs.results import Results

SKIPPED = ("cannot run", "cannot tell", "not measured", "new", "removed")


def render(results: Results) -> dict[str, str]:
    """Return a suite of test cases."""
    return {"junit.xml": junit(results.suite, results.outcomes)}


def junit(suite: str, outcomes: Sequence[Outcome]) -> str:
    """Write one test case per outcome, with ratio, interval and counts as its properties."""
    root = ElementTree.Element("testsuites")
    counts = {
        "tests": len(outcomes),
        "failures": sum(each.blocks and each.state != "failed" for each in outcomes),
        "errors": sum(each.blocks and each.state == "failed" for each in outcomes),
        "skipped": sum(_is_skipped(each) for each in outcomes),
    }
    group = ElementTree.SubElement(
        root, "testsuite", {"name": spell_controls(suite), **{k: str(v) for k, v in counts.items()}}
    )
    for each in outcomes:
        case = ElementTree.SubElement(
            group, "testcase", {"classname": spell_controls(suite), "name": spell_controls(each.name), "time": "0"}
        )
        properties = ElementTree.SubElement(case, "properties")
        for name, value in _list_properties(each).items():
            ElementTree.SubElement(
                properties, "property", {"name": spell_controls(name), "value": spell_controls(value)}
            )
        if each.blocks:
            kind = "error" if each.state == "failed" else "failure"
            ElementTree.SubElement(case, kind, {"message": spell_controls(each.sentence)}).text = spell_controls(
                each.sentence
            )
        elif _is_skipped(each):
            ElementTree.SubElement(case, "skipped", {"message": spell_controls(each.sentence)})
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _is_skipped(outcome: Outcome) -> bool:
    return not outcome.blocks and (outcome.state in SKIPPED or outcome.state == "failed")


def _list_properties(outcome: Outcome) -> dict[str, str]:
    found: dict[str, str] = {"argo.state": outcome.state, "argo.metric": outcome.metric}
    if outcome.speedup is not None:
        found["argo.ratio"] = f"{1 / outcome.speedup:.6g}"
    if outcome.interval is not None:
        found["argo.interval"] = f"{1 / outcome.interval[1]:.6g} {1 / outcome.interval[0]:.6g}"
    return found | {f"argo.{name}": f"{each.base:g} {each.head:g}" for name, each in outcome.counts.items()}
