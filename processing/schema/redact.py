"""The only door through which a crash leaves: what the viewer may not see is left out.

A viewer's permissions are a set of the values of `processing.schema.field.Permission`. What the schema does not name
counts as protected: it is hidden from the public. A value of another form than the schema says is left out by itself;
the rest of the crash stays visible.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from processing.schema import registry
from processing.schema.annotations import ANNOTATIONS
from processing.schema.field import ANY_KEY, Field, FieldType, Permission, Shape

#: Stands for a value that must not be shown; None is a value like others.
_HIDDEN = object()


def redact_processed(processed_crash: Mapping[str, Any], allowed: Collection[str]) -> dict[str, Any]:
    """Give the parts of a processed crash that a viewer with the ``allowed`` permissions may see.

    Those who see protected data get the document whole. The result shares its inner values with the crash it was made
    from: do not change them.
    """
    if Permission.PROTECTED in allowed:
        return dict(processed_crash)
    if Permission.PUBLIC not in allowed:
        return {}
    return _visible_items(processed_crash, _PUBLIC_SHAPES)


def redact_raw(raw_crash: Mapping[str, Any], allowed: Collection[str]) -> dict[str, Any]:
    """Give the keys of a raw crash that a viewer with the ``allowed`` permissions may see."""
    if Permission.PROTECTED in allowed:
        return dict(raw_crash)
    if Permission.PUBLIC not in allowed:
        return {}
    return {key: value for key, value in raw_crash.items() if _is_public_annotation(key)}


def _is_public_annotation(key: str) -> bool:
    row = ANNOTATIONS.get(key)
    return row is not None and row.permission is Permission.PUBLIC


def _shape_of(row: Field) -> Shape:
    if not row.is_public or (row.type is FieldType.OBJECT and row.shape is None):
        return Permission.PROTECTED
    one: Shape = Permission.PUBLIC if row.shape is None else row.shape
    return [one] if row.many else one


_PUBLIC_SHAPES: dict[str, Shape] = {row.name: _shape_of(row) for row in registry.FIELDS}


def _visible(value: Any, shape: Shape) -> Any:
    """Give the public part of a value, or ``_HIDDEN`` when there is none. The schema, not the crash, sets the depth."""
    if value is None:
        return _HIDDEN if shape is Permission.PROTECTED else None
    if isinstance(shape, dict):
        return _visible_items(value, shape) if isinstance(value, Mapping) else _HIDDEN
    if isinstance(shape, list):
        return _visible_list(value, shape[0]) if isinstance(value, list) else _HIDDEN
    if shape is Permission.PUBLIC and isinstance(value, (str, int, float)):
        return value
    return _HIDDEN


def _visible_items(value: Mapping[str, Any], shape: Mapping[str, Shape]) -> dict[str, Any]:
    others = shape.get(ANY_KEY, Permission.PROTECTED)
    visible = {key: _visible(item, shape.get(key, others)) for key, item in value.items()}
    return {key: item for key, item in visible.items() if item is not _HIDDEN}


def _visible_list(value: list[Any], shape: Shape) -> list[Any]:
    visible = (_visible(item, shape) for item in value)
    return [item for item in visible if item is not _HIDDEN]
