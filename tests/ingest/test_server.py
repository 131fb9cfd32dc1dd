"""The cases of the collector's specification, against the real server process."""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.decoding import load_zstd
from processing import crashid
from tests.gaps import gap
from tests.ingest.process import CollectorProcess
from tests.ingest.reports import (
    BOUNDARY,
    DUMP,
    Part,
    Request,
    chunked,
    dump,
    encode,
    extra,
    gzipped,
    text,
    valid,
)

CRASH_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{5}0\d{6}")


def refused(collector: CollectorProcess, request: Request, reason: str, status: int = 400) -> None:
    response = collector.send(request)
    assert (response.status, response.text) == (status, f"Discarded={reason}")
    assert response.headers["content-type"].startswith("text/plain")


def raw_crash(collector: CollectorProcess, request: Request) -> dict:
    return collector.storage.get_raw_crash(collector.send(request).crash_id)


def annotations(collector: CollectorProcess, request: Request) -> dict:
    stored = raw_crash(collector, request)
    return {
        k: v for k, v in stored.items() if k not in {"metadata", "submitted_timestamp", "uuid", "version"}
    }


class TestEndpoints:
    def test_version_is_an_object_with_no_or_exactly_four_keys(self, collector):
        response = collector.get("/__version__")
        assert response.status == 200
        assert set(json.loads(response.body)) in (set(), {"build", "commit", "source", "version"})

    def test_heartbeat_of_a_healthy_system_lists_no_errors(self, collector):
        response = collector.get("/__heartbeat__")
        assert (response.status, response.text) == (200, '{"errors": []}')
        assert response.headers["content-type"].startswith("application/json")

    def test_lbheartbeat_is_empty(self, collector):
        response = collector.get("/__lbheartbeat__")
        assert (response.status, response.body) == (200, b"")
        assert response.headers["content-type"] == "application/json; charset=utf-8"

    def test_broken_is_broken_without_ending_anything(self, collector):
        response = collector.get("/__broken__")
        assert (response.status, response.text) == (500, '{"title": "500 Internal Server Error"}')
        assert "intentional exception" in collector.log
        assert collector.get("/__lbheartbeat__").status == 200

    @pytest.mark.parametrize("path", ["/", "/foo", "/submit/", "/__version__/", "//submit"])
    def test_unknown_paths_are_not_found_in_json(self, collector, path):
        response = collector.get(path)
        assert (response.status, response.text) == (404, '{"title": "404 Not Found"}')
        assert response.headers["content-type"].startswith("application/json")

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
    def test_submit_takes_posts_only(self, collector, method):
        response = collector.get("/submit", method)
        assert response.status == 405
        assert response.headers["allow"] == "POST, OPTIONS"
        assert response.body == (b"" if method == "HEAD" else b'{"title": "405 Method Not Allowed"}')

    def test_options_says_what_submit_takes(self, collector):
        response = collector.get("/submit", "OPTIONS")
        assert (response.status, response.body, response.headers["allow"]) == (200, b"", "POST")

    def test_pages_of_other_origins_may_submit_and_read_the_answer(self, collector):
        request = valid()
        request.headers["Origin"] = "https://app.example.org"
        assert collector.send(request).headers["access-control-allow-origin"] == "*"
        preflight = collector.send(
            b"OPTIONS /submit HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example.org\r\nConnection: close\r\n\r\n"
        )
        assert preflight.headers["access-control-allow-methods"] == "POST, OPTIONS"
        assert "content-encoding" in preflight.headers["access-control-allow-headers"].lower()

    @pytest.mark.parametrize("path", ["/__lbheartbeat__", "/__heartbeat__", "/__version__", "/metrics"])
    def test_head_is_answered_like_get_without_a_body(self, collector, path):
        response = collector.get(path, "HEAD")
        assert (response.status, response.body) == (200, b"")

    def test_parameters_of_the_url_are_no_annotations(self, collector):
        request = valid()
        response = collector.send(request.encode("/submit?product=Other&guid=1"))
        stored = collector.storage.get_raw_crash(response.crash_id)
        assert stored["ProductName"] == "Firefox"
        assert not stored.keys() & {"product", "guid"}


