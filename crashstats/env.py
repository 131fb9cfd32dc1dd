"""Typed settings from the environment: every one documented, every bad one named.

``settings.py`` reads each value once through `Environment.read`. What was read is remembered, so that
``manage.py settings`` and the tests can list every setting with its default and its one-sentence explanation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class BadSetting(Exception):
    """A value from the environment that cannot be used; the text names it and says what it should be."""


@dataclass(frozen=True)
class Setting:
    """One setting as documented: its environment variable, default as text, and explanation."""

    name: str
    default: str
    doc: str
    secret: bool


class Environment:
    """Read settings from a mapping such as ``os.environ``."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.settings: dict[str, Setting] = {}

    def read(
        self, name: str, convert: Callable[[str], T], *, default: str, doc: str, secret: bool = False
    ) -> T:
        """Give the converted value of the variable ``name``, or of ``default`` when it is unset or empty.

        Args: ``convert`` turns text into a value and raises ValueError with a phrase such as ``not a whole number``;
        ``doc`` is one sentence, shown when the value is wrong; ``secret`` values are never repeated in messages.
        Raises: BadSetting when the text cannot be converted.
        """
        self.settings[name] = Setting(name, default, doc, secret)
        text = self._values.get(name, "").strip() or default
        try:
            return convert(text)
        except ValueError as exc:
            shown = "(hidden)" if secret else repr(text)
            raise BadSetting(f"{name}={shown}: {exc}. It is {doc}") from exc


def text(value: str) -> str:
    return value


def whole_number(value: str) -> int:
    """Zero or a positive whole number in decimal digits."""
    if not value.isascii() or not value.isdigit():
        raise ValueError("not a whole number")
    return int(value)


def positive_number(value: str) -> int:
    """A whole number above zero."""
    number = whole_number(value)
    if number == 0:
        raise ValueError("not above zero")
    return number


def boolean(value: str) -> bool:
    """``1 true yes on`` or ``0 false no off``, in any case."""
    match value.lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise ValueError("neither 1/true/yes/on nor 0/false/no/off")


def port(value: str) -> int:
    number = whole_number(value)
    if not 1 <= number <= 65535:
        raise ValueError("not a port between 1 and 65535")
    return number


def folder(value: str) -> Path:
    """A folder's path, made absolute; it need not exist."""
    return Path(value).expanduser().resolve()


def words(value: str) -> list[str]:
    """A list separated by commas; blanks around items and empty items are dropped."""
    return [item for part in value.split(",") if (item := part.strip())]


def choice(*allowed: str) -> Callable[[str], str]:
    """A converter that accepts exactly the given words."""

    def convert(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"not one of {', '.join(allowed)}")
        return value

    return convert
