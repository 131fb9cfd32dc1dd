"""Signatures of Java and Kotlin exceptions, from a printed stack trace or from a structured exception.

Only the exception's class, its message and the topmost frame count; no list is consulted.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from signatures.crashdata import dig
from signatures.limits import MAXIMUM_LENGTH

_OBJECT_ADDRESS = re.compile(r"@[0-9a-f]{8}")
_JAVA_LINE = re.compile(r"\.java:\d+\)\Z")
_ANY_LINE = re.compile(r"(\.\w+):\d+\)\Z")


class JavaSignature(NamedTuple):
    """A signature, and the notes that were made on the way."""

    text: str
    notes: list[str]


def without_java_line(method: str) -> str:
    """Take the line number away from ``at a.B.c(D.java:1)``; other file endings keep theirs, as in the reference."""
    return _JAVA_LINE.sub(".java)", method)


def without_line(method: str) -> str:
    """Take the line number away from a frame of any language on the Java machine, Kotlin first of all."""
    return _ANY_LINE.sub(r"\1)", method)


def from_stack_trace(trace: object, strip_line: Callable[[str], str]) -> JavaSignature:
    """Make a signature from a printed stack trace: line 1 is ``class: description``, line 2 the topmost method."""
    lines = [line.strip() for line in trace.splitlines()] if isinstance(trace, str) else []
    if not lines:
        return JavaSignature(
            "EMPTY: Java stack trace not in expected format",
            ["JavaSignatureTool: stack trace not in expected format"],
        )
    notes = []
    exception_class, colon, description = (part.strip() for part in lines[0].partition(":"))
    if not colon:
        notes.append("JavaSignatureTool: stack trace line 1 is not in the expected format")
    description = _OBJECT_ADDRESS.sub("@<addr>", description)
    method = strip_line(lines[1]) if len(lines) > 1 else ""
    if not method:
        state = "empty" if len(lines) > 1 else "missing"
        notes.append(f"JavaSignatureTool: stack trace line 2 is {state}")
    before_method = ": " if description.endswith("<addr>") else " "
    signature = _join(": ", exception_class, _join(before_method, description, method))
    if len(signature) > MAXIMUM_LENGTH:
        signature = f"{exception_class}: {method}"
        notes.append("JavaSignatureTool: dropped Java exception description due to length")
    return JavaSignature(signature, notes)


def from_exception(exception: object) -> JavaSignature:
    """Make a signature from a structured exception: the newest value's class and its topmost frame.

    Message and line numbers are never used.
    """
    trace = dig(exception, "exception", "values", 0, "stacktrace")
    if not trace or not isinstance(trace, Mapping):
        return JavaSignature(
            "EMPTY: Java exception not in expected format",
            ["JavaExceptionSignatureTool: value not in expected format"],
        )
    name = trace.get("type", "Unknown") or ""
    module = trace.get("module")
    exception_class = f"{module}.{name}" if module and name else str(name)
    frames = trace.get("frames")
    return JavaSignature(f"{exception_class}: at {_frame_name(frames[0])}" if frames else exception_class, [])


def _frame_name(frame: Mapping[str, object]) -> str:
    name = ".".join(str(part) for key in ("module", "function") if (part := frame.get(key)))
    if not name:
        return "unknown"
    filename = frame.get("filename")
    return f"{name}({filename})" if filename else name


def _join(separator: str, *parts: str) -> str:
    return separator.join(part for part in parts if part)
