"""List files, and that quick answers are the answers of one regular expression made of all entries."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signatures.siglists import (
    IRRELEVANT,
    PREFIX,
    SENTINELS,
    InvalidSignatureList,
    Matcher,
    SignatureLists,
    parse_entries,
)
from tests.signatures.examples import write_lists

PATTERNS = st.lists(
    st.sampled_from(
        [
            "mem",
            "memcpy",
            "mem$",
            r"\.so",
            ".*free",
            r".*\.dll$",
            ".*",
            "a|b",
            "Wait(?:For)?$",
            "(x)y",
            r"a\$",
            "b$",
            ".*a|c",
            "<T>",
            "[ab]+",
            r"\w",
            ".*x.*y",
            r"\n",
            "$",
            ".*$",
            "ab",
            "abc",
            "b",
            r"\\$",
        ]
    ),
    min_size=1,
    max_size=6,
)
TEXTS = st.text("abcmefryx.<T>$\\\nps", max_size=12) | st.sampled_from(
    ["memcpy", "memcp", "Wait", "libx.dll", "je_free"]
)


@given(PATTERNS, TEXTS)
@example([".*free"], "a\nfree")
@example(["memcpy$"], "memcpy\n")
@example([r".*\.dll$"], "a.dll\n")
def test_answers_are_those_of_one_expression(patterns, text):
    matcher = Matcher(parse_entries(PREFIX, patterns))
    assert matcher.matches(text) is bool(re.match("|".join(patterns), text))


@given(PATTERNS, TEXTS)
def test_deciding_entry_is_the_first_that_matches(patterns, text):
    entry = Matcher(parse_entries(PREFIX, patterns)).deciding_entry(text)
    matching = [pattern for pattern in patterns if re.match(pattern, text)]
    assert (entry.pattern if entry else None) == (matching[0] if matching else None)


def test_flags_and_references_are_shared_by_the_list_as_in_one_expression():
    assert Matcher(parse_entries(PREFIX, ["(?i)abc", "def"])).matches("DEF")
    assert Matcher(parse_entries(PREFIX, ["(a)b", r"(c)\1"])).matches("cc") is False


def test_list_without_entries_answers_as_told():
    assert Matcher((), empty_matches=True).matches("a") is True
    assert Matcher(()).matches("a") is False
    assert Matcher(()).deciding_entry("a") is None


def test_lines_are_trimmed_and_comments_dropped():
    entries = parse_entries(IRRELEVANT, ["  memcpy  ", "", "# a comment", "free # no comment"])
    assert [(entry.pattern, entry.line) for entry in entries] == [("memcpy", 1), ("free # no comment", 4)]


@pytest.mark.parametrize("name", [IRRELEVANT, PREFIX, SENTINELS])
def test_line_that_does_not_compile_is_named(tmp_path, name):
    directory = write_lists(tmp_path, **{name: ["fine", "f("]})
    with pytest.raises(
        InvalidSignatureList, match=rf"{name}\.txt, line 2: 'f\(' is no regular expression \(missing \)"
    ):
        SignatureLists.load(directory)


def test_missing_and_unreadable_files_are_named(tmp_path):
    with pytest.raises(
        InvalidSignatureList, match=r"irrelevant_signature_re\.txt: cannot be read \(No such file"
    ):
        SignatureLists.load(tmp_path)
    write_lists(tmp_path)
    (tmp_path / "signature_sentinels.txt").write_bytes(b"caf\xe9")
    with pytest.raises(
        InvalidSignatureList, match=r"signature_sentinels\.txt: cannot be read \(it is no UTF-8 text"
    ):
        SignatureLists.load(tmp_path)


def test_entries_that_do_not_work_together_are_refused():
    with pytest.raises(InvalidSignatureList, match="do not work together"):
        Matcher(parse_entries(PREFIX, ["(?P<a>x)", "(?P<a>y)"]))


def test_lists_know_where_they_come_from(tmp_path):
    assert SignatureLists.load().source is None
    assert SignatureLists.load(write_lists(tmp_path)).source == tmp_path
