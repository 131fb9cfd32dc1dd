"""Copy annotations into the processed crash, each as the type that the schema says."""

from __future__ import annotations

from processing.rules.base import Context, Rule
from processing.schema import registry
from processing.schema.convert import BadValue, convert
from processing.schema.field import Field


class CopyFromRawCrashRule(Rule):
    """Copy every annotation that the schema gives a field of its own.

    Reads: the annotations named in the schema.
    Fills in: those fields, each as its own type; the default where the schema has one and the annotation is missing.
    Notes: the annotation whose value is not of that type. Its field is left out, all others are copied.
    """

    _FIELDS = tuple(row for row in registry.FIELDS if row.annotation)

    def action(self, ctx: Context) -> None:
        for row in self._FIELDS:
            if row.annotation in ctx.raw_crash:
                self._copy(ctx, row)
            elif row.default is not None:
                ctx.processed_crash[row.name] = row.default

    def _copy(self, ctx: Context, row: Field) -> None:
        try:
            ctx.processed_crash[row.name] = convert(ctx.raw_crash[row.annotation], row)
        except BadValue as exc:
            ctx.add_note(f"{row.annotation} {exc}")
