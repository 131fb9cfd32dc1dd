"""The annotations of a crash, as the reporter sent them, ready to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crashstats.display import plural, text
from processing.schema.annotations import ANNOTATIONS
from processing.schema.field import Permission

#: What one page shows at most.
MAX_ANNOTATIONS = 600

#: Keys of the raw crash that the collector adds: the report shows them elsewhere.
_COLLECTORS_KEYS = {"metadata", "uuid", "submitted_timestamp", "version"}


@dataclass(frozen=True)
class Annotation:
    """One row of the table."""

    key: str
    value: str
    doc: str


@dataclass(frozen=True)
class Annotations:
    """Public and protected annotations by name, without regard to case; ``left_out`` says what is not shown."""

    public: tuple[Annotation, ...]
    protected: tuple[Annotation, ...]
    left_out: str

    @property
    def count(self) -> int:
        return len(self.public) + len(self.protected)


def read_annotations(raw_crash: Mapping[str, Any]) -> Annotations:
    """Read the annotations of a raw crash that is already redacted for its viewer."""
    keys = sorted((key for key in raw_crash if key not in _COLLECTORS_KEYS), key=str.casefold)
    shown = keys[:MAX_ANNOTATIONS]
    more = len(keys) - len(shown)
    return Annotations(
        public=tuple(_read(key, raw_crash[key]) for key in shown if _is_public(key)),
        protected=tuple(_read(key, raw_crash[key]) for key in shown if not _is_public(key)),
        left_out=f"{plural(more, 'more annotation')} not shown" if more else "",
    )


def _is_public(key: str) -> bool:
    row = ANNOTATIONS.get(key)
    return row is not None and row.permission is Permission.PUBLIC


def _read(key: str, value: Any) -> Annotation:
    row = ANNOTATIONS.get(key)
    return Annotation(
        key=text(key, limit=200) or "(empty name)",
        value=text(value),
        doc=row.doc if row else "An annotation that is not in the schema.",
    )
