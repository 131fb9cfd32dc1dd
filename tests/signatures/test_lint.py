"""What the lint finds, that it finds nothing wrong in our own lists, and that it does not cry wolf."""

import pytest

from signatures.lint import Severity, lint, lint_directory
from signatures.siglists import (
    INCLUDED_DIRECTORY,
    IRRELEVANT,
    LIST_NAMES,
    PREFIX,
    SENTINELS,
    parse_entries,
    read_lines,
)
from tests.signatures.examples import write_lists


def findings(*patterns, name=PREFIX, texts=(), **others):
    lists = {name: parse_entries(name, patterns)}
    lists |= {other: parse_entries(other, entries) for other, entries in others.items()}
    return [
        (found.severity.value, found.message)
        for found in lint({key: list(value) for key, value in lists.items()}, texts)
    ]


def test_our_own_lists_have_neither_errors_nor_warnings():
    assert lint_directory(INCLUDED_DIRECTORY) == []


def test_our_own_lists_say_why_each_group_of_entries_is_there():
    for name in LIST_NAMES:
        lines = read_lines(INCLUDED_DIRECTORY, name)
        assert lines[0].startswith("# ")
        blocks = "\n".join(lines).strip().split("\n\n")
        assert all(block.startswith("#") for block in blocks)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("x?", "matches the empty text"),
        (".*", "matches the empty text"),
        ("(abcde)", "uses a numbered or named group or a flag"),
        ("(?P<a>abcde).*", "uses a numbered or named group or a flag"),
        ("(?i)abcde", "uses a numbered or named group or a flag"),
        ("(?i:abcde)", "uses a numbered or named group or a flag"),
        ("(?:a+)+b", "exponential"),
        ("(?:a|ab)*c", "exponential"),
        ("(?:(?:ab?)){2,}c", "exponential"),
        ("x(?:.*,){9,}", "exponential"),
        ("(?:a{1,50}){1,50}b", "exponential"),
        ("x(?:.{0,20}){9}y", "exponential"),
        ("x(?:a?a?a?){30}b", "exponential"),
        (".*foo.*bar", "has 2 unlimited repeats"),
        ("a{1,}b{2,500}", "has 2 unlimited repeats"),
        ("a{1,}b{2,100}", "has 2 unlimited repeats"),
    ],
)
def test_errors(pattern, message):
    errors = [text for severity, text in findings(pattern) if severity == "error"]
    assert len(errors) == 1
    [text] = errors
    assert text.startswith(repr(pattern))
    assert message in text


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("send", "so short that it matches many longer names"),
        (r"Route\(int\)", "has parameters or template arguments"),
        ("Grid<int>::At", "has parameters or template arguments"),
        ("<impl u8>::go", "has parameters or template arguments"),
    ],
)
def test_warnings(pattern, message):
    [(severity, text)] = findings(pattern)
    assert (severity, message in text) == ("warning", True)


@pytest.mark.parametrize(
    "pattern",
    [
        "send$",
        "memcpy",
        "je_",
        "rtc::",
        r".*\.dll$",
        "Grid<T>::At",
        r"Fn<T>::operator\(\)",
        "a::operator<",
        "a::operator->",
        r"\(unloaded",
        r"a::\(anonymous namespace\)::b",
        "a::(?:b|c)::d",
        "<a as b>::c",
        "<unknown in",
        "<name omitted>",
        "@0x[1-9a-f]",
        "[(]+abc",
        r"abc\d{1,3}x+",
        "(?!abc)defgh",
        "ab(?:=x)cd",
        "(?<!x)abcdef",
        "ab(?>cd)ef",
        "abcde{,3}",
        "abcde{,99}f+",
        "abc(?:[0-9a-f]{2}){8}",
        "abc(?:d{2,2}e)+f",
        "abc(?:de?){3}f",
        "abcde{}(?:f{}g)+",
    ],
)
def test_good_entries_are_left_in_peace(pattern):
    assert findings(pattern) == []


def test_duplicates_and_entries_that_another_covers():
    assert findings("memcpy", "memcpy") == [("warning", "'memcpy' is in line 1 already")]
    [(_, covered)] = findings("memcpy_avx", "memcpy")
    assert (
        covered
        == "'memcpy_avx' never decides anything: 'memcpy' in prefix_signature_re.txt:2 matches the same texts"
    )


def test_a_list_without_entries_is_worth_a_warning_unless_it_holds_sentinels(tmp_path):
    write_lists(tmp_path, **{name: ["# nothing yet"] for name in LIST_NAMES})
    found = lint_directory(tmp_path)
    assert [each.list_name for each in found] == [name for name in LIST_NAMES if name != SENTINELS]
    assert {(each.severity, each.line) for each in found} == {(Severity.WARNING, 0)}


def test_prefix_that_is_irrelevant_first():
    [(_, message)] = findings("memcpy_avx", **{IRRELEVANT: ["memcpy"]})
    assert message.endswith("'memcpy' in irrelevant_signature_re.txt:1 makes them irrelevant first")
    assert findings("memcpy", **{IRRELEVANT: ["memcpy$", "memcpy_avx"]}) == []


def test_sentinels_are_texts_and_may_be_irrelevant():
    assert findings("a::b", name=SENTINELS, **{IRRELEVANT: ["a::b::"]}) == []
    [(_, message)] = findings("a::b(int)", name=SENTINELS)
    assert "has parameters" in message


def test_entries_that_match_no_recent_frame():
    unused = findings("memcpy", "realloc", texts=["memcpy_avx"], **{SENTINELS: ["_purecall"]})
    assert [message for _, message in unused] == [
        "'realloc' matched none of 1 frame texts",
        "'_purecall' matched none of 1 frame texts",
    ]


def test_lines_that_do_not_compile_and_missing_files_are_all_found(tmp_path):
    write_lists(tmp_path, **{PREFIX: ["a(", "fine_one", "b["]})
    (tmp_path / f"{SENTINELS}.txt").unlink()
    errors = [found for found in lint_directory(tmp_path) if found.severity is Severity.ERROR]
    assert [(found.list_name, found.line) for found in errors][:3] == [
        (PREFIX, 1),
        (PREFIX, 3),
        (SENTINELS, 0),
    ]
