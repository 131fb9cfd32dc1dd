"""The named facts of a crash: which are shown, in which order, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crashstats.display import (
    build_id,
    byte_size,
    duration,
    epoch,
    mapping,
    moment,
    percentage,
    quantity,
    short_duration,
    text,
    web_address,
    yes_no,
)
from processing.schema import registry


@dataclass(frozen=True)
class Row:
    """One fact: ``doc`` explains it, ``link`` is a web address or "", ``is_long`` asks for room of its own."""

    label: str
    value: str
    doc: str
    is_protected: bool = False
    is_long: bool = False
    link: str = ""


@dataclass(frozen=True)
class Group:
    """Facts about one matter."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Shown:
    """How one field of the processed crash becomes a row. It is left out when the crash has no value for it."""

    label: str
    field: str
    show: Callable[[Any], str] = text
    is_long: bool = False
    is_link: bool = False


def lines(value: Any) -> str:
    """One item of a list per line, at most 200; "" for an empty list."""
    if isinstance(value, (list, tuple)):
        return "\n".join(text(item, limit=500) for item in value[:200])
    return text(value)


def brief(value: Any) -> str:
    """For a fact that is a few words, unless somebody sends more: the annotations below show that at length."""
    return text(value, limit=200)


SUMMARY = (
    Shown("Reason", "reason", brief),
    Shown("Address", "address", brief),
    Shown("Process type", "process_type", brief),
    Shown("Product", "product", brief),
    Shown("Version", "version", brief),
    Shown("Channel", "release_channel", brief),
    Shown("Build ID", "build", build_id),
    Shown("Platform", "os_pretty_version", brief),
    Shown("Platform version", "os_version", brief),
    Shown("CPU", "cpu_arch", brief),
    Shown("CPU info", "cpu_info", brief),
    Shown("Uptime", "uptime", duration),
    Shown("Install age", "install_age", duration),
    Shown("Crashed", "client_crash_date", moment),
    Shown("Received", "submitted_timestamp", moment),
    Shown("Processed", "completed_datetime", moment),
)

