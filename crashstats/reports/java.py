"""Java exceptions, ready to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crashstats.display import mapping, plural, sequence, text, whole_number, yes_no

#: What one page shows at most.
MAX_EXCEPTIONS = 20
MAX_FRAMES = 200


@dataclass(frozen=True)
class JavaFrame:
    """One row of an exception's stack; ``source`` is ``file:line``."""

    module: str
    function: str
    source: str
    in_app: str


@dataclass(frozen=True)
class JavaException:
    """One exception of a chain; ``message`` is protected, "" when the viewer may not see it or there is none."""

    type: str
    message: str
    frames: tuple[JavaFrame, ...]
    left_out: str


def read_java_exceptions(java_exception: Any) -> tuple[JavaException, ...]:
    """Read the chain of exceptions, the one thrown last first, as the reporter sends it."""
    values = sequence(mapping(mapping(java_exception).get("exception")).get("values"))
    return tuple(_read_exception(mapping(value)) for value in values[:MAX_EXCEPTIONS])


def _read_exception(value: Mapping[str, Any]) -> JavaException:
    trace = mapping(value.get("stacktrace"))
    raw_frames = sequence(trace.get("frames"))
    kind = [text(trace.get(key), limit=300) for key in ("module", "type")]
    return JavaException(
        type=".".join(filter(None, kind)) or "(unnamed exception)",
        message=text(trace.get("value")),
        frames=tuple(_read_frame(mapping(frame)) for frame in raw_frames[:MAX_FRAMES]),
        left_out=f"{plural(len(raw_frames) - MAX_FRAMES, 'more frame')} not shown"
        if len(raw_frames) > MAX_FRAMES
        else "",
    )


def _read_frame(frame: Mapping[str, Any]) -> JavaFrame:
    line = whole_number(frame.get("lineno"))
    file = text(frame.get("filename"), limit=300)
    return JavaFrame(
        module=text(frame.get("module"), limit=300),
        function=text(frame.get("function"), limit=300),
        source=f"{file}:{line}" if file and line is not None else file,
        in_app=yes_no(frame.get("in_app")),
    )
