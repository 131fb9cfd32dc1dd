"""Old and new signatures side by side, as text, CSV and Markdown."""

import csv
import io

import pytest

from signatures.compare import FORMATS, compare, different_only
from signatures.generator import SignatureGenerator
from tests.signatures.examples import small_lists

GENERATOR = SignatureGenerator(small_lists())
SAME = {"signature": "a", "json_dump": {"threads": [{"frames": [{"function": "a()"}]}]}}
CHANGED = {"signature": 'was "b"', "json_dump": {"threads": []}}
NOTE = "SignatureGenerationRule: CSignatureTool: no frame data for crashing thread (0)"


@pytest.fixture
def comparisons():
    return [compare("id-1", SAME, GENERATOR), compare("id-2", CHANGED, GENERATOR)]


def written(form, comparisons, verbose=False):
    output = io.StringIO()
    FORMATS[form](iter(comparisons), output, verbose)
    return output.getvalue()


def test_text(comparisons):
    assert written("text", comparisons) == (
        "Crash id: id-1\nOriginal: a\nNew:      a\nSame?:    True\nNotes:    (0)\n\n"
        'Crash id: id-2\nOriginal: was "b"\nNew:      EMPTY: no frame data available\nSame?:    False\n'
        f"Notes:    (1)\n          {NOTE}\n\n"
    )


def test_csv(comparisons):
    text = written("csv", comparisons)
    assert text.splitlines()[:2] == ['"crashid","old","new","same?","notes"', '"id-1","a","a","True",""']
    assert list(csv.reader(io.StringIO(text)))[2] == [
        "id-2", 'was "b"', "EMPTY: no frame data available", "False", NOTE,
    ]  # fmt: skip


def test_markdown(comparisons):
    assert written("markdown", comparisons[:1]) == (
        "**Crash id:** `id-1`\n**Original:** `a`\n**New:** `a`\n**Same?:** True\n**Notes:** (0)\n\n"
    )


def test_markdown_of_names_with_back_ticks_and_of_nothing():
    crash = {"json_dump": {"threads": [{"frames": [{"function": "`a'::b"}]}]}}
    text = written("markdown", [compare("id-3", crash, GENERATOR)])
    assert "**Original:** (none)\n**New:** `` `a'::b ``\n" in text


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_verbose_adds_the_log_and_all_frames(comparisons, form):
    text = written(form, comparisons, verbose=True)
    assert "not a prefix; stop" in text
    assert "using CSignatureTool" in text


def test_only_what_differs(comparisons):
    assert [each.crash_id for each in different_only(comparisons)] == ["id-2"]
