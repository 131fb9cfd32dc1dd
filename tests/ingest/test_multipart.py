"""What of the parser cannot be seen from outside: how much work a body makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest import multipart
from ingest.multipart import MultipartReader
from ingest.payload import CrashReport, parse_payload
from processing.storage.keys import MAIN_DUMP
from tests.ingest.make_limits import make_limits
from tests.ingest.reports import BOUNDARY, dump, encode, text


def read(body: bytes, boundary: bytes, piece_bytes: int) -> list[bytes]:
    pieces = (body[at : at + piece_bytes] for at in range(0, len(body), piece_bytes))
    reader = MultipartReader(pieces, boundary)
    return [
        text if text is not None else b"".join(reader.content(is_file=headers.has_filename))
        for headers, text in reader
    ]


@pytest.mark.parametrize("piece_bytes", [1, 7, 1000, 1_000_000])
@pytest.mark.parametrize("disposition", ["form-data; name=a", 'form-data; name=a; filename="b"'])
def test_false_delimiters_are_content_however_many(disposition: str, piece_bytes: int) -> None:
    content = b"\r\n---x---\r---\n\r\n---y" * 30 + b"\r"
    body = b"---\r\nContent-Disposition: %b\r\n\r\n%b\r\n-----" % (disposition.encode(), content)
    assert read(body, b"-", piece_bytes) == [content]


def test_many_false_delimiters_are_passed_over_by_the_regular_expression_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []

    def counted(needle: bytes) -> object:
        made.append(needle)
        return compiled(needle)

    compiled = multipart._compiled_find
    monkeypatch.setattr(multipart, "_compiled_find", counted)
    body = (
        b'---\r\nContent-Disposition: form-data; name=a; filename="b"\r\n\r\n'
        + b"---x" * 100_000
        + b"\r\n-----"
    )
    assert read(body, b"-", 50_000) == [b"---x" * 100_000]
    assert made == [b"---"]


def test_the_headers_of_files_are_read_once_whatever_the_files_are_called() -> None:
    before = multipart._headers_of_any_file.cache_info().misses
    for number in range(20):
        block = b'Content-Disposition: form-data; name="dump"; filename="%d-%d.dmp"' % (number, id(before))
        assert multipart._cached_headers(block).has_filename
    assert multipart._headers_of_any_file.cache_info().misses <= before + 1


@pytest.mark.parametrize("filename", [b'""', b"", b'"a\\"; name=\\"b"'])
def test_odd_names_of_files_mean_what_they_mean(filename: bytes) -> None:
    block = b'Content-Disposition: form-data; name="dump"; filename=' + filename
    assert multipart._cached_headers(block) == multipart._headers(block)


def parsed(body: bytes, tmp_path: Path, **limits: int) -> CrashReport:
    report = CrashReport()
    parse_payload(iter([bytearray(body)]), BOUNDARY.encode(), report, make_limits(**limits), tmp_path)
    return report


def test_a_dump_that_came_in_one_piece_is_not_copied(tmp_path: Path) -> None:
    content = (
        parsed(encode([text("a", "b"), dump(content=b"MDMP" * 1000)]), tmp_path).dumps[MAIN_DUMP].content
    )
    assert isinstance(content, memoryview)
    assert content == b"MDMP" * 1000


def test_a_small_dump_does_not_keep_a_large_body_in_memory(tmp_path: Path) -> None:
    parts = [text("a", "b"), dump(content=b"MDMP"), dump("large", content=bytes(100_000))]
    report = parsed(encode(parts), tmp_path, memory_bytes=50_000)
    assert report.dumps[MAIN_DUMP].content == b"MDMP"
    assert isinstance(report.dumps[MAIN_DUMP].content, bytes)
    report.dumps["large"].discard()


def test_a_number_and_a_text_that_looks_like_it_are_two_reports() -> None:
    values = (5, "5", [5], "[5]", None, "null")
    assert len({CrashReport({"a": value}, has_json=True).digest() for value in values}) == 6


def test_the_order_of_annotations_makes_no_other_report() -> None:
    one, other = CrashReport({"a": "1", "b": "2"}), CrashReport({"b": "2", "a": "1"})
    assert one.digest() == other.digest()
