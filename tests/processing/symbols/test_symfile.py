"""The head of symbol files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from processing.symbols.symfile import BadSymbolFile, parse_head, read_head

GUID = "569E0A6C6B88C1564C4C44205044422E"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (f"MODULE Linux x86_64 {GUID}0 libxul.so\n", f"libxul.so/{GUID}0/libxul.so.sym"),
        (f"MODULE windows x86 {GUID.lower()}A xul.pdb\r\n", f"xul.pdb/{GUID}a/xul.sym"),
        (f"MODULE mac arm64 {GUID}0 My App\n", f"My App/{GUID}0/My App.sym"),
    ],
)
def test_the_module_line_tells_where_the_file_belongs(line: str, key: str):
    assert parse_head(io.BytesIO(line.encode() + b"FILE 0 a.c\n")).key == key


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MODULE Linux x86_64",
        b"MODULE Linux x86_64 " + GUID.encode() + b"0 no-line-end",
        b"MODULE Linux x86_64\n",
        b"FILE 0 a.c\n",
        b"<!doctype html>\n",
        b"\x1f\x8b\x08\0" * 3000,
        b"MODULE Linux x86_64 " + b"0" * 33 + b" a.so\n",
        b"MODULE Linux x86_64 " + GUID.encode() + b"0 ../..\n",
        b"MODULE Linux x86_64 " + GUID.encode() + b"0 " + b"x" * 10_000 + b"\n",
        b"\xff\xfe\n",
    ],
)
def test_other_files_are_no_symbol_files(content: bytes):
    with pytest.raises(BadSymbolFile):
        parse_head(io.BytesIO(content))


def test_a_file_is_read_from_disk(tmp_path: Path):
    path = tmp_path / "a.sym"
    path.write_text(f"MODULE Linux x86_64 {GUID}0 a.so\n")
    head = read_head(path)
    assert (head.os, head.cpu, head.debug_id, head.debug_file) == ("Linux", "x86_64", f"{GUID}0", "a.so")


def test_the_bundled_symbol_files_lie_where_their_module_line_says():
    folder = Path(__file__).resolve().parents[3] / "samples" / "symbols"
    paths = [path for path in folder.rglob("*") if path.is_file()]
    assert paths
    for path in paths:
        assert read_head(path).key == path.relative_to(folder).as_posix()
