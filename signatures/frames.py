"""Normalise one stack frame: from what the stackwalker saw to a one-line text that can be compared.

``ReferenceFrames`` does it as the field's reference does, ``DefaultFrames`` the way it should be; see ``profiles`` for
what differs. Both take frames as they come from a crash.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from signatures import languages, reference
from signatures.languages import Language

WINDOWS = "Windows NT"

REFERENCE_CPP = Language("C++", reference.clean_cpp, reference.fix_spacing)
REFERENCE_RUST = Language("Rust", reference.clean_rust, reference.finish_rust)

Frame = Mapping[str, Any]

_TEXT_KEYS = ("function", "file", "module", "offset")


class FrameText(NamedTuple):
    """What one frame became: ``raw`` is the name it was made from, ``rule`` says how, ``text`` is the frame text.

    ``shows_line`` says that the frame's line is part of the text, so another frame of the same function may differ.
    """

    raw: str
    rule: str
    text: str
    shows_line: bool = False


NOTHING = FrameText("", "nothing known", "")


def normalize_frame(frame: Frame, os_name: str | None = None) -> str:
    """Normalise one frame for display, for example in a stack table; inlined functions are frames of their own.

    Args: ``os_name`` is the crash data's ``os``; on Windows module names become lower case.
    Never raises: parts of the frame that have the wrong type are ignored.
    """
    return _FOR_DISPLAY.describe(frame, windows=os_name == WINDOWS).text


class ReferenceFrames:
    """Frame texts exactly as the reference makes them; a frame with values of a wrong type raises."""

    def __init__(self, shows_line: Callable[[str], bool]) -> None:
        """Args: ``shows_line`` says whether the text of a function is on the list of those with line numbers."""
        self._shows_line = shows_line

    def expand(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield each frame, before it the functions inlined into it, innermost first."""
        for frame in frames:
            if inlines := frame.get("inlines"):
                for inline in inlines:
                    yield _inlined(inline, frame)
            yield frame

    def describe(self, frame: Frame, windows: bool = False) -> FrameText:
        """Make the frame text from the first of: function, source line, module, unloaded module, address."""
        if function := frame.get("function"):
            return self.describe_function(function, frame.get("file"), frame.get("line"))
        if (file := frame.get("file")) and (line := frame.get("line")):
            return FrameText(file, "file and line", f"{self.source_name(file)}#{line}")
        if module := frame.get("module"):
            name = module.lower() if windows else module
            return FrameText(module, "module", name.strip("[]"))
        if unloaded := frame.get("unloaded_modules"):
            name = unloaded[0].get("module")
            return FrameText(str(name), "unloaded module", f"(unloaded {name})")
        if offset := frame.get("offset"):
            return FrameText(str(offset), "address", f"@{_shortest_address(offset)}")
        return NOTHING

    def describe_function(self, function: str, file: str | None, line: object) -> FrameText:
        """Make the frame text of a frame that has a function."""
        language, repaired = self.language_of(function, file)
        text = language.clean(repaired)
        shows_line = self._shows_line(text)
        if shows_line:
            text = f"{text}:{line}"
        return FrameText(function, language.name, language.finish(text), shows_line)

    def language_of(self, function: str, file: str | None) -> tuple[Language, str]:
        """Choose the rules for a function; give the function, repaired where its symbol file lost a part."""
        path = reference.source_path(file) if file else None
        if not path or not path.endswith(".rs"):
            return REFERENCE_CPP, function
        return REFERENCE_RUST, reference.repair_panic(path, function)

    def source_name(self, file: str) -> str:
        """Take the name of a source file out of its path, whose version-control revision stays."""
        trimmed = file.rstrip("/\\")
        return trimmed.rpartition("\\" if "\\" in trimmed else "/")[2]


class DefaultFrames(ReferenceFrames):
    """Frame texts as they should be: right for each language, and never an error, whatever a frame holds."""

    def expand(self, frames: object) -> Iterator[Frame]:
        """Yield frames as ``ReferenceFrames`` does; what is no frame counts as one about which nothing is known."""
        for frame in frames if isinstance(frames, list) else ():
            if not isinstance(frame, dict):
                yield {}
                continue
            if isinstance(inlines := frame.get("inlines"), list):
                for inline in inlines:
                    yield _inlined(inline if isinstance(inline, dict) else {}, frame)
            yield frame

    def describe(self, frame: object, windows: bool = False) -> FrameText:
        """Make the frame text as ``ReferenceFrames`` does, but from those values only that have the right type."""
        return super().describe(_well_typed(frame), windows)

    def language_of(self, function: str, file: str | None) -> tuple[Language, str]:
        """Choose the rules from the path and the function, also when the path is relative or unknown."""
        path = _any_source_path(file) if file else ""
        return languages.choose(function, path), reference.repair_panic(path, function)

    def source_name(self, file: str) -> str:
        """Take the name of a source file out of its path, without a version-control revision."""
        return super().source_name(_any_source_path(file))


def _inlined(inline: Frame, frame: Frame) -> Frame:
    """Make a frame of an inlined function: it lies in its frame's module, but knows no unloaded modules."""
    return {
        "function": inline.get("function"),
        "file": inline.get("file"),
        "line": inline.get("line"),
        "module": frame.get("module"),
        "offset": frame.get("offset"),
    }


def _any_source_path(file: str) -> str:
    return reference.source_path(file) or file


def _well_typed(frame: object) -> dict[str, Any]:
    """Copy what a frame text can be made from, leaving out each value of a wrong type."""
    if not isinstance(frame, Mapping):
        return {}
    typed: dict[str, Any] = {key: value for key in _TEXT_KEYS if isinstance(value := frame.get(key), str)}
    if isinstance(line := frame.get("line"), int | str):
        typed["line"] = line
    match frame.get("unloaded_modules"):
        case [{"module": str(name)}, *_]:
            typed["unloaded_modules"] = [{"module": name}]
    return typed


def _shortest_address(offset: str) -> str:
    """Write a hexadecimal address without leading zeros; keep text that is none."""
    try:
        return hex(int(offset, 16))
    except (TypeError, ValueError):
        return offset


_FOR_DISPLAY = DefaultFrames(shows_line=lambda _text: False)
