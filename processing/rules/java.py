"""Rules about exceptions of Java and Kotlin programs."""

from __future__ import annotations

import re

from processing.rules.base import Context, Rule


class MalformedTrace(ValueError):
    """A text that is not a Java stack trace."""


class JavaStackTraceRule(Rule):
    """Keep a Java stack trace whole for few, and without anything a user may have typed for all.

    Reads: annotation ``JavaStackTrace``.
    Fills in: ``java_stack_trace_raw`` (str, as sent, protected) and ``java_stack_trace`` (str: the class and the
    frames; no message, no causes, no suppressed exceptions; ``malformed`` when it cannot be read).
    Notes: when it cannot be read.
    """

    def predicate(self, ctx: Context) -> bool:
        trace = ctx.raw_crash.get("JavaStackTrace")
        return isinstance(trace, str) and bool(trace)

    def action(self, ctx: Context) -> None:
        trace = ctx.raw_crash["JavaStackTrace"]
        ctx.processed_crash["java_stack_trace_raw"] = trace
        try:
            ctx.processed_crash["java_stack_trace"] = public_trace(trace)
        except MalformedTrace:
            ctx.processed_crash["java_stack_trace"] = "malformed"
            ctx.add_note("JavaStackTrace: malformed JavaStackTrace")


#: A class, usually with its package. Without this check a message alone would be published as if it were a class.
_CLASS = re.compile(r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*")
#: Class files hold names of 65,535 bytes. The expression takes a hundred times as much memory as a name of many parts.
_MAX_CLASS_CHARACTERS = 65_535
_FIRST_FRAME = "\tat "
_OTHER_EXCEPTIONS = ("Suppressed:", "Caused by:")


def public_trace(trace: str) -> str:
    """Give the class and the frames of a Java stack trace, and nothing else of it.

    Raises: MalformedTrace when it does not start with a class name, or a line among the frames is no frame.
    """
    lines = trace.lstrip().replace("\r\n", "\n").split("\n")
    class_name = lines[0].split(":", 1)[0].strip()
    if len(class_name) > _MAX_CLASS_CHARACTERS:
        raise MalformedTrace("starts with what is too long for a class name")
    frames = _frames(lines[1:])
    if not _CLASS.fullmatch(class_name) or ("." not in class_name and not frames):
        raise MalformedTrace("does not start with a class name")
    return "\n".join([class_name, *frames])


def _frames(lines: list[str]) -> list[str]:
    """Give the frames after the message, each with its tab, up to the first cause or suppressed exception."""
    starts = (index for index, line in enumerate(lines) if line.startswith(_FIRST_FRAME))
    frames: list[str] = []
    for line in lines[next(starts, len(lines)) :]:
        if line.strip().startswith(_OTHER_EXCEPTIONS):
            break
        if not line.strip():
            continue
        if not line.startswith("\t"):
            raise MalformedTrace("a line among the frames is no frame")
        frames.append(line)
    return frames
