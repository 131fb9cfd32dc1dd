"""Rules about modules: the program itself and its libraries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from processing.rules.base import Context, Rule
from processing.rules.threads import frames_of
from signatures.crashdata import dig

NO_DEBUG_ID = "0" * 33


def modules_of(walked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the modules of a processed crash, or of the result for one more dump; ``[]`` when there are none."""
    modules = dig(walked, "json_dump", "modules")
    return [module for module in modules if isinstance(module, dict)] if isinstance(modules, list) else []


class ModuleURLRewriteRule(Rule):
    """Keep addresses of symbol files that are nobody's business out of the report.

    Reads and fills in: ``json_dump.modules[].symbol_url``, in the documents of all dumps. Credentials, queries (which
    may be signatures) and fragments go; an address that is no web address, or one of this very machine, becomes null.
    Notes: the modules whose address became null.
    """

    def action(self, ctx: Context) -> None:
        for module in self._modules_of_all_dumps(ctx):
            if not (url := module.get("symbol_url")):
                continue
            module["symbol_url"] = _public_url(str(url))
            if module["symbol_url"] is None:
                name = module.get("filename") or module.get("debug_file") or "unknown"
                ctx.add_note(f"Redacting symbol url for module {name}")

    def _modules_of_all_dumps(self, ctx: Context) -> Iterator[dict[str, Any]]:
        yield from modules_of(ctx.processed_crash)
        for name in ctx.processed_crash.get("additional_minidumps") or ():
            yield from modules_of(ctx.processed_crash[name])


class ModulesInStackRule(Rule):
    """List the modules on the stack of the crashing thread, for correlations.

    Reads: the frames of field ``crashing_thread``, ``json_dump.modules``.
    Fills in: ``modules_in_stack`` (str: ``;`` separated ``<file name>/<debug id>``, sorted) when there are any.
    """

    def action(self, ctx: Context) -> None:
        debug_ids = {
            str(module.get("filename")): module.get("debug_id") for module in modules_of(ctx.processed_crash)
        }
        frames = frames_of(ctx, ctx.processed_crash.get("crashing_thread"))
        names = {str(frame.get("module")) for frame in frames} & debug_ids.keys()
        entries = {f"{_clean_name(name)}/{_clean_hex(debug_ids[name])}" for name in names}
        if entries:
            ctx.processed_crash["modules_in_stack"] = ";".join(sorted(entries))


class MissingSymbolsRule(Rule):
    """List the modules whose symbols were looked for and not found.

    Reads: ``json_dump.modules``.
    Fills in: ``missing_symbols`` (str: ``;`` separated ``<file name>/<version>/<debug id>[/<code id>]``, sorted) when
    there are any. See https://bugzilla.mozilla.org/1900806.
    """

    def action(self, ctx: Context) -> None:
        missing = [
            module
            for module in modules_of(ctx.processed_crash)
            if module.get("filename") and module.get("missing_symbols") is True
        ]
        if missing:
            ctx.processed_crash["missing_symbols"] = ";".join(
                sorted({_missing_entry(module) for module in missing})
            )


def _missing_entry(module: Mapping[str, Any]) -> str:
    version = str(module.get("version") or None).replace(";", "").replace("/", r"\/")
    parts = [_clean_name(module["filename"]), version, _clean_hex(module.get("debug_id")) or NO_DEBUG_ID]
    if code_id := _clean_hex(module.get("code_id")):
        parts.append(code_id)
    return "/".join(parts)


def _clean_name(name: Any) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "", str(name))


def _clean_hex(digits: Any) -> str:
    return re.sub(r"[^A-Fa-f0-9]", "", str(digits or ""))


def _public_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if (
        parts.scheme not in ("http", "https")
        or not host
        or "localhost" in host
        or host in ("127.0.0.1", "::1")
    ):
        return None
    shown_host = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, f"{shown_host}{port}", parts.path, "", ""))
