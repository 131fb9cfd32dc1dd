"""Check the head of a Breakpad symbol file.

Source: Breakpad's ``docs/symbol_files.md``. The first line is ``MODULE <os> <cpu> <debug id> <debug file>``; ``INFO``
lines may follow. All else is left to the stackwalker.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from processing.symbols.key import BadKey, symbol_key

#: The first line of a real file is far shorter; a file without line ends is not read further.
MAX_FIRST_LINE_BYTES = 4096


class BadSymbolFile(ValueError):
    """A file that does not start like a Breakpad symbol file."""


@dataclass(frozen=True)
class SymbolFileHead:
    """What the MODULE line says. ``key`` is where such a file belongs, as text with slashes."""

    os: str
    cpu: str
    debug_id: str
    debug_file: str
    key: str


def read_head(path: Path) -> SymbolFileHead:
    """Read the MODULE line of a symbol file. Raises: BadSymbolFile; OSError when it cannot be read."""
    with path.open("rb") as file:
        return parse_head(file)


def parse_head(file: BinaryIO) -> SymbolFileHead:
    """Read the MODULE line from a file that is open at its start. Raises: BadSymbolFile."""
    line = file.readline(MAX_FIRST_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise BadSymbolFile(
            f"no line end within the first {MAX_FIRST_LINE_BYTES} bytes; expected a MODULE line"
        )
    words = line.decode("utf-8", "replace").rstrip("\r\n").split(maxsplit=4)
    if len(words) != 5 or words[0] != "MODULE":
        raise BadSymbolFile("the first line is not 'MODULE <os> <cpu> <debug id> <debug file>'")
    _, os_name, cpu, debug_id, debug_file = words
    try:
        key = symbol_key(debug_file, debug_id)
    except BadKey as exc:
        raise BadSymbolFile(f"the MODULE line names no usable module: {exc}") from exc
    return SymbolFileHead(os_name, cpu, key.parts[1], key.parts[0], str(key))
