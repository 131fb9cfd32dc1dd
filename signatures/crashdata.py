"""The input of signature generation: crash data, and how to get it from a processed crash.

Crash data is one JSON object. Every key is optional, and null means the same as a missing key:

``threads`` (list of ``{"frames": [...], "last_error_value": str}``), ``crashing_thread`` (int), ``os``, ``reason``,
``java_stack_trace`` (str), ``java_exception`` (object), ``oom_allocation_size`` (int), ``js_large_allocation_failure``,
``abort_message``, ``mdsw_status_string``, ``async_shutdown_timeout`` (str holding JSON), ``ipc_channel_error``,
``additional_minidumps`` (list of str), ``ipc_message_name``, ``hang`` and ``original_signature`` (str).

A frame has ``function``, ``file``, ``line``, ``module``, ``offset`` (hexadecimal str), ``inlines`` (list of
``{"function", "file", "line"}``, innermost first) and ``unloaded_modules`` (list of ``{"module": str}``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

CrashData = Mapping[str, Any]

_COPIED = (
    "hang",
    "js_large_allocation_failure",
    "abort_message",
    "mdsw_status_string",
    "async_shutdown_timeout",
    "ipc_channel_error",
    "ipc_message_name",
)


def from_processed_crash(processed_crash: Mapping[str, Any]) -> dict[str, Any]:
    """Build crash data from a processed crash.

    The thread index comes from the stackwalker's output, not from the processed crash's own ``crashing_thread``: the
    latter is set to 0 after a shutdown hang was recognised, and a later run must still see the original index.
    """
    crash_data: dict[str, Any] = {key: processed_crash.get(key) for key in _COPIED}
    crash_data["oom_allocation_size"] = _whole_number(processed_crash.get("oom_allocation_size"))
    crash_data["additional_minidumps"] = processed_crash.get("additional_minidumps") or []
    crash_data["original_signature"] = processed_crash.get("signature") or ""
    if json_dump := processed_crash.get("json_dump"):
        crash_data["crashing_thread"] = dig(json_dump, "crash_info", "crashing_thread")
        crash_data["reason"] = dig(json_dump, "crash_info", "type")
        crash_data["threads"] = dig(json_dump, "threads")
        crash_data["os"] = dig(json_dump, "system_info", "os")
    for key in ("java_exception", "java_stack_trace"):
        if key in processed_crash:
            crash_data[key] = processed_crash[key]
    return crash_data


def is_processed_crash(document: Mapping[str, Any]) -> bool:
    """Tell a processed crash from crash data: only the former holds the stackwalker's output."""
    return "json_dump" in document


def dig(document: object, *path: str | int) -> Any:
    """Follow keys and indices into JSON; None when the path leads nowhere. Negative indices count from the end."""
    for step in path:
        if isinstance(document, Mapping):
            document = document.get(step)
        elif (
            isinstance(step, int)
            and isinstance(document, Sequence)
            and -len(document) <= step < len(document)
        ):
            document = document[step]
        else:
            return None
    return document


def crashing_thread(crash_data: CrashData) -> int | None:
    """Read the index of the crashing thread, also from digits in a string; None when it is missing or unusable."""
    try:
        return int(crash_data.get("crashing_thread"))  # type: ignore[arg-type]  # None is among what is caught
    except (TypeError, ValueError, OverflowError):
        return None


def _whole_number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None
