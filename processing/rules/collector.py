"""Rules about the report itself: its id, its parts, how it reached us."""

from __future__ import annotations

import re

from processing.rules.base import Context, Rule
from signatures.crashdata import dig

MAIN_DUMP = "upload_file_minidump"


class CrashReportKeysRule(Rule):
    """List the names of everything the report consists of.

    Reads: the keys of the raw crash and the names of the dumps.
    Fills in: ``crash_report_keys`` (list of str, sorted).
    Notes: when a name was left out, or cut to 100 characters.
    """

    _VALID = re.compile(r"[A-Za-z0-9_-]+")
    _MAX_CHARACTERS = 100

    def action(self, ctx: Context) -> None:
        keys = {*ctx.raw_crash, *ctx.dumps}
        valid = {key for key in keys if self._VALID.fullmatch(key)}
        if valid != keys or any(len(key) > self._MAX_CHARACTERS for key in valid):
            ctx.add_note("invalidkeys: Crash report contains invalid keys")
        ctx.processed_crash["crash_report_keys"] = sorted({key[: self._MAX_CHARACTERS] for key in valid})


class CollectorMetadataRule(Rule):
    """Keep what the collector recorded about the upload.

    Reads: raw crash key ``metadata``.
    Fills in: ``collector_metadata`` (object, empty when there is none).
    """

    def action(self, ctx: Context) -> None:
        metadata = ctx.raw_crash.get("metadata")
        ctx.processed_crash["collector_metadata"] = metadata if isinstance(metadata, dict) else {}


class IdentifierRule(Rule):
    """Name the crash in its own document.

    Fills in: ``crash_id`` and ``uuid`` (the same; scripts know both).
    """

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["crash_id"] = ctx.crash_id
        ctx.processed_crash["uuid"] = ctx.crash_id


class MinidumpSha256HashRule(Rule):
    """Keep the checksum of the main dump, by which duplicates are found.

    Reads: the checksums in raw crash key ``metadata``.
    Fills in: ``minidump_sha256_hash`` (lower-case hex, "" without a dump).
    """

    def action(self, ctx: Context) -> None:
        checksum = dig(ctx.raw_crash, "metadata", "dump_checksums", MAIN_DUMP)
        ctx.processed_crash["minidump_sha256_hash"] = checksum if isinstance(checksum, str) else ""


class SubmittedFromRule(Rule):
    """Tell where in the product the user (or the product itself) sent the report from.

    Reads: annotations ``SubmittedFromInfobar`` (deprecated, wins) and ``SubmittedFrom``.
    Fills in: ``submitted_from`` (str, ``Unknown`` by default) and ``submitted_from_infobar`` (bool).
    """

    def action(self, ctx: Context) -> None:
        if "SubmittedFromInfobar" in ctx.raw_crash:
            infobar = ctx.raw_crash["SubmittedFromInfobar"] in ("1", "true", True)
            submitted_from = "Infobar" if infobar else "Unknown"
        else:
            sent = ctx.raw_crash.get("SubmittedFrom")
            submitted_from = sent if sent and isinstance(sent, str) else "Unknown"
            infobar = submitted_from == "Infobar"
        ctx.processed_crash["submitted_from"] = submitted_from
        ctx.processed_crash["submitted_from_infobar"] = infobar
