"""Bodies of submissions, spelled out byte by byte: nothing here shares code with the collector."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field

BOUNDARY = "------------------------9f3c1d20aa77e415"
DUMP = b"abcd1234"


@dataclass
class Part:
    """One part; ``filename`` None means no such parameter, ``content_type`` None no such header."""

    name: str
    content: bytes
    filename: str | None = None
    content_type: str | None = None

    def encode(self) -> bytes:
        disposition = f'Content-Disposition: form-data; name="{self.name}"'
        if self.filename is not None:
            disposition += f'; filename="{self.filename}"'
        headers = [disposition] + ([f"Content-Type: {self.content_type}"] if self.content_type else [])
        return "\r\n".join(headers).encode() + b"\r\n\r\n" + self.content


def text(name: str, value: str | bytes) -> Part:
    return Part(name, value if isinstance(value, bytes) else value.encode())


def dump(name: str = "upload_file_minidump", content: bytes = DUMP) -> Part:
    return Part(name, content, "0f2a77c1.dmp", "application/octet-stream")


def extra(value: object) -> Part:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Part("extra", content, "extra.json", "application/json")


def encode(parts: list[Part | bytes], boundary: str = BOUNDARY) -> bytes:
    """Give a well-formed body; parts that are bytes already are taken as they are."""
    delimiter = b"--" + boundary.encode()
    body = b""
    for part in parts:
        body += delimiter + b"\r\n" + (part if isinstance(part, bytes) else part.encode()) + b"\r\n"
    return body + delimiter + b"--\r\n"


@dataclass
class Request:
    """A POST to /submit. ``headers`` add to or replace the usual ones; None leaves one out."""

    body: bytes
    headers: dict[str, str | None] = field(default_factory=dict)
    boundary: str = BOUNDARY

    def all_headers(self) -> dict[str, str]:
        usual: dict[str, str | None] = {
            "Host": "localhost",
            "User-Agent": "Breakpad/1.0 (Linux)",
            "Content-Type": f"multipart/form-data; boundary={self.boundary}",
            "Content-Length": str(len(self.body)),
            "Connection": "close",
        }
        return {name: value for name, value in {**usual, **self.headers}.items() if value is not None}

    def encode(self, target: str = "/submit", method: str = "POST") -> bytes:
        lines = [f"{method} {target} HTTP/1.1"] + [
            f"{name}: {value}" for name, value in self.all_headers().items()
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


def valid(*more: Part, **annotations: str) -> Request:
    """Give a valid report: two annotations and an eight-byte dump, and what is asked for besides."""
    values = {"ProductName": "Firefox", "Version": "1", **annotations}
    return Request(encode([*(text(name, value) for name, value in values.items()), dump(), *more]))


def gzipped(request: Request) -> Request:
    return Request(
        gzip.compress(request.body), {**request.headers, "Content-Encoding": "gzip"}, request.boundary
    )


def chunked(request: Request, chunk_bytes: int = 4096) -> Request:
    """Give the same request as Crashpad sends it: in chunks, without a length."""
    pieces = [request.body[at : at + chunk_bytes] for at in range(0, len(request.body), chunk_bytes)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    headers = {**request.headers, "Content-Length": None, "Transfer-Encoding": "chunked"}
    return Request(body, headers, request.boundary)
