"""Rules that make the raw crash safe to read for the rules after them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from processing.rules.base import Context, Rule
from processing.schema.convert import clean_text


class DeNullRule(Rule):
    """Take NUL characters and halves of surrogate pairs out of annotation names and texts; databases refuse them.

    Reads: every key of the raw crash.
    Fills in: the raw crash, cleaned. A name that is taken once it is clean does not replace the other.
    """

    def action(self, ctx: Context) -> None:
        cleaned: dict[str, Any] = {}
        for key, value in sorted(ctx.raw_crash.items(), key=lambda item: "\0" in item[0]):
            cleaned.setdefault(_clean(key), _clean(value) if isinstance(value, str) else value)
        ctx.raw_crash.clear()
        ctx.raw_crash.update(cleaned)


class DeNoneRule(Rule):
    """Take annotations without a value out of the raw crash, so that for the other rules they are missing.

    Reads: every key of the raw crash.
    Fills in: the raw crash, without nulls.
    """

    def action(self, ctx: Context) -> None:
        for key in [key for key, value in ctx.raw_crash.items() if value is None]:
            del ctx.raw_crash[key]


class ConvertModuleSignatureInfoRule(Rule):
    """Turn the signers of modules back into the text that the stackwalker reads.

    Reads: annotation ``ModuleSignatureInfo``, an object when the client sent all annotations as one JSON document.
    Fills in: the same annotation, as JSON text.
    """

    def predicate(self, ctx: Context) -> bool:
        return not isinstance(ctx.raw_crash.get("ModuleSignatureInfo", ""), str)

    def action(self, ctx: Context) -> None:
        ctx.raw_crash["ModuleSignatureInfo"] = json.dumps(ctx.raw_crash["ModuleSignatureInfo"])


class ClientFamilyRule(Rule):
    """Give the annotations of Breakpad, Crashpad and Electron clients the names that the other rules know.

    Reads: ``_productName``, ``prod``, ``product``; ``_version``, ``ver``; ``process_type``, ``ptype``; ``channel``. In
    reports from Electron, ``prod`` and ``ver`` are Electron's own, so the names with an underscore come first.
    Fills in: annotations ``ProductName``, ``Version``, ``ProcessType`` and ``ReleaseChannel`` where they are missing;
    the originals stay.
    """

    _NAMES: Mapping[str, tuple[str, ...]] = {
        "ProductName": ("_productName", "prod", "product"),
        "Version": ("_version", "ver"),
        "ProcessType": ("process_type", "ptype"),
        "ReleaseChannel": ("channel",),
    }

    def action(self, ctx: Context) -> None:
        for annotation, others in self._NAMES.items():
            values = [ctx.raw_crash.get(name) for name in others]
            first = next((value for value in values if value and isinstance(value, str)), None)
            if first is not None:
                ctx.raw_crash.setdefault(annotation, first)


def _clean(text: str) -> str:
    return clean_text(text.replace("\0", ""))
