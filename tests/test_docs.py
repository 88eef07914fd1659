"""Do the pages in docs/ build, with every link inside them leading somewhere, and do those from outside of them?"""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
OUTSIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/reference/README.md")
"""Pages that are no part of the site, and link to it."""


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    assert find_spec("sphinx"), "Sphinx is not installed: pip install -c constraints.txt '.[docs]'"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "dummy", str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_pages_build_without_a_warning(tmp_path):
    done = build(DOCS, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("link", "says"), [("nowhere.md", "nowhere"), ("glossary.md#no-such-part", "no-such-part"), ("#away", "away")]
)
def test_a_link_that_leads_nowhere_is_named(link, says, tmp_path):
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ("conf.py", "glossary.md"):
        shutil.copy(DOCS / name, tmp_path / "docs")
    page = f"# A page\n\n[there]({link})\n\n```{{toctree}}\nglossary\n```\n"
    (tmp_path / "docs/index.md").write_text(page, encoding="utf-8")
    done = build(tmp_path / "docs", tmp_path / "built")
    assert done.returncode == 1
    assert says in done.stderr


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


LINKS = [
    (page, target)
    for page in OUTSIDE
    for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    if not target.startswith("https://")
]


@pytest.mark.parametrize(("page", "target"), LINKS)
def test_a_link_from_outside_leads_to_a_file_and_a_heading(page, target):
    file, _, anchor = target.partition("#")
    there = (ROOT / page).parent / file
    assert there.exists()
    assert not anchor or anchor in anchors_of(there)


def test_there_are_links_from_outside():
    assert {page for page, _ in LINKS} >= {"README.md", "CONTRIBUTING.md"}


def test_the_readme_leads_to_the_pages_that_a_reader_needs():
    linked = {target for page, target in LINKS if page == "README.md"}
    assert {"docs/install.md", "docs/architecture.md", "docs/glossary.md", "docs/how_it_decides.md"} <= linked
