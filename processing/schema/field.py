"""The shape of one row of the schema."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from typing import TypeAlias


class Permission(StrEnum):
    """What a viewer needs to see a field's value."""

    PUBLIC = "public"
    PROTECTED = "protected"


class FieldType(StrEnum):
    """The type of a value in the processed crash. ``DATETIME`` is ISO 8601 text with an offset."""

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
    INTEGER = "integer"  # 64 bits, signed
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"


#: What a nested value looks like, and who may see which part of it: a Permission for a plain value (text, number,
#: boolean or null), a dict for an object (key to shape, ``ANY_KEY`` for all keys not named), a list of one shape for
#: a list whose items have that shape.
Shape: TypeAlias = "Permission | dict[str, Shape] | list[Shape]"

ANY_KEY = "*"


@dataclass(frozen=True)
class Field:
    """One field of the processed crash, or one search field that lies deeper in it.

    ``name`` key in the processed crash · ``doc`` one sentence for people · ``type`` of the value, of one item when
    ``many`` · ``annotation`` raw crash key it is copied from, "" when a rule makes it · ``rule`` class name of the rule
    that makes it, "pipeline" for what the pipeline writes itself, "" when copied · ``permission`` protected unless said
    public · ``search`` how it is indexed · ``search_name`` public name in Super Search, "" when it equals ``name`` ·
    ``source`` dotted path below the processed crash where the search value is found, "" when it equals ``name`` ·
    ``many`` the value is a list · ``enum`` Super Search offers its values whole, in a list to pick from · ``choices``
    the values offered when they are known beforehand · ``default`` written when the annotation is missing, None writes
    nothing · ``shape`` permissions inside an OBJECT; an object without one is shown whole or not at all, and only to
    those who see protected data.
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
    enum: bool = False
    choices: tuple[str, ...] = ()
    default: bool | None = None
    shape: Shape | None = dataclass_field(default=None, compare=False, repr=False)

    @property
    def public_name(self) -> str:
        """The name that people and scripts use in Super Search."""
        return self.search_name or self.name

    @property
    def path(self) -> tuple[str, ...]:
        """Keys to walk from the processed crash to the value that is searched."""
        return tuple((self.source or self.name).split("."))

    @property
    def is_public(self) -> bool:
        return self.permission is Permission.PUBLIC
