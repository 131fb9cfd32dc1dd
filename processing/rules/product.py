"""Rules about the product: its version, who distributed it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from processing.rules.base import Context, Rule
from processing.schema.convert import load_json
from signatures.crashdata import dig


class FenixVersionRewriteRule(Rule):
    """Give nightly builds of Fenix, which carry a date in place of a version, one version.

    Reads: fields ``product`` and ``version``.
    Fills in: ``version``.
    Notes: that it was changed. See https://bugzilla.mozilla.org/1624911.
    """

    def predicate(self, ctx: Context) -> bool:
        version = ctx.processed_crash.get("version", "")
        return ctx.processed_crash.get("product") == "Fenix" and version.startswith("Nightly ")

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["version"] = "0.0a1"
        ctx.add_note("Changed version of a Nightly build to 0.0a1")


class ESRVersionRewriteRule(Rule):
    """Mark versions of the extended support release, which otherwise look like those of the normal release.

    Reads: fields ``release_channel`` and ``version``.
    Fills in: ``version``, with ``esr`` at its end.
    Notes: when there is no version.
    """

    def predicate(self, ctx: Context) -> bool:
        return ctx.processed_crash.get("release_channel") == "esr"

    def action(self, ctx: Context) -> None:
        if version := ctx.processed_crash.get("version"):
            ctx.processed_crash["version"] = f"{version}esr"
        else:
            ctx.add_note("'version' missing from esr release processed_crash")


class MajorVersionRule(Rule):
    """Tell the major version, by which people filter.

    Reads: annotation ``Version``, before any rewriting.
    Fills in: ``major_version`` (int; 0 when the version does not start with a number and a dot or its end).
    """

    _MAJOR = re.compile(r"([0-9]{1,9})(\..*)?", re.DOTALL)

    def action(self, ctx: Context) -> None:
        version = self._MAJOR.fullmatch(str(ctx.raw_crash.get("Version", "")).strip())
        ctx.processed_crash["major_version"] = int(version[1]) if version else 0


class DistributionIdRule(Rule):
    """Tell who distributed the build.

    Reads: annotation ``DistributionID``, else ``partner.distributionId`` in ``TelemetryEnvironment``.
    Fills in: ``distribution_id`` (str): ``mozilla`` when the environment names nobody, ``unknown`` when there is none.
    """

    def action(self, ctx: Context) -> None:
        sent = ctx.raw_crash.get("DistributionID")
        ctx.processed_crash["distribution_id"] = (
            sent if sent and isinstance(sent, str) else _from_environment(ctx.raw_crash)
        )


def _from_environment(raw_crash: Mapping[str, Any]) -> str:
    environment = raw_crash.get("TelemetryEnvironment")
    if isinstance(environment, str):
        try:
            environment = load_json(environment)
        except ValueError:
            return "unknown"
    partner = dig(environment, "partner")
    if not isinstance(partner, dict) or "distributionId" not in partner:
        return "unknown"
    distribution_id = partner["distributionId"] or "mozilla"
    return distribution_id if isinstance(distribution_id, str) else "unknown"