DETAILS: tuple[tuple[str, tuple[Shown, ...]], ...] = (
    (
        "Cause",
        (
            Shown("Crash reason, raw", "moz_crash_reason_raw", is_long=True),
            Shown("Crash reason, sanitized", "moz_crash_reason", is_long=True),
            Shown("Abort message", "abort_message", is_long=True),
            Shown("Last error value", "last_error_value"),
            Shown("Crash inconsistencies", "crash_inconsistencies", lines),
            Shown("Guard page access", "has_guard_page_access", yes_no),
            Shown("Bit flip confidence", "possible_bit_flips_max_confidence", percentage),
            Shown("Kind of report", "report_type"),
            Shown("Hang", "hang"),
            Shown("Startup crash", "startup_crash", yes_no),
            Shown("Shutdown progress", "shutdown_progress"),
            Shown("Shutdown reason", "shutdown_reason"),
            Shown("Async shutdown timeout", "async_shutdown_timeout", is_long=True),
            Shown("IPC channel error", "ipc_channel_error"),
            Shown("IPC message", "ipc_message_name"),
            Shown("Mac crash info", "mac_crash_info", is_long=True),
            Shown("Soft errors", "soft_errors", is_long=True),
        ),
    ),
    (
        "Process",
        (
            Shown("Last crash before this one", "last_crash", duration),
            Shown("Installed", "install_time", epoch),
            Shown("Application build ID", "application_build_id"),
            Shown("Vendor", "vendor"),
            Shown("Distribution", "distribution_id"),
            Shown("Locale", "useragent_locale"),
            Shown("Safe mode", "safe_mode", yes_no),
            Shown("Accessibility", "accessibility", yes_no),
            Shown("Remote type", "remote_type"),
            Shown("Plugin", "plugin_name"),
            Shown("Plugin version", "plugin_version"),
            Shown("Plugin file", "plugin_filename"),
            Shown("Utility actors", "utility_actors_name", lines),
            Shown("Submitted from", "submitted_from"),
            Shown("Page", "url", is_link=True),
            Shown("User's comment", "user_comments", is_long=True),
            Shown("Application notes", "app_notes", is_long=True),
        ),
    ),
    (
        "Machine",
        (
            Shown("Platform name", "os_name"),
            Shown("CPUs", "cpu_count", quantity),
            Shown("CPU microcode", "cpu_microcode_version"),
            Shown("Graphics vendor", "adapter_vendor_id"),
            Shown("Graphics device", "adapter_device_id"),
            Shown("Graphics driver", "adapter_driver_version"),
            Shown("Graphics errors", "graphics_critical_error", is_long=True),
            Shown("Android device", "android_model"),
            Shown("Android manufacturer", "android_manufacturer"),
            Shown("Android version", "android_version"),
            Shown("Android CPU ABI", "android_cpu_abi"),
            Shown("Android package", "android_packagename"),
        ),
    ),
    (
        "Memory",
        (
            Shown("Failed allocation", "oom_allocation_size", byte_size),
            Shown("Memory in use", "system_memory_use_percentage", percentage),
            Shown("Total physical memory", "total_physical_memory", byte_size),
            Shown("Available physical memory", "available_physical_memory", byte_size),
            Shown("Total virtual memory", "total_virtual_memory", byte_size),
            Shown("Available virtual memory", "available_virtual_memory", byte_size),
            Shown("Total page file", "total_page_file", byte_size),
            Shown("Available page file", "available_page_file", byte_size),
            Shown("Heap checker: kind", "phc_kind"),
            Shown("Heap checker: usable size", "phc_usable_size", byte_size),
            Shown("Heap checker: address", "phc_base_address"),
            Shown("Heap checker: allocation", "phc_alloc_stack", is_long=True),
            Shown("Heap checker: free", "phc_free_stack", is_long=True),
        ),
    ),
    (
        "Processing",
        (
            Shown("Stackwalker's verdict", "mdsw_status_string"),
            Shown("Stackwalker", "stackwalk_version"),
            Shown("Stack walking took", "stackwalker_seconds", short_duration),
            Shown("Stackwalker's messages", "mdsw_stderr", is_long=True),
            Shown("Ruleset", "ruleset"),
            Shown("Failed rules", "failed_rules", lines),
            Shown("Checksum of the dump", "minidump_sha256_hash"),
            Shown("Other dumps", "additional_minidumps", lines),
            Shown("How the signature was made", "signature_debug", is_long=True),
        ),
    ),
)

#: Counts among the sums of a memory report; all others are bytes.
_MEMORY_COUNTS = {"ghost_windows", "host_object_urls"}


def read_summary(processed_crash: Mapping[str, Any]) -> tuple[Row, ...]:
    """Give the facts that everybody looks at first."""
    return _read_rows(processed_crash, SUMMARY)


def read_details(processed_crash: Mapping[str, Any]) -> tuple[Group, ...]:
    """Give all other facts that the crash has, by matter; matters without any are left out."""
    groups = [Group(title, _read_rows(processed_crash, shown)) for title, shown in DETAILS]
    groups.append(Group("Memory report", _read_memory_report(processed_crash.get("memory_measures"))))
    return tuple(group for group in groups if group.rows)


def _read_rows(processed_crash: Mapping[str, Any], shown: tuple[Shown, ...]) -> tuple[Row, ...]:
    rows = (_read_row(processed_crash.get(one.field), one) for one in shown)
    return tuple(row for row in rows if row.value)


def _read_row(value: Any, shown: Shown) -> Row:
    field = registry.field(shown.field)
    return Row(
        label=shown.label,
        value=shown.show(value),
        doc=field.doc,
        is_protected=not field.is_public,
        is_long=shown.is_long,
        link=web_address(value) if shown.is_link else "",
    )


def _read_memory_report(measures: Any) -> tuple[Row, ...]:
    return tuple(
        Row(
            label=text(name, limit=60).replace("_", " "),
            value=(quantity if name in _MEMORY_COUNTS else byte_size)(value),
            doc="A sum taken from the memory report.",
        )
        for name, value in sorted(mapping(measures).items())[:40]
    )
