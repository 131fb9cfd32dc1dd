"""Samples of malformed submissions show how a body is made, and nothing of dumps."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ingest.malformed import MalformedSamples
from tests.ingest.full_disk import full_disk
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
        encode([text("Notes", "x"), Part("dump", b"SECRETDUMP", None, "image/png")]),
        encode([text("Notes", "x"), Part("dump", b"SECRETDUMP", None, "image/png")]).replace(
            b"Type:", b"Type \t:"
        ),
        MINIDUMP,
        gzip.compress(b"SECRETDUMP", 0),
    ],
    ids=[
        "well-formed",
        "bare line feeds",
        "letters",
        "no file name",
        "no file name, of another kind",
        "blanks before the colon",
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


def test_files_of_others_are_left_alone_and_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("an operator's")
    (tmp_path / "1000000000-0badcafe.json").write_text("an old sample")
    MalformedSamples(tmp_path).keep("junk", {}, b"x")
    assert (tmp_path / "notes.json").exists()
    assert not (tmp_path / "1000000000-0badcafe.json").exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_sample_that_finds_no_room_still_makes_room(tmp_path: Path) -> None:
    old = tmp_path / "1000000000-0badcafe.json"
    old.write_text("an old sample")
    with full_disk(10):
        MalformedSamples(tmp_path).keep("junk", {}, b"x")
    assert not old.exists()
