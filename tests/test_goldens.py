"""Does the program say of stored records, and of itself, what it said? ``python -m tests.goldens`` accepts a change."""

import pytest

from tests.goldens import TEXTS, file_of, kept, makers

MAKERS = makers()
LONG = ("reference page", "seed-0 page", "calibration verify")
"""These take seconds; the pages of other records are tried with the quick tests."""


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.slow) if each in LONG else each for each in MAKERS]
)
def test_the_text_is_the_one_that_is_kept(name):
    assert kept(MAKERS[name]()) == file_of(name).read_bytes().decode()


def test_every_kept_text_is_made():
    assert {file.name for file in TEXTS.iterdir()} == {file_of(name).name for name in MAKERS}
