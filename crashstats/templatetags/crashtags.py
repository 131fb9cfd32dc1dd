"""Filters for templates."""

from __future__ import annotations

import re

from django import template

register = template.Library()

#: After these a long name may go on in the next line.
_JOINT = re.compile(r"(?<=::)|(?<=[/.(<,|])(?=\w)")


@register.filter
def pieces(value: str) -> list[str]:
    """Cut a long name where a line may break: after ``::``, slashes, dots and opening brackets."""
    return _JOINT.split(value)
