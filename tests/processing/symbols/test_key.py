"""From debug file and debug id to a path that is safe whatever they hold."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processing.symbols.key import BadKey, locate, normal_debug_id, symbol_file_name, symbol_key

GUID = "569E0A6C6B88C1564C4C44205044422E"


@pytest.mark.parametrize(
    ("debug_file", "debug_id", "key"),
    [
        ("xul.pdb", f"{GUID}1", f"xul.pdb/{GUID}1/xul.sym"),
        ("TEST.PDB", f"{GUID}1", f"TEST.PDB/{GUID}1/TEST.sym"),
        ("libxul.so", f"{GUID}0", f"libxul.so/{GUID}0/libxul.so.sym"),
        ("XUL", f"{GUID}0", f"XUL/{GUID}0/XUL.sym"),
        ("foo.exe", f"{GUID}a", f"foo.exe/{GUID}a/foo.exe.sym"),
        (r"c:\build\obj\xul.pdb", f"{GUID}1", f"xul.pdb/{GUID}1/xul.sym"),
        ("/usr/lib/../lib/libc.so.6", f"{GUID}0", f"libc.so.6/{GUID}0/libc.so.6.sym"),
        ("two words+~@.so", f"{GUID}0", f"two words+~@.so/{GUID}0/two words+~@.so.sym"),
        ("汉.so", f"{GUID}0", f"汉.so/{GUID}0/汉.so.sym"),
        ("old.pdb", "3e4b9a5c1F", "old.pdb/3E4B9A5C1f/old.sym"),
    ],
)
def test_keys(debug_file: str, debug_id: str, key: str):
    assert symbol_key(debug_file, debug_id) == PurePosixPath(key)


@pytest.mark.parametrize(
    "debug_file",
    [
        "",
        ".",
        "..",
        "../..",
        "a/",
        "a\\",
        "a\0b",
        "a\nb",
        "a%2f",
        "a|b",
        "<a>",
        "a'b",
        'a"b',
        "ü",
        "a#b",
        "a ",
        "a.",
        "x" * 252,
        "\ud800",
    ],
)
def test_hostile_debug_files_have_no_key(debug_file: str):
    with pytest.raises(BadKey, match="debug file"):
        symbol_key(debug_file, f"{GUID}1")


@pytest.mark.parametrize(
    "debug_id", ["", "../..", "1234", "0" * 33, "g" * 33, "A" * 41, f"{GUID}/1", f"{GUID}1\n", "٣" * 33]
)
def test_hostile_debug_ids_have_no_key(debug_id: str):
    with pytest.raises(BadKey, match="debug id"):
        symbol_key("a.so", debug_id)


def test_keys_have_a_longest_length():
    with pytest.raises(BadKey, match="300"):
        symbol_key("x" * 140, f"{GUID}1")


@pytest.mark.parametrize(
    "spelling",
    [
        f"{GUID}1F",
        f"{GUID.lower()}1f",
        "569e0a6c-6b88-c156-4c4c-44205044422e-1f",
        "{569E0A6C-6B88-C156-4C4C-44205044422E}1f",
    ],
)
def test_every_spelling_of_a_debug_id_has_one_normal_form(spelling: str):
    assert normal_debug_id(spelling) == f"{GUID}1f"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(), st.text("0123456789abcdefABCDEF-{}/.", max_size=45))
def test_a_key_never_leads_out_of_its_folder(debug_file: str, debug_id: str):
    try:
        key = symbol_key(debug_file, debug_id)
    except BadKey:
        return
    assert len(key.parts) == 3
    assert not key.is_absolute()
    assert not {".", "..", ""} & set(key.parts)
    assert str(key).encode()
    assert symbol_key(key.parts[0], key.parts[1]) == key


def test_symbol_file_names():
    assert symbol_file_name("a.pDb") == "a.sym"
    assert symbol_file_name("a.pdb.so") == "a.pdb.so.sym"


def test_only_regular_files_are_located(tmp_path: Path):
    key = symbol_key("a.so", f"{GUID}1")
    (tmp_path / key).mkdir(parents=True)
    assert locate(tmp_path, key) is None
    (tmp_path / key).rmdir()
    (tmp_path / key).write_text("MODULE")
    assert locate(tmp_path, key) == tmp_path / key
