"""Rules about the machine: processor and operating system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from processing.rules.base import Context, Rule
from signatures.crashdata import dig


def _system_info(ctx: Context, key: str) -> Any:
    return dig(ctx.processed_crash, "json_dump", "system_info", key)


def _text_annotation(ctx: Context, name: str) -> str:
    value = ctx.raw_crash.get(name)
    return value.strip() if isinstance(value, str) else ""


class CPUInfoRule(Rule):
    """Tell what the dump knows about the processor.

    Reads: ``json_dump.system_info``.
    Fills in: ``cpu_arch`` and ``cpu_info`` (str, ``unknown`` without data), ``cpu_count`` (int, 0 without data),
    ``cpu_microcode_version`` (str) when known.
    """

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["cpu_arch"] = _system_info(ctx, "cpu_arch") or "unknown"
        ctx.processed_crash["cpu_info"] = _system_info(ctx, "cpu_info") or "unknown"
        ctx.processed_crash["cpu_count"] = _system_info(ctx, "cpu_count") or 0
        microcode = _system_info(ctx, "cpu_microcode_version")
        if microcode is not None:
            ctx.processed_crash["cpu_microcode_version"] = str(microcode)


class AndroidCPUInfoRule(Rule):
    """Take the architecture from Android's own name for it when no dump tells it.

    Reads: field ``cpu_arch``, annotation ``Android_CPU_ABI``.
    Fills in: ``cpu_arch``.
    """

    _ARCHITECTURES: Mapping[str, str] = {"armeabi-v7a": "arm", "arm64-v8a": "arm64", "x86_64": "amd64"}

    def predicate(self, ctx: Context) -> bool:
        return ctx.processed_crash["cpu_arch"] == "unknown" and bool(_text_annotation(ctx, "Android_CPU_ABI"))

    def action(self, ctx: Context) -> None:
        abi = _text_annotation(ctx, "Android_CPU_ABI")
        ctx.processed_crash["cpu_arch"] = self._ARCHITECTURES.get(abi, abi)


class OSInfoRule(Rule):
    """Tell the operating system that the dump names.

    Reads: ``json_dump.system_info``.
    Fills in: ``os_name`` (str, ``Unknown`` without data) and ``os_version`` (str, "" without data).
    """

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["os_name"] = str(_system_info(ctx, "os") or "Unknown").strip()
        ctx.processed_crash["os_version"] = str(_system_info(ctx, "os_ver") or "").strip()


class AndroidOSInfoRule(Rule):
    """Name Android by its API level: its dumps carry the version of the Linux kernel.

    Reads: field ``os_name``, annotation ``Android_Version`` (such as ``31 (REL)``).
    Fills in: ``os_name``; ``os_version`` when the annotation starts with a whole number.
    """

    def predicate(self, ctx: Context) -> bool:
        is_android = ctx.processed_crash["os_name"].lower() in ("android", "unknown")
        return is_android and bool(_text_annotation(ctx, "Android_Version"))

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["os_name"] = "Android"
        level = _text_annotation(ctx, "Android_Version").split(" ")[0]
        if re.fullmatch(r"[0-9]+", level):
            ctx.processed_crash["os_version"] = level


class PlatformInfoRule(Rule):
    """Fill the gaps about machine and system from annotations: some reports have no dump.

    Reads: annotations ``CPUArchitecture``, ``CPUInfo``, ``OS`` and ``OSVersion``.
    Fills in: ``cpu_arch``, ``cpu_info``, ``os_name``, ``os_version``, each where nothing better is known.
    """

    _SOURCES = (
        ("cpu_arch", "CPUArchitecture", "unknown"),
        ("cpu_info", "CPUInfo", "unknown"),
        ("os_name", "OS", "Unknown"),
        ("os_version", "OSVersion", ""),
    )

    def action(self, ctx: Context) -> None:
        for name, annotation, unknown in self._SOURCES:
            sent = _text_annotation(ctx, annotation)
            if sent and ctx.processed_crash.get(name) in (None, "", unknown):
                ctx.processed_crash[name] = sent


class OSPrettyVersionRule(Rule):
    """Name the system and its version the way people do.

    Reads: fields ``os_name`` and ``os_version``; ``json_dump.lsb_release`` or annotation ``LinuxLSBDescription``.
    Fills in: ``os_pretty_version`` (str), such as ``Windows 11``, ``macOS 14``, ``Ubuntu 24.04 LTS``, ``Android 31``.
    """

    _WINDOWS: Mapping[tuple[int, int], str] = {
        (3, 5): "Windows NT",
        (4, 0): "Windows NT",
        (4, 1): "Windows 98",
        (4, 9): "Windows Me",
        (5, 0): "Windows 2000",
        (5, 1): "Windows XP",
        (5, 2): "Windows Server 2003",
        (6, 0): "Windows Vista",
        (6, 1): "Windows 7",
        (6, 2): "Windows 8",
        (6, 3): "Windows 8.1",
        (10, 0): "Windows 10",
    }
    #: Windows 11 kept the version 10.0; this is the first build that was called 11.
    _FIRST_WINDOWS_11_BUILD = 21996
    _NUMBERS = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})(?:\.([0-9]{1,9}))?")

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["os_pretty_version"] = self._pretty(ctx)

    def _pretty(self, ctx: Context) -> str:
        os_name, os_version = ctx.processed_crash["os_name"], ctx.processed_crash["os_version"]
        if os_name.startswith("Windows"):
            return self._windows(os_name, os_version)
        if os_name == "Mac OS X":
            return self._mac(os_name, os_version)
        if os_name == "Linux":
            return self._linux(ctx)
        if os_name == "Android":
            return f"Android {os_version}".rstrip()
        return str(os_name)

    def _windows(self, os_name: str, os_version: str) -> str:
        numbers = self._NUMBERS.match(os_version)
        if not numbers:
            return os_name
        version = int(numbers[1]), int(numbers[2])
        if version == (10, 0) and int(numbers[3] or 0) >= self._FIRST_WINDOWS_11_BUILD:
            return "Windows 11"
        return self._WINDOWS.get(version, "Windows Unknown")

    def _mac(self, os_name: str, os_version: str) -> str:
        numbers = self._NUMBERS.match(os_version)
        if not numbers:
            return os_name
        major, minor = int(numbers[1]), int(numbers[2])
        if major >= 11:
            return f"macOS {major}"
        return f"OS X {major}.{minor}" if major == 10 else "OS X Unknown"

    def _linux(self, ctx: Context) -> str:
        description = dig(ctx.processed_crash, "json_dump", "lsb_release", "description")
        if description and isinstance(description, str):
            return description
        return _text_annotation(ctx, "LinuxLSBDescription") or "Linux"
