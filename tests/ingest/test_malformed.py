"""Samples of malformed submissions show how a body is made, and nothing of dumps."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ingest.malformed import MalformedSamples
from tests.ingest.reports import Part, Request, dump, encode, text, valid

MINIDUMP = b"MDMP\x93\xa7\x00\x00" + b"SECRETDUMP" * 20


def body_starts(folder: Path, body: bytes) -> str:
    MalformedSamples(folder).keep("invalid_payload_structure", {}, body)
    (path,) = folder.glob("*.json")
    return str(json.loads(path.read_text())["body_starts"])


@pytest.mark.parametrize(
    "body",
    [
        encode([text("Notes", "x"), dump(content=MINIDUMP)]),
        encode([text("Notes", "x"), dump(content=MINIDUMP)]).replace(b"\r\n", b"\n"),
        encode([text("Notes", "x"), dump(content=b"SECRETDUMP in letters")]).replace(b"\r\n", b"\n"),
        encode([text("Notes", "x"), Part("dump", b"SECRETDUMP", None, "application/octet-stream")]),
        MINIDUMP,
        gzip.compress(b"SECRETDUMP", 0),
    ],
    ids=[
        "well-formed",
        "bare line feeds",
        "letters",
        "no file name",
        "a minidump alone",
        "gzip without its header",
    ],
)
def test_no_byte_of_a_dump_is_kept(tmp_path: Path, body: bytes) -> None:
    assert "SECRETDUMP" not in body_starts(tmp_path, body)


def test_how_the_body_is_made_is_kept_but_no_file_name(tmp_path: Path) -> None:
    request = Request(encode([Part("upload_file_minidump", MINIDUMP, "C:\\Users\\ada\\5e1c.dmp", "x/y")]))
    shown = body_starts(tmp_path, request.body)
    assert 'name="upload_file_minidump"; filename=(left out)\r\nContent-Type: x/y\r\n\r\n(left out)' in shown
    assert "ada" not in shown


def test_text_alone_is_kept_whole(tmp_path: Path) -> None:
    body = encode([text("Notes", "ü\xff")])
    assert body_starts(tmp_path, body) == body.decode("latin-1")
    assert valid().body[:10].decode() in body_starts(tmp_path / "other", valid().body)