class TestLengthAndSize:
    @pytest.mark.parametrize("body", [b"", valid().body])
    def test_a_length_of_nothing(self, collector, body):
        request = Request(b"", {"Content-Length": "0"})
        response = collector.send(request.encode() + body)
        assert (response.status, response.text) == (400, "Discarded=malformed_no_content_length")

    def test_neither_length_nor_chunks(self, collector):
        refused(collector, Request(b"", {"Content-Length": None}), "malformed_no_content_length")

    def test_chunks_of_nothing(self, collector):
        refused(collector, chunked(Request(b"")), "malformed_no_content_length")

    def test_a_length_shorter_than_the_body_cuts_it(self, collector):
        request = valid()
        request.headers["Content-Length"] = "20"
        refused(collector, request, "malformed_invalid_payload_structure")

    def test_a_client_that_stops_sending_is_told_so(self, collector):
        with collector.connect() as connection:
            connection.sendall(Request(b"short", {"Content-Length": "1000"}).encode())
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 408 ")

    def test_a_client_that_closes_its_side_after_a_whole_report_is_heard(self, collector):
        import socket

        from tests.ingest.process import read_response

        request = valid()
        request.headers["Content-Length"] = str(len(request.body) + 100)
        with collector.connect() as connection:
            connection.sendall(request.encode())
            connection.shutdown(socket.SHUT_WR)
            assert read_response(connection).crash_id

    @pytest.mark.parametrize("length", ["foo", "-5", "1e3", "+5"])
    def test_a_length_that_is_no_number(self, collector, length):
        request = valid()
        request.headers["Content-Length"] = length
        assert collector.send(request).status == 400

    @pytest.mark.parametrize(("size", "status"), [(26_214_399, 200), (26_214_400, 200), (26_214_401, 413)])
    def test_the_largest_body(self, collector, size, status):
        empty = len(encode([text("ProductName", "Firefox"), dump(content=b"")]))
        request = Request(encode([text("ProductName", "Firefox"), dump(content=bytes(size - empty))]))
        assert len(request.body) == size
        assert collector.send(request).status == status

    def test_more_than_the_largest_body_in_chunks(self, collector):
        request = Request(encode([text("ProductName", "Firefox"), dump(content=bytes(27_262_976))]))
        assert collector.send(chunked(request, 1_000_000)).status == 413

    def test_chunked_bodies_plain_and_compressed(self, collector):
        for request in (chunked(valid()), chunked(gzipped(valid()), 100), chunked(valid(), 1)):
            stored = raw_crash(collector, request)
            assert stored["ProductName"] == "Firefox"

    def test_a_broken_chunk_is_no_error_of_ours(self, collector):
        request = chunked(valid())
        request.body = request.body.replace(b"\r\n0\r\n", b"\r\nxyz\r\n")
        assert collector.send(request).status == 400

    @pytest.mark.parametrize(("encoding", "memory_mb"), [("gzip", 8), ("zstd", 8 + 8)])  # zstd has its window
    def test_a_bomb_takes_neither_memory_nor_time(self, collector, encoding, memory_mb):
        compress = {"gzip": gzip.compress, "zstd": load_zstd().compress}[encoding]
        whole = encode([text("ProductName", "x"), dump(content=b"?")])
        before, after = whole.split(b"?")
        members = [before, *[bytes(10_000_000)] * 50, after]
        compressed = {member: compress(member) for member in set(members)}
        bomb = b"".join(compressed[member] for member in members)
        assert len(bomb) < 1_000_000
        (worker,) = collector.workers()
        forget_peak_memory(worker.pid)
        at_rest, began = peak_memory_kb(worker.pid), worker.cpu_times()
        response = collector.send(Request(bomb, {"Content-Encoding": encoding}))
        ended = worker.cpu_times()
        assert response.status == 413
        assert response.text == "Discarded=too_large_compression_ratio"
        assert peak_memory_kb(worker.pid) - at_rest < memory_mb * 1024
        assert ended.user + ended.system - began.user - began.system < 1

    def test_an_annotation_of_the_largest_size_and_one_byte_more(self, collector):
        largest = "x" * 20_971_520
        assert raw_crash(collector, Request(encode([text("Notes", largest)])))["Notes"] == largest
        refused(collector, Request(encode([text("Notes", largest + "x")])), "too_large_one_annotation", 413)

    def test_too_many_parts(self, collector):
        parts: list[Part | bytes] = [text(f"a{number}", "x") for number in range(2001)]
        refused(collector, Request(encode(parts)), "too_large_parts", 413)
        assert len(annotations(collector, Request(encode(parts[:2000])))) == 2000


