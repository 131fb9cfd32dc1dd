"""The modules of a crash, ready to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crashstats.display import mapping, plural, sequence, text, web_address

#: What one page shows at most, of loaded and of unloaded modules each.
MAX_MODULES = 1_000


@dataclass(frozen=True)
class SymbolState:
    """What became of a module's symbols; ``code`` is one word for style sheets, ``label`` what people read."""

    code: str
    label: str
    explained: str


LOADED = SymbolState("loaded", "loaded", "The symbol file was found and used.")
MISSING = SymbolState(
    "missing", "missing", "A frame lies in this module, and no symbol file was found for it."
)
CORRUPT = SymbolState("corrupt", "corrupt", "A symbol file was found that cannot be read.")
UNUSED = SymbolState("unused", "not needed", "No frame needed this module's symbols.")


@dataclass(frozen=True)
class Module:
    """One row of the table; ``symbol_link`` is a web address or ""."""

    filename: str
    version: str
    debug_file: str
    debug_id: str
    code_id: str
    signed_by: str
    symbols: SymbolState
    symbol_link: str


@dataclass(frozen=True)
class Modules:
    """Loaded and unloaded modules; ``left_out`` says what is not shown, "" when all is, as ``summary`` without any."""

    loaded: tuple[Module, ...]
    unloaded: tuple[Module, ...]
    left_out: str
    summary: str
    any_signed: bool


def read_modules(json_dump: Mapping[str, Any]) -> Modules:
    """Read the modules of a stackwalker's document."""
    raw_loaded, raw_unloaded = sequence(json_dump.get("modules")), sequence(json_dump.get("unloaded_modules"))
    loaded = tuple(_read_module(mapping(raw)) for raw in raw_loaded[:MAX_MODULES])
    unloaded = tuple(_read_module(mapping(raw)) for raw in raw_unloaded[:MAX_MODULES])
    more = len(raw_loaded) - len(loaded) + len(raw_unloaded) - len(unloaded)
    return Modules(
        loaded=loaded,
        unloaded=unloaded,
        left_out=f"{plural(more, 'more module')} not shown" if more else "",
        summary=_summarize(loaded),
        any_signed=any(module.signed_by for module in loaded + unloaded),
    )


def _read_module(raw: Mapping[str, Any]) -> Module:
    return Module(
        filename=text(raw.get("filename"), limit=200),
        version=text(raw.get("version"), limit=100),
        debug_file=text(raw.get("debug_file"), limit=200),
        debug_id=text(raw.get("debug_id"), limit=100),
        code_id=text(raw.get("code_id"), limit=100),
        signed_by=text(raw.get("cert_subject"), limit=200),
        symbols=_symbol_state(raw),
        symbol_link=web_address(raw.get("symbol_url")),
    )


def _symbol_state(raw: Mapping[str, Any]) -> SymbolState:
    if raw.get("corrupt_symbols") is True:
        return CORRUPT
    if raw.get("loaded_symbols") is True:
        return LOADED
    return MISSING if raw.get("missing_symbols") is True else UNUSED


def _summarize(modules: tuple[Module, ...]) -> str:
    counts = [
        (state, sum(module.symbols is state for module in modules)) for state in (LOADED, MISSING, CORRUPT)
    ]
    if not modules:
        return ""
    known = ", ".join(f"{count:,} with {state.label} symbols" for state, count in counts if count)
    return plural(len(modules), "module") + (f": {known}" if known else "")
