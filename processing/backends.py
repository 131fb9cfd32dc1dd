"""Turn a setting such as ``{"BACKEND": "dotted.path", "OPTIONS": {...}}`` into an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


def build(setting: Mapping[str, Any], name: str) -> Any:
    """Make the object that a setting names: its class called with its options as keywords.

    Args: ``name`` is the setting's own name, for messages.
    Raises: ImproperlyConfigured when the class cannot be imported or refuses the options.
    """
    try:
        backend = import_string(setting["BACKEND"])
        return backend(**setting.get("OPTIONS", {}))
    except (ImportError, KeyError, TypeError) as exc:
        raise ImproperlyConfigured(
            f"{name}: cannot make a backend of {setting.get('BACKEND')!r}: {exc}"
        ) from exc
