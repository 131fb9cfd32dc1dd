"""From a module's debug file and debug id to the path of its symbol file.

The path is ``<debug file>/<debug id>/<symbol file>`` in folders, URLs and zip archives alike. Both halves come from
dumps and uploads, so they are hostile: a key that this module gives is always safe to join to a folder.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

MAX_KEY_CHARACTERS = 300
MAX_NAME_BYTES = 255

_SEPARATORS = re.compile(r"[/\\]")
_HEX = re.compile(r"[0-9A-Fa-f]{9,40}")
#: Control characters, Latin-1's upper half, and what shells, URLs, HTML or Windows give a meaning of their own.
_FORBIDDEN = re.compile(r"""[\x00-\x1f\x7f-\xff\\^`><{}\[\]#%"'|/]""")


class BadKey(ValueError):
    """A debug file or debug id that cannot name a symbol file."""


def symbol_key(debug_file: str, debug_id: str) -> PurePosixPath:
    """Give the relative path of a module's symbol file.

    Args: ``debug_file`` may carry a Windows or Unix folder, which is dropped · ``debug_id`` in any of its spellings.
    Raises: BadKey when either cannot be part of a safe path.
    """
    name = _SEPARATORS.split(debug_file)[-1]
    _check_name(name)
    key = PurePosixPath(name, normal_debug_id(debug_id), symbol_file_name(name))
    _check_name(key.name)
    if len(str(key)) > MAX_KEY_CHARACTERS:
        raise BadKey(f"a symbol key has {len(str(key))} characters; at most {MAX_KEY_CHARACTERS} are allowed")
    return key


def symbol_file_name(debug_file: str) -> str:
    """Give the name of the symbol file: ``.pdb`` in any letter case makes room for ``.sym``, else ``.sym`` is added."""
    if debug_file.lower().endswith(".pdb"):
        return f"{debug_file[:-4]}.sym"
    return f"{debug_file}.sym"


def normal_debug_id(debug_id: str) -> str:
    """Give the one spelling that the stackwalker looks for: no separators, GUID in upper case, age in lower case.

    A GUID has 32 digits; a shorter id of up to 16 digits starts with a time stamp of 8 (PDB 2.0).
    Raises: BadKey when it is not 9 to 40 hexadecimal digits, or all zeros.
    """
    digits = re.sub(r"[-{}]", "", debug_id)
    if not _HEX.fullmatch(digits):
        raise BadKey(f"debug id {debug_id[:60]!r}: expected 9 to 40 hexadecimal digits")
    if not digits.strip("0"):
        raise BadKey(f"debug id {debug_id[:60]!r}: all zeros stand for a module without an id")
    head = 8 if len(digits) <= 16 else 32
    return digits[:head].upper() + digits[head:].lower()


def locate(folder: Path, key: PurePosixPath) -> Path | None:
    """Give the symbol file below ``folder``, or None when there is no regular file of that exact name."""
    path = folder / key
    return path if path.is_file() else None


def _check_name(name: str) -> None:
    if not name or name != name.rstrip(" ."):
        raise BadKey(f"debug file {name[:60]!r}: empty, or ends in a blank or a dot")
    if _FORBIDDEN.search(name):
        raise BadKey(f"debug file {name[:60]!r}: holds a character that is not allowed in symbol keys")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as exc:
        raise BadKey(f"debug file {name[:60]!r}: cannot be written as UTF-8") from exc
    if size > MAX_NAME_BYTES:
        raise BadKey(f"debug file {name[:60]!r}…: has {size} bytes; at most {MAX_NAME_BYTES} are allowed")
