"""What the field's crash reporters send, byte for byte as they send it, to a collector without a proxy in front."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.ingest.process import CollectorProcess
from tests.ingest.reports import Request, chunked

MINIDUMP = b"MDMP\x93\xa7\x00\x00" + bytes(range(256)) * 140 + b"\r\n--almost"
LOG = b"BZh91AY&SY" + bytes(range(255, -1, -1)) * 8


def lines(*texts: str | bytes) -> bytes:
    """Join lines by CRLF, with none at the end."""
    return b"\r\n".join(text if isinstance(text, bytes) else text.encode() for text in texts)


def breakpad_linux() -> Request:
    boundary = "------------------------9f3c1d20aa77e415"
    body = lines(
        f"--{boundary}",
        'Content-Disposition: form-data; name="prod"',
        "",
        "ExampleApp",
        f"--{boundary}",
        'Content-Disposition: form-data; name="ver"',
        "",
        "2.4.1",
        f"--{boundary}",
        'Content-Disposition: form-data; name="upload_file_minidump"; filename="0f2a77c1.dmp"',
        "Content-Type: application/octet-stream",
        "",
        MINIDUMP,
        f"--{boundary}--",
        "",
    )
    return Request(body, {"User-Agent": "Breakpad/1.0 (Linux)", "Accept": "*/*"}, boundary)


def breakpad_windows(*, line_break_after_file: bool = False, files: int = 1) -> Request:
    """Current versions write no line break after a file; old ones did."""
    boundary = "---------------------------0000494A000068F1"
    after = b"\r\n" if line_break_after_file else b""
    body = lines(f"--{boundary}", 'Content-Disposition: form-data; name="prod"', "", "ExampleApp", "")
    body += lines(f"--{boundary}", 'Content-Disposition: form-data; name="ver"', "", "2.4.1", "")
    for number in range(files):
        name = "upload_file_minidump" + (f"_flash{number}" if number else "")
        body += lines(
            f"--{boundary}",
            f'Content-Disposition: form-data; name="{name}"; filename="C:\\Users\\ada\\Local\\dumps\\5e1c.dmp"',
            "Content-Type: application/octet-stream",
            "",
            MINIDUMP + after,
        )
    body += f"--{boundary}--\r\n".encode()
    return Request(body, {"User-Agent": "Breakpad/1.0 (Windows)", "Cache-Control": "no-cache"}, boundary)


def breakpad_mac(*, with_log: bool = False) -> Request:
    """With a second file, no line break separates the first from the next delimiter."""
    boundary = "---------------------------1A2B3C4D5E6F7081"
    body = lines(
        f"--{boundary}",
        'Content-Disposition: form-data; name="ProductName"',
        "",
        "ExampleApp",
        f"--{boundary}",
        'Content-Disposition: form-data; name="Version"',
        "",
        "2.4.1",
        f"--{boundary}",
        'Content-Disposition: form-data; name="upload_file_minidump"; filename="minidump.dmp"',
        "Content-Type: application/octet-stream",
        "",
        MINIDUMP,
    )
    if with_log:
        body += lines(
            f"--{boundary}",
            'Content-Disposition: form-data; name="log"; filename="minidump.dmp"',
            "Content-Type: application/octet-stream",
            "",
            LOG,
        )
    body += f"\r\n--{boundary}--\r\n".encode()
    headers = {
        "Content-Type": None,
        "Content-type": f"multipart/form-data; boundary={boundary}",
        "User-Agent": "ExampleReporter/1 CFNetwork/1410 Darwin/22.6.0",
    }
    return Request(body, headers, boundary)


def crashpad(fields: dict[str, str], agent: str, *, compress: bool = True) -> Request:
    boundary = "---MultipartBoundary-hK3v0QmZ1Yt8RrWc5sNfUe2LdXa9PbG7---"
    body = b""
    for name, value in fields.items():
        body += lines(f"--{boundary}", f'Content-Disposition: form-data; name="{name}"', "", value, "")
    for name, filename, content in (
        ("app.log", "app.log", LOG),
        ("upload_file_minidump", "0c8e7d5a-93c4-4a3d-a2f5-6dd0e0f7a0a1.dmp", MINIDUMP),
    ):
        body += lines(
            f"--{boundary}",
            f'Content-Disposition: form-data; name="{name}"; filename="{filename}"',
            "Content-Type: application/octet-stream",
            "",
            content,
            "",
        )
    body += f"--{boundary}--\r\n".encode()
    headers: dict[str, str | None] = {
        "User-Agent": agent,
        "Accept": "*/*",
        "Accept-Encoding": "deflate, gzip",
    }
    if compress:
        body = gzip.compress(body)
        headers["Content-Encoding"] = "gzip"
    return chunked(Request(body, headers, boundary), 4096)


GUID = "3b0c4b5e-0d1f-4f1e-9d6a-6f8a5c0e9b11"
CRASHPAD_AGENT = "Crashpad/0.8.0 libcurl/8.5.0 OpenSSL/3.0.13 Linux/6.8.0 (x86_64)"
CRASHPAD_FIELDS = {"guid": GUID, "prod": "ExampleApp", "ver": "2.4.1", "list": "a\nb", "with%22quote": "x"}
ELECTRON_FIELDS = {
    "_productName": "ExampleApp",
    "_version": "2.4.1",
    "guid": GUID,
    "platform": "linux",
    "process_type": "renderer",
    "prod": "Electron",
    "ver": "31.0.0",
    "url__1": "https://example.org/" + "a" * 107,
    "url__2": "bcd",
}


def firefox_desktop() -> Request:
    boundary = "------------------------Jq2x8kWv1TzL0pR5bYc9Ns"
    annotations = {
        "ProductName": "ExampleApp",
        "Version": "2.4.1",
        "ReleaseChannel": "release",
        "TelemetryEnvironment": '{"build":{"version":"150.0"}}',
    }
    body = lines(
        f"--{boundary}",
        'Content-Disposition: form-data; name="extra"; filename="extra.json"',
        "Content-Type: application/json",
        "",
        json.dumps(annotations, separators=(",", ":")),
        f"--{boundary}",
        'Content-Disposition: form-data; name="upload_file_minidump"; filename="7b1d2c3e.dmp"',
        "Content-Type: application/octet-stream",
        "",
        MINIDUMP,
        f"--{boundary}",
        'Content-Disposition: form-data; name="memory_report"; filename="7b1d2c3e.memory.json.gz"',
        "Content-Type: application/octet-stream",
        "",
        gzip.compress(b"{}"),
        f"--{boundary}--",
        "",
    )
    return Request(body, {"User-Agent": "crashreporter/1.0.0", "Accept": "*/*"}, boundary)


def firefox_browser() -> Request:
    boundary = "----geckoformboundary7f3a9c1055d0e7b43f2a9c1055d0e7b4"
    annotations = {
        "ProductName": "ExampleApp",
        "Version": "2.4.1",
        "Throttleable": "0",
        "SubmittedFrom": "AboutCrashes",
    }
    body = lines(
        f"--{boundary}",
        'Content-Disposition: form-data; name="extra"; filename="blob"',
        "Content-Type: application/json",
        "",
        json.dumps(annotations),
        f"--{boundary}",
        'Content-Disposition: form-data; name="upload_file_minidump"; filename="x.dmp"',
        "Content-Type: application/octet-stream",
        "",
        MINIDUMP,
        f"--{boundary}",
        'Content-Disposition: form-data; name="memory_report"; filename="x.memory.json.gz"',
        "Content-Type: application/gzip",
        "",
        LOG,
        f"--{boundary}--",
        "",
    )
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
    return Request(body, {"User-Agent": agent}, boundary)


def firefox_android() -> Request:
    """Names are not quoted, and an extra line break comes before the end marker."""
    boundary = "---------------------------3F2A9C1055D0E7B4"
    body = lines(
        f"--{boundary}",
        "Content-Disposition: form-data; name=ProductName",
        "",
        "ExampleApp",
        f"--{boundary}",
        "Content-Disposition: form-data; name=Version",
        "",
        "2.4.1",
        f"--{boundary}",
        'Content-Disposition: form-data; name="upload_file_minidump"; filename="1c9e.dmp"',
        "Content-Type: application/octet-stream",
        "",
        MINIDUMP,
        f"--{boundary}",
        "Content-Disposition: form-data; name=Android_CPU_ABI",
        "",
        "arm64-v8a",
        "",
        f"--{boundary}--",
        "",
    )
    agent = "Dalvik/2.1.0 (Linux; U; Android 15; Pixel 9 Build/AP4A)"
    return Request(gzip.compress(body), {"Content-Encoding": "gzip", "User-Agent": agent}, boundary)


def firefox_android_before_2022() -> Request:
    """No line break came after an empty file."""
    boundary = "---------------------------3F2A9C1055D0E7B4"
    body = lines(
        f"--{boundary}",
        'Content-Disposition: form-data; name="empty"; filename="empty"',
        "Content-Type: application/octet-stream",
        "",
        f"--{boundary}",
        "Content-Disposition: form-data; name=ProductName",
        "",
        "ExampleApp",
        f"--{boundary}",
        "Content-Disposition: form-data; name=Version",
        "",
        "2.4.1",
        f"--{boundary}",
        'Content-Disposition: form-data; name="upload_file_minidump"; filename="1c9e.dmp"',
        "Content-Type: application/octet-stream",
        "",
        MINIDUMP,
        f"--{boundary}--",
        "",
    )
    return Request(body, {"User-Agent": "Dalvik/2.1.0"}, boundary)


NO_LINE_BREAK = ["tolerated: no line break after a file"]
CLIENTS: dict[str, tuple[Callable[[], Request], list[str], list[str], str]] = {
    "Breakpad, Linux": (breakpad_linux, ["upload_file_minidump"], [], "breakpad_linux"),
    "Breakpad, Windows": (breakpad_windows, ["upload_file_minidump"], NO_LINE_BREAK, "breakpad_windows"),
    "Breakpad, Windows, three files": (
        lambda: breakpad_windows(files=3),
        ["upload_file_minidump", "upload_file_minidump_flash1", "upload_file_minidump_flash2"],
        NO_LINE_BREAK,
        "breakpad_windows",
    ),
    "Breakpad, Windows, old": (
        lambda: breakpad_windows(line_break_after_file=True),
        ["upload_file_minidump"],
        [],
        "breakpad_windows",
    ),
    "Breakpad, macOS": (breakpad_mac, ["upload_file_minidump"], [], "breakpad_mac"),
    "Breakpad, macOS, with log": (
        lambda: breakpad_mac(with_log=True),
        ["log", "upload_file_minidump"],
        NO_LINE_BREAK,
        "breakpad_mac",
    ),
    "Crashpad": (
        lambda: crashpad(CRASHPAD_FIELDS, CRASHPAD_AGENT),
        ["applog", "upload_file_minidump"],
        [],
        "crashpad",
    ),
    "Crashpad without gzip": (
        lambda: crashpad(CRASHPAD_FIELDS, CRASHPAD_AGENT, compress=False),
        ["applog", "upload_file_minidump"],
        [],
        "crashpad",
    ),
    "Electron": (
        lambda: crashpad(ELECTRON_FIELDS, "Crashpad/0.8.0 WinHTTP/10.0 Windows_NT/10.0.19045 (x64)"),
        ["applog", "upload_file_minidump"],
        [],
        "crashpad",
    ),
    "Firefox, desktop": (firefox_desktop, ["memory_report", "upload_file_minidump"], [], "firefox_desktop"),
    "Firefox, from the browser": (
        firefox_browser,
        ["memory_report", "upload_file_minidump"],
        ["unknown content type: memory_report application/gzip"],
        "firefox_browser",
    ),
    "Firefox, Android": (firefox_android, ["upload_file_minidump"], [], "firefox_android"),
    "Firefox, Android, before 2022": (
        firefox_android_before_2022,
        ["empty", "upload_file_minidump"],
        NO_LINE_BREAK,
        "firefox_android",
    ),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_report_of_each_client_is_kept_whole(collector: CollectorProcess, client: str) -> None:
    make, dump_names, notes, family = CLIENTS[client]
    counted = f'collector_clients_total{{family="{family}"}}'
    before = collector.metric(counted)
    crash_id = collector.send(make()).crash_id
    raw_crash = collector.storage.get_raw_crash(crash_id)
    assert (raw_crash["ProductName"], raw_crash["Version"]) == ("ExampleApp", "2.4.1")
    assert raw_crash["metadata"]["collector_notes"] == notes
    assert collector.storage.get_dump_names(crash_id) == dump_names
    with collector.storage.open_dump(crash_id, "upload_file_minidump") as file:
        assert file.read() == MINIDUMP
    assert collector.metric(counted) == before + 1


def test_a_breakpad_log_and_an_empty_file_stay_themselves(collector: CollectorProcess) -> None:
    for request, name, content in (
        (breakpad_mac(with_log=True), "log", LOG),
        (firefox_android_before_2022(), "empty", b""),
    ):
        with collector.storage.open_dump(collector.send(request).crash_id, name) as file:
            assert file.read() == content


def test_electrons_own_fields_stay_and_cut_values_are_joined(collector: CollectorProcess) -> None:
    raw_crash = collector.storage.get_raw_crash(
        collector.send(crashpad(ELECTRON_FIELDS, "Crashpad/0.8.0")).crash_id
    )
    assert {name: raw_crash[name] for name in ELECTRON_FIELDS} == ELECTRON_FIELDS
    assert raw_crash["url"] == ELECTRON_FIELDS["url__1"] + "bcd"


def test_a_client_that_waits_for_permission_gets_it(collector: CollectorProcess) -> None:
    """curl does so with bodies of more than 1 MB."""
    from tests.ingest.process import read_response

    request = firefox_desktop()
    request.headers["Expect"] = "100-continue"
    head, _, body = request.encode().partition(b"\r\n\r\n")
    with collector.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(body)
        assert read_response(connection).crash_id


def test_one_connection_serves_several_reports(collector: CollectorProcess) -> None:
    """As a load balancer uses it; a refusal in between ends it, for the rest of that body is not read."""
    connection = HTTPConnection("127.0.0.1", collector.port, timeout=30)
    with closing(connection):
        for request, status in ((breakpad_linux(), 200), (breakpad_mac(), 200), (Request(b"junk"), 400)):
            headers = {**request.all_headers(), "Connection": "keep-alive"}
            connection.request("POST", "/submit", request.body, headers)
            address = connection.sock.getsockname()
            response = connection.getresponse()
            response.read()
            assert response.status == status
            if status == 200:
                assert connection.sock.getsockname() == address
        assert connection.sock is None