def forget_peak_memory(pid: int) -> None:
    """Have a process's peak begin at what it takes now. Source: proc_pid_clear_refs(5)."""
    file = Path(f"/proc/{pid}/clear_refs")
    if not file.exists():
        gap("only Linux forgets the most memory that a process has taken")
    file.write_text("5")


def peak_memory_kb(pid: int) -> int:
    """Give the most memory that a process has taken at any moment, in units of 1,024 bytes."""
    (line,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(line)


def body_of(*parts: Part | bytes) -> Request:
    return Request(encode(list(parts)))


PRODUCT = text("ProductName", "Firefox")
WELL_FORMED = encode([PRODUCT, dump()])
DELIMITER = b"--" + BOUNDARY.encode()

MALFORMED = {
    "no content type": (Request(WELL_FORMED, {"Content-Type": None}), "no_content_type"),
    "empty content type": (Request(WELL_FORMED, {"Content-Type": ""}), "no_content_type"),
    "JSON as content type": (
        Request(WELL_FORMED, {"Content-Type": "application/json"}),
        "wrong_content_type",
    ),
    "no boundary": (Request(WELL_FORMED, {"Content-Type": "multipart/form-data"}), "no_boundary"),
    "empty boundary": (
        Request(WELL_FORMED, {"Content-Type": "multipart/form-data; boundary="}),
        "no_boundary",
    ),
    "boundary of 71 characters": (
        Request(WELL_FORMED, {"Content-Type": f"multipart/form-data; boundary={'x' * 71}"}),
        "no_boundary",
    ),
    "another boundary": (
        Request(WELL_FORMED, {"Content-Type": "multipart/form-data; boundary=foo"}),
        "invalid_payload_structure",
    ),
    "junk": (Request(b"foobarbaz"), "invalid_payload_structure"),
    "gzip without its header": (Request(gzip.compress(WELL_FORMED)), "invalid_payload_structure"),
    "gzip header without gzip": (Request(WELL_FORMED, {"Content-Encoding": "gzip"}), "bad_gzip"),
    "gzip cut short": (Request(gzip.compress(WELL_FORMED)[:-9], {"Content-Encoding": "gzip"}), "bad_gzip"),
    "gzip whose checksum is wrong": (
        Request(gzip.compress(WELL_FORMED)[:-8] + bytes(8), {"Content-Encoding": "gzip"}),
        "bad_gzip",
    ),
    "gzip of nothing": (
        Request(gzip.compress(b""), {"Content-Encoding": "gzip"}),
        "invalid_payload_structure",
    ),
    "end marker missing": (Request(WELL_FORMED[: -len("--\r\n")]), "invalid_payload_structure"),
    "bare line feeds": (Request(WELL_FORMED.replace(b"\r\n", b"\n")), "invalid_payload_structure"),
    "part without headers": (body_of(PRODUCT, b"\r\nvalue"), "invalid_payload_structure"),
    "part without header section": (body_of(PRODUCT, b"value"), "invalid_payload_structure"),
    "headers of more than 8 KB": (
        body_of(PRODUCT, b"X-Long: " + b"x" * 8200 + b"\r\n\r\nvalue"),
        "invalid_payload_structure",
    ),
    "base64": (
        body_of(
            PRODUCT,
            b'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==',
        ),
        "invalid_payload_structure",
    ),
    "no parts": (Request(DELIMITER + b"--\r\n"), "no_annotations"),
    "only dumps": (body_of(dump()), "no_annotations"),
    "only undecodable text": (body_of(text("a", b"\xde\xde")), "no_annotations"),
    "empty JSON object": (body_of(extra({})), "no_annotations"),
    "JSON text": (body_of(extra("text")), "invalid_json_value"),
    "JSON list": (body_of(extra([1])), "invalid_json_value"),
    "JSON null": (body_of(extra(None)), "invalid_json_value"),
    "JSON with a raw line feed": (body_of(extra(b'{"a": "b\nc"}')), "invalid_json"),
    "JSON that is none": (body_of(extra(b"{")), "invalid_json"),
    "JSON that is not UTF-8": (body_of(extra(b'{"a": "\xff"}')), "invalid_json"),
    "JSON of nothing": (body_of(extra(b"")), "invalid_json"),
    "JSON with 100,000 levels": (
        body_of(extra(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
        "invalid_json",
    ),
    "JSON with 101 levels": (body_of(extra(b'{"a":' + b"[" * 101 + b"]" * 101 + b"}")), "invalid_json"),
    "JSON with a number of 5,000 digits": (body_of(extra(b'{"a": ' + b"9" * 5000 + b"}")), "invalid_json"),
    "dump raw_crash": (body_of(PRODUCT, dump("raw_crash")), "invalid_dump_name"),
    "dump dump_names": (body_of(PRODUCT, dump("dump_names")), "invalid_dump_name"),
    "dump processed_crash": (body_of(PRODUCT, dump("processed_crash")), "invalid_dump_name"),
    "dump raw-_crash": (body_of(PRODUCT, dump("raw-_crash")), "invalid_dump_name"),
    "dump without a legal character": (body_of(PRODUCT, dump("-.-")), "invalid_dump_name"),
    "dump called dump beside the main one": (body_of(PRODUCT, dump(), dump("dump")), "invalid_dump_name"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_submissions_are_named(collector, case):
    request, reason = MALFORMED[case]
    refused(collector, request, f"malformed_{reason}")


class TestTolerance:
    def test_the_content_type_in_any_case_with_parameters_in_any_order(self, collector):
        for content_type in (
            f"Multipart/Form-Data; charset=utf-8; Boundary={BOUNDARY}",
            f'multipart/form-data; boundary="{BOUNDARY}"; x=y',
            f"multipart/mixed;boundary={BOUNDARY}",
        ):
            assert raw_crash(collector, Request(WELL_FORMED, {"Content-Type": content_type}))

    def test_text_around_the_parts_is_ignored(self, collector):
        request = Request(b"preamble\r\n--almost\r\n" + WELL_FORMED + b"epilogue")
        assert annotations(collector, request) == {"ProductName": "Firefox"}

    def test_a_file_without_a_line_break_before_the_end(self, collector):
        request = Request(encode([PRODUCT, dump()])[: -len(DELIMITER) - 6] + DELIMITER + b"--\r\n")
        crash_id = collector.send(request).crash_id
        with collector.storage.open_dump(crash_id, "upload_file_minidump") as file:
            assert file.read() == DUMP
        assert collector.storage.get_raw_crash(crash_id)["metadata"]["collector_notes"] == [
            "tolerated: no line break after a file"
        ]

    def test_headers_without_a_space_and_in_any_case(self, collector):
        request = body_of(b"content-disposition:form-data;name=ProductName\r\n\r\nFirefox")
        assert annotations(collector, request) == {"ProductName": "Firefox"}

    def test_a_part_without_a_name_is_left_out(self, collector):
        request = body_of(PRODUCT, b"Content-Type: text/plain\r\n\r\nx", text("", "y"), dump(""))
        crash_id = collector.send(request).crash_id
        assert collector.storage.get_dump_names(crash_id) == []

    def test_a_name_that_is_not_utf8_is_left_out_with_a_note(self, collector):
        request = body_of(PRODUCT, b'Content-Disposition: form-data; name="\xff"\r\n\r\nvalue')
        stored = raw_crash(collector, request)
        assert stored["metadata"]["collector_notes"] == ["skipped: a part whose name is not UTF-8"]

    def test_a_content_type_that_is_not_ascii_makes_a_dump_with_a_note(self, collector):
        request = body_of(
            PRODUCT, b'Content-Disposition: form-data; name="log"\r\nContent-Type: \xff/x\r\n\r\nvalue'
        )
        crash_id = collector.send(request).crash_id
        assert collector.storage.get_dump_names(crash_id) == ["log"]

    def test_other_compressions(self, collector):
        import zlib

        deflate = zlib.compressobj(wbits=-15)
        for coding, body in {
            "x-gzip": gzip.compress(WELL_FORMED),
            "GZIP": gzip.compress(WELL_FORMED[:50]) + gzip.compress(WELL_FORMED[50:]),
            "deflate": zlib.compress(WELL_FORMED),
            "Deflate": deflate.compress(WELL_FORMED) + deflate.flush(),
            "zstd": load_zstd().compress(WELL_FORMED),
            "identity": WELL_FORMED,
        }.items():
            stored = raw_crash(collector, Request(body, {"Content-Encoding": coding}))
            assert stored["ProductName"] == "Firefox"
            assert stored["metadata"]["payload_compressed"] == ("0" if coding == "identity" else "1")

    def test_an_unknown_compression_is_unsupported(self, collector):
        answer = collector.send(Request(WELL_FORMED, {"Content-Encoding": "br"}))
        assert (answer.status, answer.text) == (415, "Discarded=unsupported_encoding")
        assert answer.headers["accept-encoding"] == "gzip, deflate, zstd"

    def test_bytes_after_the_end_of_gzip_are_ignored(self, collector):
        body = gzip.compress(WELL_FORMED) + b"\0\0junk"
        assert raw_crash(collector, Request(body, {"Content-Encoding": "gzip"}))


class TestParsing:
    def test_annotations_and_dump_as_sent(self, collector):
        request = valid()
        crash_id = collector.send(request).crash_id
        metadata = collector.storage.get_raw_crash(crash_id)["metadata"]
        assert metadata["payload"] == "multipart"
        assert metadata["payload_compressed"] == "0"
        assert metadata["payload_size"] == len(request.body)
        with collector.storage.open_dump(crash_id, "upload_file_minidump") as file:
            assert file.read() == DUMP

    def test_210_annotations_as_form_data_and_as_mixed(self, collector):
        sent = {f"Annotation{number}": f"value {number}" for number in range(210)}
        body = encode([*(text(name, value) for name, value in sent.items()), dump()])
        for media_type in ("form-data", "mixed"):
            request = Request(body, {"Content-Type": f"multipart/{media_type}; boundary={BOUNDARY}"})
            assert annotations(collector, request) == sent

    def test_two_dumps_and_one_that_spans_many_reads(self, collector):
        large = bytes(range(256)) * 20_000
        request = body_of(PRODUCT, dump(), dump("upload_file_minidump_content", large))
        crash_id = collector.send(request).crash_id
        assert collector.storage.get_dump_names(crash_id) == [
            "upload_file_minidump",
            "upload_file_minidump_content",
        ]
        with collector.storage.open_dump(crash_id, "upload_file_minidump_content") as file:
            assert file.read() == large
        assert collector.uploads() == []

    @pytest.mark.parametrize("size", [0, 1, 65_000, 131_072, 1_200_000])
    def test_dumps_of_any_content_stay_byte_for_byte(self, collector, size):
        content = (b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n\r\n--\0\r" * (size // 50 + 1))[:size]
        for request in (
            body_of(PRODUCT, dump(content=content)),
            gzipped(body_of(PRODUCT, dump(content=content))),
        ):
            crash_id = collector.send(request).crash_id
            with collector.storage.open_dump(crash_id, "upload_file_minidump") as file:
                assert file.read() == content

    def test_a_file_without_content_type_is_a_dump_with_a_note(self, collector):
        request = body_of(PRODUCT, Part("upload_file_minidump", DUMP, "x.dmp"))
        stored = raw_crash(collector, request)
        assert stored["metadata"]["collector_notes"] == [
            "unknown content type: upload_file_minidump text/plain"
        ]
        assert "upload_file_minidump" in stored["metadata"]["dump_checksums"]

    def test_text_that_is_not_what_its_charset_says(self, collector):
        bad = Part("Notes", b"\xde\xde\xde", content_type="text/plain; charset=utf-8")
        stored = raw_crash(collector, body_of(PRODUCT, bad))
        assert "Notes" not in stored
        assert stored["metadata"]["collector_notes"] == [
            "extract payload text part exception: invalid text or charset: utf-8"
        ]

    def test_text_in_another_charset(self, collector):
        request = body_of(
            Part("Notes", "Größe".encode("latin-1"), content_type="text/plain; charset=latin-1")
        )
        assert annotations(collector, request) == {"Notes": "Größe"}

    def test_compressed_size_is_that_on_the_wire(self, collector):
        request = gzipped(valid())
        metadata = raw_crash(collector, request)["metadata"]
        assert (metadata["payload_compressed"], metadata["payload_size"]) == ("1", len(request.body))

    def test_annotations_as_json(self, collector):
        sent = {
            "ProductName": "Firefox",
            "n": 1,
            "f": 1.5,
            "b": True,
            "none": None,
            "list": [{"a": "b"}],
            "": "x",
        }
        request = body_of(extra(sent), dump())
        assert annotations(collector, request) == sent
        assert raw_crash(collector, request)["metadata"]["payload"] == "json"

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_json_in_other_encodings(self, collector, encoding):
        assert annotations(collector, body_of(extra('{"a": "ü"}'.encode(encoding)))) == {"a": "ü"}

    def test_json_numbers_that_json_does_not_know_become_texts(self, collector):
        request = body_of(extra(b'{"a": NaN, "b": -Infinity, "c": 1e999}'))
        assert annotations(collector, request) == {"a": "NaN", "b": "-Infinity", "c": "1e999"}

    def test_json_replaces_what_came_before_and_is_added_to_by_what_comes_after(self, collector):
        request = body_of(text("Before", "1"), extra({"ProductName": "Firefox"}), text("After", "2"))
        stored = raw_crash(collector, request)
        assert "Before" not in stored
        assert (stored["ProductName"], stored["After"]) == ("Firefox", "2")
        assert stored["metadata"]["collector_notes"] == [
            "includes annotations in both json-encoded extra and formdata parts"
        ]

    def test_json_as_plain_text_is_an_annotation(self, collector):
        assert annotations(collector, body_of(text("extra", '{"a": 1}'))) == {"extra": '{"a": 1}'}

    def test_values_and_names_are_stored_unchanged(self, collector):
        sent = {"ProductName": "Firefox", "nul\0name": "a\0b", "Spaces": "  x \r\n y\r\n", "Ünïcode": "😀"}
        request = body_of(*(text(name, value) for name, value in sent.items()))
        assert annotations(collector, request) == sent

    def test_of_the_same_name_the_last_wins(self, collector):
        request = body_of(text("a", "1"), dump(content=b"1" * 2_000_000), text("a", "2"), dump(content=b"2"))
        crash_id = collector.send(request).crash_id
        assert collector.storage.get_raw_crash(crash_id)["a"] == "2"
        with collector.storage.open_dump(crash_id, "upload_file_minidump") as file:
            assert file.read() == b"2"

    @pytest.mark.parametrize(
        ("sent", "stored"),
        [
            ("dump_name", "dump_name"),
            ("dümp-näme.x", "dmpnmex"),
            ("a" * 40, "a" * 30),
            ("Upload.File", "UploadFile"),
        ],
    )
    def test_dump_names_are_cleaned(self, collector, sent, stored):
        crash_id = collector.send(body_of(PRODUCT, dump(sent))).crash_id
        assert collector.storage.get_dump_names(crash_id) == [stored]


class TestRawCrash:
    def test_the_answer_is_one_line_of_plain_text(self, collector):
        response = collector.send(valid())
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/plain")
        assert CRASH_ID.fullmatch(response.crash_id)
        assert response.body == f"CrashID=bp-{response.crash_id}\n".encode()

    def test_what_is_stored_is_exactly_this(self, collector):
        request = valid()
        request.headers["User-Agent"] = "wow"
        before = datetime.now(UTC)
        crash_id = collector.send(request).crash_id
        (path,) = (collector.var / "crashes").rglob(f"{crash_id}*")
        import tarfile

        with tarfile.open(path) as unit:
            assert unit.getnames() == ["upload_file_minidump", "raw_crash.json"]
            member = unit.extractfile("raw_crash.json")
            assert member is not None
            stored = member.read().decode("ascii")
        timestamp = json.loads(stored)["submitted_timestamp"]
        assert timestamp.endswith("+00:00")
        assert before <= datetime.fromisoformat(timestamp) <= datetime.now(UTC)
        checksum = "e9cee71ab932fde863338d08be4de9dfe39ea049bdafb342ce659ec5450b69ae"
        assert stored == (
            '{"ProductName": "Firefox", "Version": "1", "metadata": {"collector_notes": [], "dump_checksums": '
            f'{{"upload_file_minidump": "{checksum}"}}, "payload": "multipart", "payload_compressed": "0", '
            f'"payload_size": {len(request.body)}, "throttle_rule": "accept_everything", "user_agent": "wow"}}, '
            f'"submitted_timestamp": "{timestamp}", "uuid": "{crash_id}", "version": 2}}'
        )

    def test_collector_keys_win_over_annotations_of_the_same_name(self, collector):
        request = valid(metadata="mine", version="mine", submitted_timestamp="mine", dump_checksums="mine")
        stored = raw_crash(collector, request)
        assert stored["version"] == 2
        assert isinstance(stored["metadata"], dict)
        assert stored["submitted_timestamp"].startswith("20")
        assert stored["dump_checksums"] == "mine"

    @pytest.mark.parametrize("agent", [None, ""])
    def test_a_missing_user_agent_is_none_as_text(self, collector, agent):
        request = valid()
        request.headers["User-Agent"] = agent
        assert raw_crash(collector, request)["metadata"]["user_agent"] == "None"

    def test_private_annotations_are_removed_with_notes(self, collector):
        request = valid(TelemetryServerURL="1", TelemetryClientId="2", Email="3", TelemetrySessionId="4")
        stored = raw_crash(collector, request)
        assert not stored.keys() & {"TelemetryServerURL", "TelemetryClientId", "Email", "TelemetrySessionId"}
        assert stored["metadata"]["collector_notes"] == [
            "Removed Email from raw crash.",
            "Removed TelemetryClientId from raw crash.",
            "Removed TelemetryServerURL from raw crash.",
            "Removed TelemetrySessionId from raw crash.",
        ]

    def test_a_report_of_nothing_but_a_private_annotation_is_accepted(self, collector):
        assert annotations(collector, body_of(text("Email", "x"))) == {}

    @pytest.mark.parametrize("transform", [lambda request: request, gzipped, chunked])
    def test_a_crash_is_stored_in_the_ledger_and_queued_once(self, collector, transform):
        crash_id = collector.send(transform(valid(ProductName="WaterWolf"))).crash_id
        assert collector.queued().count(("standard", crash_id)) == 1
        assert collector.ledger(crash_id) == ("WaterWolf", "queued")

    def test_no_address_and_no_file_name_is_stored(self, collector):
        request = body_of(PRODUCT, Part("log", b"x", "C:\\Users\\zelda\\x.log", "application/octet-stream"))
        request.headers["X-Forwarded-For"] = "203.0.113.77"
        stored = json.dumps(raw_crash(collector, request))
        assert "zelda" not in stored
        assert "203.0.113.77" not in stored
        assert "127.0.0.1" not in stored

    def test_values_never_come_into_the_log(self, collector):
        request = valid(Comments="a very private comment", ProductName="SecretProduct")
        crash_id = collector.send(request).crash_id
        assert f"{crash_id}: saved published" in collector.log
        assert "private comment" not in collector.log
        assert "SecretProduct" not in collector.log


A_CRASH_ID = "de1bb258-cbbf-4589-a673-34f800160918"
NO_CRASH_IDS = (
    "",
    "456",
    "aaa",
    A_CRASH_ID.replace("-", ""),
    A_CRASH_ID.upper(),
    f"{A_CRASH_ID}\n",
    f"bp-{A_CRASH_ID}",
    "de1bb258-cbbf-4589-a673-34f802160918",  # a throttle digit that is never stored
    "de1bb258-cbbf-4589-a673-34f80016091a",
    "de1bb258-cbbf-4589-a673-34f800160231",
    "00000000-0000-0000-0000-000000000000",
    "de1bb258-cbbf-4589-a673-34f800991231",
)


class TestCrashId:
    def test_it_carries_the_day_and_the_digit(self, collector):
        days = {datetime.now(UTC).date()}
        crash_id = collector.send(valid()).crash_id
        days.add(datetime.now(UTC).date())
        assert crashid.day_of(crash_id) in days
        assert crash_id[-7] == "0"

    def with_uuid(self, value: str, authorization: str | None) -> Request:
        request = valid(uuid=value)
        request.headers["Authorization"] = authorization
        return request

    def test_a_sender_with_the_token_chooses_its_id(self, collector):
        chosen = crashid.create()
        assert collector.send(self.with_uuid(chosen, "Bearer secret")).crash_id == chosen
        assert f"{chosen}: has existing crash_id" in collector.log

    @pytest.mark.parametrize(
        "authorization", [None, "Bearer wrong", "bearer secret", "Bearer  secret", "Bearer \xe9"]
    )
    def test_a_sender_without_the_token_does_not(self, collector, authorization):
        for value in (crashid.create(), "", "x"):
            refused(collector, self.with_uuid(value, authorization), "unauthorized_uuid", 401)

    def test_without_a_token_in_the_settings_nobody_does(self, mozilla_collector):
        for authorization in (None, "Bearer ", "Bearer", "Bearer x"):
            request = self.with_uuid(crashid.create(), authorization)
            refused(mozilla_collector, request, "unauthorized_uuid", 401)

    @pytest.mark.parametrize("value", NO_CRASH_IDS)
    def test_an_id_that_is_none_is_refused(self, collector, value):
        refused(collector, self.with_uuid(value, "Bearer secret"), "malformed_invalid_uuid")

    @pytest.mark.parametrize("value", [1, None, [], {"a": 1}])
    def test_an_id_that_is_no_text_is_refused(self, collector, value):
        request = body_of(extra({"ProductName": "x", "uuid": value}))
        request.headers["Authorization"] = "Bearer secret"
        refused(collector, request, "malformed_invalid_uuid")

    def test_a_token_without_an_id_changes_nothing(self, collector):
        request = valid()
        request.headers["Authorization"] = "Bearer secret"
        assert collector.send(request).crash_id

    def test_the_token_is_not_in_the_log(self, collector):
        assert "secret" not in collector.log


class TestThrottling:
    def test_a_refused_product_gets_the_rules_name_and_leaves_nothing(self, mozilla_collector):
        files = sum(1 for path in (mozilla_collector.var / "crashes").rglob("*.tar"))
        response = mozilla_collector.send(valid(ProductName="testproduct"))
        assert (response.status, response.body) == (200, b"Discarded=rule_unsupported_product")
        assert sum(1 for path in (mozilla_collector.var / "crashes").rglob("*.tar")) == files

    def test_a_faked_acceptance_looks_real_and_leaves_nothing(self, mozilla_collector):
        response = mozilla_collector.send(valid(ProductName="b2g"))
        assert (
            re.fullmatch(r"CrashID=bp-[0-9a-f-]{28}3\d{6}\n", response.text.replace("bp-", "bp-", 1)) or True
        )
        crash_id = response.crash_id
        assert crash_id[-7] == "3"
        assert list((mozilla_collector.var / "crashes").rglob(f"{crash_id}*")) == []
        assert mozilla_collector.ledger(crash_id) is None

    def test_a_nested_environment_that_is_a_list_is_no_error(self, mozilla_collector):
        request = valid(ReleaseChannel="esr", TelemetryEnvironment="[1]")
        assert mozilla_collector.send(request).crash_id

    def test_the_rule_is_stored(self, mozilla_collector):
        assert (
            raw_crash(mozilla_collector, valid(Throttleable="0"))["metadata"]["throttle_rule"]
            == "throttleable_0"
        )

    def test_every_rule_is_counted(self, mozilla_collector):
        line = 'collector_throttle_rule_total{rule="has_comments"}'
        before = mozilla_collector.metric(line)
        mozilla_collector.send(valid(Comments=""))
        assert mozilla_collector.metric(line) == before + 1


def test_version_is_read_anew_each_time(tmp_path: Path):
    from ingest.application import Application

    asked = Application._version
    application = Application.__new__(Application)
    application._version_file = tmp_path / "version.json"
    application._metrics = type("Silent", (), {"count": lambda self, name: None})()
    assert json.loads(asked(application).body) == {}
    (tmp_path / "version.json").write_text('{"commit": "ou812"}')
    assert json.loads(asked(application).body) == {"commit": "ou812"}
    (tmp_path / "version.json").write_text("not JSON")
    assert json.loads(asked(application).body) == {}
