"""Where each part of a crash lies: the layout of files and of objects, in one place.

Files (one folder per UTC day and first two hex digits, so that no folder grows too long)::

    20260801/0b/0b1ec0de-7a11-4f00-8a5e-1c3f50260801.tar                   dumps, then raw_crash.json
    20260801/0b/0b1ec0de-7a11-4f00-8a5e-1c3f50260801.processed_crash.json

Objects (the layout of Mozilla's buckets, so that both systems read each other's crashes)::

    v1/raw_crash/20260801/0b1ec0de-7a11-4f00-8a5e-1c3f50260801
    v1/dump_names/0b1ec0de-7a11-4f00-8a5e-1c3f50260801
    v1/dump/0b1ec0de-7a11-4f00-8a5e-1c3f50260801                           the dump upload_file_minidump
    v1/<dump name>/0b1ec0de-7a11-4f00-8a5e-1c3f50260801                    every other dump
    v1/processed_crash/0b1ec0de-7a11-4f00-8a5e-1c3f50260801
"""

from __future__ import annotations

from datetime import date

from processing import crashid

#: Names that no dump may have, because they are parts of every crash.
RESERVED_DUMP_NAMES = frozenset({"dump_names", "processed_crash", "raw_crash"})
#: The dump that is analysed in full.
MAIN_DUMP = "upload_file_minidump"
#: What the main dump is called in object storage; no other dump of a crash may be called so.
MAIN_DUMP_OBJECT = "dump"

UNIT_SUFFIX = ".tar"
PROCESSED_SUFFIX = ".processed_crash.json"


def day_folder(day: date) -> str:
    return f"{day:%Y%m%d}"


def file_folder(crash_id: str) -> str:
    """Give the folder that holds a crash's files, relative to the root."""
    return f"20{crash_id[-6:]}/{crash_id[:2]}"


def raw_crash_prefix(day: date) -> str:
    """Give what the keys of that day's raw crashes begin with."""
    return f"v1/raw_crash/{day_folder(day)}/"


def raw_crash_key(crash_id: str) -> str:
    return raw_crash_prefix(crashid.day_of(crash_id)) + crash_id


def dump_names_key(crash_id: str) -> str:
    return f"v1/dump_names/{crash_id}"


def dump_key(crash_id: str, name: str) -> str:
    return f"v1/{MAIN_DUMP_OBJECT if name == MAIN_DUMP else name}/{crash_id}"


def processed_crash_key(crash_id: str) -> str:
    return f"v1/processed_crash/{crash_id}"
