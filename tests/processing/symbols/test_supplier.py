"""Where symbol files are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from processing.symbols.key import symbol_key
from processing.symbols.supplier import FolderSupplier

DEBUG_ID = "569E0A6C6B88C1564C4C44205044422E0"


def store(folder: Path, name: str) -> Path:
    path = folder / symbol_key(name, DEBUG_ID)
    path.parent.mkdir(parents=True)
    path.write_text("MODULE")
    return path


def test_the_first_folder_that_has_a_file_wins(tmp_path: Path):
    first = store(tmp_path / "one", "a.so")
    store(tmp_path / "two", "a.so")
    only = store(tmp_path / "two", "b.so")
    supplier = FolderSupplier([tmp_path / "one", tmp_path / "two"])
    assert supplier.find("/lib/a.so", DEBUG_ID.lower()) == first
    assert supplier.find("b.so", DEBUG_ID) == only
    assert supplier.find("c.so", DEBUG_ID) is None


def test_a_folder_may_appear_later(tmp_path: Path):
    supplier = FolderSupplier([tmp_path / "one", str(tmp_path / "two")])
    assert supplier.folders() == ()
    store(tmp_path / "two", "a.so")
    assert supplier.folders() == (tmp_path / "two",)


@pytest.mark.parametrize(
    ("debug_file", "debug_id"), [("..", DEBUG_ID), ("a.so", "../../a"), ("", ""), ("a\0", DEBUG_ID)]
)
def test_hostile_names_find_nothing(tmp_path: Path, debug_file: str, debug_id: str):
    assert FolderSupplier([tmp_path]).find(debug_file, debug_id) is None
