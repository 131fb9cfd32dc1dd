"""Who may see which part of the nested values of the processed crash.

What is not named here is protected: file handles and process limits, say, may hold user names and paths.
"""

from __future__ import annotations

from processing.schema.field import ANY_KEY, Permission, Shape

PUBLIC = Permission.PUBLIC
PROTECTED = Permission.PROTECTED

_FRAME: Shape = {
    "file": PUBLIC,
    "frame": PUBLIC,
    "function": PUBLIC,
    "function_offset": PUBLIC,
    "inlines": [{"file": PUBLIC, "function": PUBLIC, "line": PUBLIC}],
    "line": PUBLIC,
    "missing_symbols": PUBLIC,
    "module": PUBLIC,
    "module_offset": PUBLIC,
    "offset": PUBLIC,
    "registers": PROTECTED,
    "truncated": {"msg": PUBLIC},
    "trust": PUBLIC,
    "unloaded_modules": [{"module": PUBLIC, "offsets": [PUBLIC]}],
}
_THREAD: dict[str, Shape] = {
    "frame_count": PUBLIC,
    "frames": [_FRAME],
    "last_error_value": PUBLIC,
    "thread_id": PUBLIC,
    "thread_name": PUBLIC,
    "truncated": PUBLIC,
}
_CRASH_INFO: Shape = {
    "address": PUBLIC,
    "adjusted_address": {"address": PUBLIC, "kind": PUBLIC, "offset": PUBLIC},
    "assertion": PUBLIC,
    "crash_inconsistencies": [PUBLIC],
    "crashing_thread": PUBLIC,
    "instruction": PUBLIC,
    "instruction_pointer_update": {"address": PUBLIC, "is_likely_guard_page": PROTECTED},
    "memory_accesses": [
        {"access_type": PUBLIC, "address": PUBLIC, "is_likely_guard_page": PROTECTED, "size": PUBLIC}
    ],
    "possible_bit_flips": [
        {
            "address": PUBLIC,
            "confidence": PUBLIC,
            "details": {
                "is_null": PUBLIC,
                "nearby_registers": PUBLIC,
                "poison_registers": PUBLIC,
                "was_low": PUBLIC,
                "was_non_canonical": PUBLIC,
            },
            "source_register": PUBLIC,
        }
    ],
    "type": PUBLIC,
}
_MAC_CRASH_INFO: Shape = {
    "num_records": PUBLIC,
    "records": [
        {
            "abort_cause": PUBLIC,
            "backtrace": PUBLIC,
            "dialog_mode": PUBLIC,
            "message": PUBLIC,
            "message2": PUBLIC,
            "module": PUBLIC,
            "signature_string": PUBLIC,
            "thread": PUBLIC,
        }
    ],
}
_MODULE: Shape = {
    "base_addr": PUBLIC,
    "cert_subject": PUBLIC,
    "code_id": PUBLIC,
    "corrupt_symbols": PUBLIC,
    "debug_file": PUBLIC,
    "debug_id": PUBLIC,
    "end_addr": PUBLIC,
    "filename": PUBLIC,
    "loaded_symbols": PUBLIC,
    "missing_symbols": PUBLIC,
    "symbol_url": PUBLIC,
    "version": PUBLIC,
}
_UNLOADED_MODULE: Shape = {
    "base_addr": PUBLIC,
    "cert_subject": PUBLIC,
    "code_id": PUBLIC,
    "end_addr": PUBLIC,
    "filename": PUBLIC,
}

#: The stackwalker's document.
JSON_DUMP: Shape = {
    "crash_info": _CRASH_INFO,
    "crashing_thread": {**_THREAD, "threads_index": PUBLIC},
    "linux_memory_map_count": PUBLIC,
    "lsb_release": {"codename": PUBLIC, "description": PUBLIC, "id": PUBLIC, "release": PUBLIC},
    "mac_boot_args": PROTECTED,
    "mac_crash_info": _MAC_CRASH_INFO,
    "main_module": PUBLIC,
    "modules": [_MODULE],
    "modules_contains_cert_info": PUBLIC,
    "pid": PUBLIC,
    "process_uptime": PUBLIC,
    "soft_errors": PROTECTED,
    "status": PUBLIC,
    "system_info": {
        "cpu_arch": PUBLIC,
        "cpu_count": PUBLIC,
        "cpu_info": PUBLIC,
        "cpu_microcode_version": PUBLIC,
        "os": PUBLIC,
        "os_ver": PUBLIC,
    },
    "thread_count": PUBLIC,
    "threads": [_THREAD],
    "unloaded_modules": [_UNLOADED_MODULE],
}

#: What the stackwalk rule stores for a dump that is not the main one.
WALKED_DUMP: Shape = {
    "json_dump": JSON_DUMP,
    "mdsw_return_code": PROTECTED,
    "mdsw_status_string": PUBLIC,
    "mdsw_stderr": PROTECTED,
    "stackwalk_version": PUBLIC,
    "success": PUBLIC,
}

#: A structured Java exception; its values may hold anything a user typed.
JAVA_EXCEPTION: Shape = {
    "exception": {
        "values": [
            {
                "stacktrace": {
                    "frames": [
                        {
                            "filename": PUBLIC,
                            "function": PUBLIC,
                            "in_app": PUBLIC,
                            "lineno": PUBLIC,
                            "module": PUBLIC,
                        }
                    ],
                    "module": PUBLIC,
                    "type": PUBLIC,
                    "value": PROTECTED,
                }
            }
        ]
    }
}

_LIST_ENTRY: Shape = {"line": PUBLIC, "list_name": PUBLIC, "pattern": PUBLIC}

#: How a signature was made: names of public frames, public signatures, and the lists that everybody may read.
SIGNATURE_EXPLANATION: Shape = {
    "profile": PUBLIC,
    "frames": [
        {
            "decision": PUBLIC,
            "entry": _LIST_ENTRY,
            "raw": PUBLIC,
            "rule": PUBLIC,
            "sentinel": _LIST_ENTRY,
            "text": PUBLIC,
        }
    ],
    "rules": [{"after": PUBLIC, "before": PUBLIC, "fired": PUBLIC, "rule": PUBLIC, "why": PUBLIC}],
}

#: Sums taken from a memory report, in bytes or counts.
MEMORY_MEASURES: Shape = dict.fromkeys(
    (
        "explicit",
        "gfx_textures",
        "ghost_windows",
        "heap_allocated",
        "heap_overhead",
        "heap_unclassified",
        "host_object_urls",
        "images",
        "js_main_runtime",
        "private",
        "resident",
        "resident_unique",
        "system_heap_allocated",
        "top_none_detached",
        "vsize",
        "vsize_max_contiguous",
    ),
    PUBLIC,
)

#: One event before the crash.
BREADCRUMB: Shape = {
    "category": PROTECTED,
    "data": {ANY_KEY: PROTECTED},
    "level": PROTECTED,
    "message": PROTECTED,
    "timestamp": PROTECTED,
    "type": PROTECTED,
}
