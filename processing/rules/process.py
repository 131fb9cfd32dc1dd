"""Rules about the process that crashed and what was installed in it."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from processing.rules.base import Context, Rule

#: Items that are kept of one annotation: several times as many as anybody has. A hostile one could name millions.
MAX_ITEMS = 2_000


class ProcessTypeRule(Rule):
    """Tell which of the product's processes crashed.

    Reads: annotation ``ProcessType``; clients call the process that starts the others ``main`` or ``browser``.
    Fills in: ``process_type`` (str, ``parent`` by default).
    """

    def action(self, ctx: Context) -> None:
        process_type = ctx.raw_crash.get("ProcessType", "parent")
        if not isinstance(process_type, str) or process_type in ("main", "browser"):
            process_type = "parent"
        ctx.processed_crash["process_type"] = process_type


class PluginRule(Rule):
    """Name the plugin that a plugin process ran.

    Reads: annotations ``PluginFilename``, ``PluginName`` and ``PluginVersion``.
    Fills in: ``plugin_filename``, ``plugin_name``, ``plugin_version`` (str, "" when missing).
    """

    def predicate(self, ctx: Context) -> bool:
        return ctx.raw_crash.get("ProcessType") == "plugin"

    def action(self, ctx: Context) -> None:
        for name, annotation in (
            ("plugin_filename", "PluginFilename"),
            ("plugin_name", "PluginName"),
            ("plugin_version", "PluginVersion"),
        ):
            sent = ctx.raw_crash.get(annotation, "")
            ctx.processed_crash[name] = sent if isinstance(sent, str) else ""


class AccessibilityRule(Rule):
    """Tell whether assistive technology was in use.

    Reads: annotation ``Accessibility``.
    Fills in: ``accessibility`` (bool).
    """

    def action(self, ctx: Context) -> None:
        ctx.processed_crash["accessibility"] = ctx.raw_crash.get("Accessibility") == "Active"


class UtilityActorsNameRule(Rule):
    """List the actors that ran in a utility process.

    Reads: annotation ``UtilityActorsName`` (comma separated).
    Fills in: ``utility_actors_name`` (list of str, at most `MAX_ITEMS`).
    Notes: when there are more.
    """

    def predicate(self, ctx: Context) -> bool:
        return isinstance(ctx.raw_crash.get("UtilityActorsName"), str)

    def action(self, ctx: Context) -> None:
        names = (name.strip() for name in _items(ctx, "UtilityActorsName"))
        ctx.processed_crash["utility_actors_name"] = [name for name in names if name]


class AddonsRule(Rule):
    """List the add-ons that were active.

    Reads: annotations ``Add-ons`` (comma separated, URL-encoded ``id:version``) and ``EMCheckCompatibility``.
    Fills in: ``addons`` (list of ``id:version``, at most `MAX_ITEMS`), ``addons_checked`` (bool, null when not sent).
    Notes: when there are more.
    """

    def action(self, ctx: Context) -> None:
        checked = ctx.raw_crash.get("EMCheckCompatibility")
        ctx.processed_crash["addons_checked"] = None if checked is None else str(checked).lower() == "true"
        ctx.processed_crash["addons"] = [_decode_addon(item) for item in _items(ctx, "Add-ons")]


class ThemePrettyNameRule(Rule):
    """Say which add-on is the default theme: its id tells people nothing.

    Reads and fills in: ``addons``.
    """

    _DEFAULT_THEME = re.compile(r"\{972ce4c6-7e08-4474-a285-3208198ce6fd\}(?=:|$)")

    def action(self, ctx: Context) -> None:
        addons = ctx.processed_crash.get("addons") or []
        ctx.processed_crash["addons"] = [
            self._DEFAULT_THEME.sub(r"\g<0> (default theme)", addon, count=1) for addon in addons
        ]


def _items(ctx: Context, annotation: str) -> list[str]:
    """Give the first items of a comma separated annotation, none when it is missing, empty or no text."""
    sent = ctx.raw_crash.get(annotation)
    if not isinstance(sent, str) or not sent:
        return []
    items = sent.split(",", MAX_ITEMS)
    if len(items) > MAX_ITEMS:
        items.pop()  # all that was not split
        ctx.add_note(f"{annotation}: only the first {MAX_ITEMS:,} items were kept")
    return items


def _decode_addon(text: str) -> str:
    return unquote_plus(text if ":" in text else f"{text}:NO_VERSION")
