"""The shape of one row of the schema."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """What a viewer needs to see a field's value."""

    PUBLIC = "public"
    PROTECTED = "protected"


class FieldType(StrEnum):
    """The type of a value in the processed crash."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    OBJECT = "object"


class SearchKind(StrEnum):
    """How a field can be searched. ``NONE``: it cannot."""

    NONE = "none"
    KEYWORD = "keyword"  # one token, case-sensitive
    TEXT = "text"  # analysed words, plus the whole value for exact, prefix, suffix, contains, regex
    LIST = "list"  # ``;`` separated pieces, lower-cased
    FRAMES = "frames"  # `` | `` separated frames with positions
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"


@dataclass(frozen=True)
class Field:
    """One field of the processed crash.

    ``name`` key in the processed crash · ``annotation`` raw crash key it is copied from, "" when a rule makes it ·
    ``rule`` name of the rule that makes it, "" when copied · ``type`` of the value, of one item when ``many`` ·
    ``permission`` protected unless said public · ``search`` how it is indexed · ``search_name`` public name in Super
    Search, "" when it equals ``name`` · ``source`` dotted path below the processed crash where the search value is
    found, "" when it equals ``name`` · ``doc`` one sentence for people.
    """

    name: str
    doc: str
    type: FieldType = FieldType.STRING
    annotation: str = ""
    rule: str = ""
    permission: Permission = Permission.PROTECTED
    search: SearchKind = SearchKind.NONE
    search_name: str = ""
    source: str = ""
    many: bool = False

    @property
    def public_name(self) -> str:
        """The name that people and scripts use in Super Search."""
        return self.search_name or self.name
