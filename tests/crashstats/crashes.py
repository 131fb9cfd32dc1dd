"""Crash documents to show; a test says only what it cares about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from processing import crashid
from processing.search import SearchBackend


def new_crash_id() -> str:
    return crashid.create()


def make_frame(number: int, function: str | None = None, **values: Any) -> dict[str, Any]:
    """One frame as the stackwalker writes it."""
    return {
        "frame": number,
        "function": function,
        "module": "libxul.so",
        "module_offset": "0x0000000000001234",
        "offset": "0x00007f0000001234",
        "trust": "cfi",
        "file": None,
        "line": None,
        "missing_symbols": False,
        "inlines": None,
        **values,
    }


def make_json_dump(**values: Any) -> dict[str, Any]:
    """A stackwalker's document with two threads, of which the first crashed."""
    return {
        "status": "OK",
        "crash_info": {"crashing_thread": 0, "type": "SIGSEGV", "address": "0x0"},
        "threads": [
            {
                "thread_name": "Main",
                "frames": [make_frame(0, "ww::Surface::Blend(int)", file="gfx/surface.cpp", line=42)],
            },
            {"thread_name": "Timer", "frames": [make_frame(0, "poll")]},
        ],
        "modules": [
            {
                "filename": "libxul.so",
                "version": "1.2",
                "debug_file": "libxul.so",
                "debug_id": "AB" * 16 + "0",
                "loaded_symbols": True,
            },
            {"filename": "libother.so", "missing_symbols": True},
        ],
        **values,
    }


def make_processed_crash(crash_id: str, **values: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "uuid": crash_id,
        "crash_id": crash_id,
        "signature": "ww::Surface::Blend",
        "product": "WaterWolf",
        "version": "145.0",
        "release_channel": "release",
        "os_name": "Linux",
        "os_pretty_version": "Debian GNU/Linux 12",
        "reason": "SIGSEGV / SEGV_MAPERR",
        "address": "0x0",
        "date_processed": now.isoformat(),
        "submitted_timestamp": now.isoformat(),
        "uptime": 125,
        "crashing_thread": 0,
        "json_dump": make_json_dump(),
        "mdsw_status_string": "OK",
        "processor_notes": "a note of the processor",
        "url": "https://secret.example/?token=1",
        "user_comments": "my secret comment",
        **values,
    }


def make_raw_crash(crash_id: str, **values: Any) -> dict[str, Any]:
    return {
        "uuid": crash_id,
        "ProductName": "WaterWolf",
        "Version": "145.0",
        "URL": "https://secret.example/?token=1",
        "Unheard": "of secret kind",
        "submitted_timestamp": "2026-08-01T12:00:00+00:00",
        "version": 2,
        "metadata": {"dump_checksums": {"upload_file_minidump": "00"}},
        **values,
    }


def fill(search: SearchBackend, *crashes: dict[str, Any], days_ago: float = 0) -> list[str]:
    """Index crashes; gives their ids."""
    moment = (datetime.now(UTC) - timedelta(days=days_ago, minutes=1)).isoformat()
    documents = {}
    for values in crashes:
        crash_id = new_crash_id()
        documents[crash_id] = make_processed_crash(crash_id, **{"date_processed": moment, **values})
    search.index(documents)
    return list(documents)
