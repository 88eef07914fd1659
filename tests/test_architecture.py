"""Do the walks through the code that docs/architecture.md gives lead to code, and are they as short as it says?"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
WALKS = re.findall(r"^### (From [^\n]*)\n(.*?)(?=^##)", TEXT, re.DOTALL | re.MULTILINE)
MOST_FILES, MOST_LINES = 8, 700


def steps_of(walk: str) -> list[tuple[Path, list[str]]]:
    rows = [line.split("|")[1:3] for line in walk.splitlines() if line.startswith("| `")]
    return [(ROOT / file.strip(" `"), re.findall(r"`(\w+)`", names)) for file, names in rows]


def lines_of(file: Path) -> dict[str, int]:
    """The lines of each function and class of a module, with its decorators."""
    found = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found[node.name] = node.end_lineno - first + 1
    return found


def test_there_are_two_walks():
    assert len(WALKS) == 2


@pytest.mark.parametrize(("title", "walk"), WALKS, ids=[title for title, _ in WALKS])
def test_a_walk_is_short_and_leads_to_code(title, walk):
    steps = steps_of(walk)
    assert 0 < len(steps) <= MOST_FILES
    assert sum(lines_of(file)[name] for file, names in steps for name in names) < MOST_LINES


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:argo_bench/)?[\w/]+\.(?:py|json|jinja))`", TEXT))))
def test_a_file_that_is_named_is_there(path):
    assert (ROOT / path).exists() or (ROOT / "argo_bench" / path).exists() or list((ROOT / "argo_bench").rglob(path))
