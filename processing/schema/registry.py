"""Look up the rows of the schema."""

from __future__ import annotations

from processing.schema.field import Field, SearchKind
from processing.schema.processed import NESTED, PROCESSED

#: Every field of the processed crash; what lies deeper and can be searched is in `search_fields` only.
FIELDS: tuple[Field, ...] = PROCESSED

_BY_NAME = {row.name: row for row in FIELDS}
_SEARCHABLE = tuple(
    sorted(
        (row for row in (*PROCESSED, *NESTED) if row.search is not SearchKind.NONE),
        key=lambda row: row.public_name,
    )
)
_BY_PUBLIC_NAME = {row.public_name: row for row in _SEARCHABLE}


def field(name: str) -> Field:
    """Give the row of a key of the processed crash. Raises: KeyError when the schema has none."""
    return _BY_NAME[name]


def search_field(public_name: str) -> Field:
    """Give the row behind a Super Search name. Raises: KeyError when no field can be searched by it."""
    return _BY_PUBLIC_NAME[public_name]


def search_fields() -> tuple[Field, ...]:
    """Give every field that can be searched, sorted by public name."""
    return _SEARCHABLE
