"""How a processed crash is laid out in a tantivy index, by what the schema says of each field.

Every search field has one column under its public name: its whole values, to compare, sort and count. Beside it

- ``<name>.words`` of TEXT and FRAMES: the lower-cased words, for bare matches;
- ``<name>.frames`` of FRAMES: one term for each frame with its position, see `frame_terms`.

``_id`` is the crash id and ``_shown`` a JSON object of all values, from which results are shown.
Dates are whole microseconds since 1970, because tantivy's own dates are cut to seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import tantivy

from processing.errors import SearchError
from processing.schema import registry
from processing.schema.field import Field, SearchKind
from processing.search import documents
from processing.search.aggregations import to_microseconds

#: Goes up when the same fields are laid out in another way.
VERSION = 1
ID = "_id"
SHOWN = "_shown"
WORDS = ".words"
FRAMES = ".frames"
#: Stand before the first and after the last frame; a crash's own text loses them.
START, END = "\x02", "\x03"

WORDS_ANALYZER = (
    tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(r"\w+")).filter(tantivy.Filter.lowercase()).build()
)
_HAVE_WORDS = frozenset({SearchKind.TEXT, SearchKind.FRAMES})


@dataclass(frozen=True)
class Layout:
    """The fields of one index: public name to kind, and to the path below the processed crash."""

    kinds: Mapping[str, SearchKind]
    paths: Mapping[str, str]

    @classmethod
    def current(cls) -> Layout:
        """The layout that the schema asks for now."""
        fields = registry.search_fields()
        return cls(
            {field.public_name: field.search for field in fields},
            {field.public_name: ".".join(field.path) for field in fields},
        )

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """Read what `to_json` wrote. Raises: ValueError, KeyError."""
        description = json.loads(text)
        if not isinstance(description, dict) or description.get("version") != VERSION:
            raise ValueError(f"not a description of version {VERSION}")
        kinds = {name: SearchKind(kind) for name, kind in description["kinds"].items()}
        return cls(kinds, description["paths"])

    def to_json(self) -> str:
        return json.dumps({"version": VERSION, "kinds": self.kinds, "paths": self.paths}, indent=1)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The schema's fields that this index holds as they are described now."""
        return tuple(
            field for field in registry.search_fields() if self.kinds.get(field.public_name) is field.search
        )

    def require(self, field: Field) -> None:
        """Raises: SearchError when the index does not hold the field as it is described now."""
        if self.kinds.get(field.public_name) is not field.search:
            raise SearchError(
                f"the search index was made before the field {field.public_name!r} was described as it is now; "
                f"make it again with: manage.py searchindex --rebuild"
            )

    @cached_property
    def schema(self) -> tantivy.Schema:
        """The tantivy schema of the index."""
        builder = tantivy.SchemaBuilder()
        builder.add_text_field(ID, tokenizer_name="raw", index_option="basic")
        builder.add_bytes_field(SHOWN, stored=True)
        for name, kind in sorted(self.kinds.items()):
            _add_column(builder, name, kind)
            if kind in _HAVE_WORDS:
                builder.add_text_field(name + WORDS, tokenizer_name="words", index_option="basic")
            if kind is SearchKind.FRAMES:
                builder.add_text_field(name + FRAMES, tokenizer_name="raw", index_option="position")
        return builder.build()

    def document(self, crash_id: str, processed_crash: Mapping[str, Any]) -> tantivy.Document:
        """Lay out one processed crash."""
        values = documents.build(processed_crash, self.fields)
        document = tantivy.Document()
        document.add_text(ID, crash_id)
        shown = {name: documents.shown(value) for name, value in values.items()}
        document.add_bytes(SHOWN, json.dumps(shown, separators=(",", ":")).encode())
        for name, value in values.items():
            for item in value if isinstance(value, list) else [value]:
                _ADD[self.kinds[name]](document, name, item)
        return document


def frame_terms(text: str) -> list[str]:
    """Cut a ``|`` separated text into terms that, joined, give it back between its two marks.

    Each term is a frame together with the separator after it, so that text which lies across frames is a sequence of
    terms: the end of one, some whole ones, the beginning of another.
    """
    plain = text.replace(START, "").replace(END, "")
    *leading, last = plain.split(documents.FRAME_SEPARATOR)
    terms = [frame + documents.FRAME_SEPARATOR for frame in leading]
    terms.append(last + END)
    terms[0] = START + terms[0]
    return terms


def _add_column(builder: tantivy.SchemaBuilder, name: str, kind: SearchKind) -> None:
    match kind:
        case SearchKind.INTEGER | SearchKind.DATETIME:
            builder.add_integer_field(name, indexed=True, fast=True)
        case SearchKind.NUMBER:
            builder.add_float_field(name, indexed=True, fast=True)
        case SearchKind.BOOLEAN:
            builder.add_boolean_field(name, indexed=True, fast=True)
        case _:
            builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")


def _add_keyword(document: tantivy.Document, name: str, value: str) -> None:
    document.add_text(name, value)


def _add_text(document: tantivy.Document, name: str, value: str) -> None:
    document.add_text(name, value)
    document.add_text(name + WORDS, value)


def _add_list(document: tantivy.Document, name: str, value: str) -> None:
    for piece in documents.list_pieces(value):
        document.add_text(name, piece)


def _add_frames(document: tantivy.Document, name: str, value: str) -> None:
    _add_text(document, name, value)
    terms = [tantivy.Token(term, position, 0) for position, term in enumerate(frame_terms(value))]
    document.add_pre_tokenized_text(name + FRAMES, tantivy.PreTokenizedString("", terms))


def _add_integer(document: tantivy.Document, name: str, value: int) -> None:
    document.add_integer(name, value)


def _add_number(document: tantivy.Document, name: str, value: float) -> None:
    document.add_float(name, value)


def _add_boolean(document: tantivy.Document, name: str, value: bool) -> None:
    document.add_boolean(name, value)


def _add_datetime(document: tantivy.Document, name: str, value: datetime) -> None:
    document.add_integer(name, to_microseconds(value))


_ADD: dict[SearchKind, Callable[[tantivy.Document, str, Any], None]] = {
    SearchKind.KEYWORD: _add_keyword,
    SearchKind.TEXT: _add_text,
    SearchKind.LIST: _add_list,
    SearchKind.FRAMES: _add_frames,
    SearchKind.INTEGER: _add_integer,
    SearchKind.NUMBER: _add_number,
    SearchKind.BOOLEAN: _add_boolean,
    SearchKind.DATETIME: _add_datetime,
}
