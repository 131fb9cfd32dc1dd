"""The rulesets: dotted paths of rules in the order in which they run, like MIDDLEWARE."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from processing.errors import CrashStatsError
from processing.pipeline import Ruleset
from processing.rules.stackwalk import TIME_BUDGET_IN_WALKS

#: The ruleset that makes the whole document anew, from the raw crash.
DEFAULT = "default"

#: What describes the crashing thread comes after the signature, which may blame another thread.
_SIGNATURE_AND_STACK = (
    "processing.rules.signature.SignatureGeneratorRule",
    "processing.rules.threads.ShutDownHangCrashingThreadRule",
    "processing.rules.threads.TopMostFilesRule",
    "processing.rules.modules.ModulesInStackRule",
)

#: Ruleset name to its rules. All but the default one change a document that exists.
RULESETS: Mapping[str, tuple[str, ...]] = {
    DEFAULT: (
        "processing.rules.cleanup.DeNullRule",
        "processing.rules.cleanup.DeNoneRule",
        "processing.rules.collector.CrashReportKeysRule",
        "processing.rules.collector.CollectorMetadataRule",
        "processing.rules.cleanup.ConvertModuleSignatureInfoRule",
        "processing.rules.cleanup.ClientFamilyRule",
        "processing.rules.annotations.CopyFromRawCrashRule",
        "processing.rules.product.FenixVersionRewriteRule",
        "processing.rules.product.ESRVersionRewriteRule",
        "processing.rules.collector.SubmittedFromRule",
        "processing.rules.collector.IdentifierRule",
        "processing.rules.collector.MinidumpSha256HashRule",
        "processing.rules.stackwalk.MinidumpStackwalkRule",
        "processing.rules.modules.ModuleURLRewriteRule",
        "processing.rules.threads.CrashingThreadInfoRule",
        "processing.rules.threads.PossibleBitFlipsRule",
        "processing.rules.threads.CrashInconsistenciesRule",
        "processing.rules.threads.HasGuardPageAccessRule",
        "processing.rules.product.MajorVersionRule",
        "processing.rules.process.PluginRule",
        "processing.rules.process.ProcessTypeRule",
        "processing.rules.process.AccessibilityRule",
        "processing.rules.process.AddonsRule",
        "processing.rules.process.ThemePrettyNameRule",
        "processing.rules.dates.SubmissionDateRule",
        "processing.rules.dates.CrashTimeRule",
        "processing.rules.dates.UptimeRule",
        "processing.rules.dates.InstallAgeRule",
        "processing.rules.dates.LastCrashRule",
        "processing.rules.oom.OutOfMemoryBinaryRule",
        "processing.rules.gecko.PHCRule",
        "processing.rules.gecko.BreadcrumbsRule",
        "processing.rules.java.JavaStackTraceRule",
        "processing.rules.mac.MacBootArgsRule",
        "processing.rules.mac.MacCrashInfoRule",
        "processing.rules.gecko.MozCrashReasonRule",
        "processing.rules.process.UtilityActorsNameRule",
        "processing.rules.threads.ReportTypeRule",
        "processing.rules.system.CPUInfoRule",
        "processing.rules.system.AndroidCPUInfoRule",
        "processing.rules.product.DistributionIdRule",
        "processing.rules.system.OSInfoRule",
        "processing.rules.system.AndroidOSInfoRule",
        "processing.rules.system.PlatformInfoRule",
        "processing.rules.system.OSPrettyVersionRule",
        "processing.rules.modules.MissingSymbolsRule",
        "processing.rules.oom.MemoryReportExtractionRule",
        "processing.rules.threads.SoftErrorsRule",
        "processing.rules.threads.ThreadCountRule",
        *_SIGNATURE_AND_STACK,
    ),
    "regenerate_signature": (
        "processing.rules.threads.CrashingThreadInfoRule",
        *_SIGNATURE_AND_STACK,
    ),
}

#: Seconds for all rules but the stackwalk together; they need milliseconds.
_SECONDS_FOR_OTHER_RULES = 30


class UnknownRuleset(CrashStatsError):
    """A ruleset was asked for that does not exist."""


@functools.cache
def build_ruleset(name: str) -> Ruleset:
    """Make the rules of a ruleset from the project's settings, once per process.

    Raises: UnknownRuleset; StackwalkerMissing when a rule needs the stackwalker and it cannot be run.
    """
    try:
        paths = RULESETS[name]
    except KeyError as exc:
        raise UnknownRuleset(
            f"ruleset {name[:60]!r} does not exist; use one of {', '.join(sorted(RULESETS))}"
        ) from exc
    options: Mapping[str, Any] = {"STACKWALKER": settings.STACKWALKER, "SYMBOLS": settings.SYMBOLS}
    return Ruleset(
        name=name,
        rules=tuple(import_string(path).from_settings(options) for path in paths),
        starts_clean=name == DEFAULT,
        processor_version=_processor_version(settings.VERSION_FILE),
        time_limit_seconds=options["STACKWALKER"]["timeout_seconds"] * TIME_BUDGET_IN_WALKS
        + _SECONDS_FOR_OTHER_RULES,
    )


def _processor_version(path: Path) -> str:
    """Give version and commit of this processor from the file that a release carries; a checkout has none."""
    try:
        release = json.loads(path.read_text())
        return f"{release['version']} {release['commit'][:12]}"
    except FileNotFoundError:
        return "development"
    except (ValueError, KeyError, TypeError):
        return "unknown"
