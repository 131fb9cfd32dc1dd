"""The client's side: make a submission as crash reporters do, and send it to any collector."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import secrets
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_CHUNK_BYTES = 64 * 1024
_NOT_A_DUMP = frozenset({".json", ".md", ".txt"})


class CannotSubmit(Exception):
    """A report cannot be read or sent; the text says which one, why, and what to do."""


@dataclass(frozen=True)
class Report:
    """Annotations, and dumps by name."""

    annotations: Mapping[str, str]
    dumps: Mapping[str, bytes]

    def with_annotations(self, further: Mapping[str, str]) -> Report:
        return Report({**self.annotations, **further}, self.dumps)


@dataclass(frozen=True)
class Collector:
    """Where to send to. Args: ``url`` is such as ``http://127.0.0.1:8001/submit``."""

    url: str
    timeout_seconds: float = 60
    compress: bool = False
    chunked: bool = False
    as_json: bool = False

    def submit(self, report: Report) -> str:
        """Send a report over a connection of its own, as crash reporters do; give the crash id with its prefix.

        Raises: CannotSubmit when the collector cannot be reached, or refuses the report.
        """
        parts = urlsplit(self.url)
        boundary = secrets.token_hex(16)
        body = encode(report, boundary, as_json=self.as_json)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "User-Agent": "submitcrash/1"}
        if self.compress:
            body = gzip.compress(body, 6)
            headers["Content-Encoding"] = "gzip"
        try:
            connection = _connection(parts.scheme, parts.hostname, parts.port, self.timeout_seconds)
            try:
                path = f"{parts.path or '/submit'}{'?' + parts.query if parts.query else ''}"
                connection.request(
                    "POST",
                    path,
                    _chunks(body) if self.chunked else body,
                    headers,
                    encode_chunked=self.chunked,
                )
                response = connection.getresponse()
                answer = response.read(10_000).decode("latin-1").strip()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise CannotSubmit(
                f"{self.url}: {exc or type(exc).__name__}. Is the collector running there?"
            ) from exc
        found = re.search(r"^CrashID=(\S+)", answer, re.MULTILINE)
        if response.status != 200 or not found:
            raise CannotSubmit(
                f"{self.url}: refused with {response.status}: {answer[:200] or 'no reason given'}"
            )
        return found[1]


def encode(report: Report, boundary: str, *, as_json: bool = False) -> bytes:
    """Give the multipart body of a report; ``as_json`` puts all annotations into one JSON part, as Firefox does."""
    lines: list[bytes] = []
    delimiter = f"--{boundary}".encode()
    if as_json:
        extra = json.dumps(report.annotations, ensure_ascii=False).encode()
        disposition = b'Content-Disposition: form-data; name="extra"; filename="extra.json"'
        lines += [delimiter, disposition, b"Content-Type: application/json", b"", extra]
    else:
        for name, value in report.annotations.items():
            disposition = f'Content-Disposition: form-data; name="{_quoted(name)}"'.encode()
            lines += [delimiter, disposition, b"", value.encode()]
    for name, dump in report.dumps.items():
        disposition = (
            f'Content-Disposition: form-data; name="{_quoted(name)}"; filename="{_quoted(name)}.dmp"'.encode()
        )
        lines += [delimiter, disposition, b"Content-Type: application/octet-stream", b"", dump]
    return b"\r\n".join([*lines, delimiter + b"--", b""])


def load_report(folder: Path) -> Report:
    """Read a folder with ``annotations.json`` (texts by name) and dump files, each named as its form field.

    Raises: CannotSubmit.
    """
    path = folder / "annotations.json"
    try:
        annotations = load_annotations(path)
        dumps = {
            file.name: file.read_bytes()
            for file in sorted(folder.iterdir())
            if file.is_file() and file.suffix not in _NOT_A_DUMP and not file.name.startswith(".")
        }
    except OSError as exc:
        raise CannotSubmit(
            f"{path}: {exc.strerror}; a report is a folder with annotations.json and dumps"
        ) from exc
    return Report(annotations, dumps)


def load_annotations(path: Path) -> dict[str, str]:
    """Read a JSON object of texts. Raises: CannotSubmit; OSError."""
    try:
        annotations = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise CannotSubmit(f"{path}: not JSON: {exc}") from exc
    if not isinstance(annotations, dict) or not all(isinstance(v, str) for v in annotations.values()):
        raise CannotSubmit(f"{path}: expected one JSON object whose values are texts")
    return annotations


def _connection(
    scheme: str, host: str | None, port: int | None, timeout: float
) -> http.client.HTTPConnection:
    if scheme not in ("http", "https") or not host:
        raise ValueError("not an address such as http://127.0.0.1:8001/submit")
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=timeout)


def _chunks(body: bytes) -> Iterator[bytes]:
    return (body[at : at + _CHUNK_BYTES] for at in range(0, len(body), _CHUNK_BYTES))


def _quoted(name: str) -> str:
    """Percent-encode what cannot stand in a quoted field name, as browsers and Crashpad do."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
