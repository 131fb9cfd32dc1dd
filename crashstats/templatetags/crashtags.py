"""Filters for templates."""

from __future__ import annotations

import re

from django import template

register = template.Library()

#: A stretch of a long name with the joint at its end: after these a name may go on in the next line. Short stretches
#: are not worth a break of their own.
_STRETCH = re.compile(r".{6,}?(?:::|[/.(,|])(?=\w)|.+\Z", re.DOTALL)


@register.filter
def pieces(value: str) -> list[str]:
    """Cut a long name where a line may break: after ``::``, slashes, dots and opening brackets."""
    return _STRETCH.findall(value)
