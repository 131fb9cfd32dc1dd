"""The signature rules, one class each: when it applies, and what it makes of the signature so far.

The classes without ``Default`` in their name do exactly what the field's reference does. Where that is wrong, a
``Default…`` class next to it is right; the two profiles choose among them.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from signatures import java
from signatures.crashdata import CrashData, crashing_thread, dig
from signatures.explain import Event, Walked
from signatures.frames import WINDOWS
from signatures.limits import MAXIMUM_LENGTH
from signatures.walk import SEPARATOR, StackWalk, Walk

SMALL_ALLOCATION_BYTES = 256 * 1024
BROWSER_MINIDUMP = "upload_file_minidump_browser"

_ELLIPSIS = "..."
_GENERALIZED_CHARACTERS = 1000
_OOM_MARKS = (
    "NS_ABORT_OOM",
    "mozalloc_handle_oom",
    "CrashAtUnhandlableOOM",
    "AutoEnterOOMUnsafeRegion",
    "alloc::oom::oom",
)
_OOM_LAST_ERRORS = ("ERROR_COMMITMENT_LIMIT", "ERROR_NOT_ENOUGH_MEMORY")
_OOM_REASONS = ("STATUS_FATAL_MEMORY_EXHAUSTION", "STATUS_NO_MEMORY")
_UNPRINTABLE = re.compile(r"[^ -~]+")
_ADDRESS = re.compile(r"\b0[xX][0-9a-fA-F]+\b")
_IDENTIFIER = re.compile(r"\b(?=[a-fA-F-]*[0-9])[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*\b")
_NUMBER = re.compile(r"\b[0-9]+\b")


@dataclass(slots=True)
class Draft:
    """A signature in the making; rules change it in turn."""

    signature: str = ""
    notes: list[str] = field(default_factory=list)
    normalized_frames: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class Rule(ABC):
    """One step on the way to a signature.

    ``condition`` completes the sentence "applies when …". A rule that fails leaves the signature as it was.
    """

    name: ClassVar[str]
    condition: ClassVar[str]

    @abstractmethod
    def why(self, crash: CrashData, draft: Draft) -> str:
        """Say why the rule applies to this crash; '' when it does not. Must not tell protected values."""

    @abstractmethod
    def apply(self, crash: CrashData, draft: Draft) -> None:
        """Change the draft."""

    def note(self, draft: Draft, text: str) -> None:
        """Add a note in this rule's name."""
        draft.notes.append(f"{self.name}: {text}")


class SignatureGenerationRule(Rule):
    """Build the signature from the stack: a Java stack trace, a Java exception, or the crashing thread's frames."""

    name = "SignatureGenerationRule"
    condition = "always"

    _strip_line: Callable[[str], str] = staticmethod(java.without_java_line)

    def __init__(self, stack_walk: StackWalk) -> None:
        self._stack_walk = stack_walk

    def why(self, crash: CrashData, draft: Draft) -> str:
        return "always"

    def apply(self, crash: CrashData, draft: Draft) -> None:
        if trace := crash.get("java_stack_trace"):
            self._use_java(draft, "JavaSignatureTool", java.from_stack_trace(trace, self._strip_line))
        elif exception := crash.get("java_exception"):
            self._use_java(draft, "JavaExceptionSignatureTool", java.from_exception(exception))
        else:
            self.use_thread(crash, draft, self.thread_index(crash))

    def thread_index(self, crash: CrashData) -> int | None:
        """Choose the thread: an index that is missing or unusable counts as the main thread."""
        return crashing_thread(crash) or 0

    def use_thread(self, crash: CrashData, draft: Draft, index: int | None) -> None:
        """Build the signature from the frames of one thread."""
        if index is None:
            draft.signature = "EMPTY: no crashing thread identified"
            self.note(draft, "CSignatureTool: no crashing thread identified")
            return
        frames = self.frames_of(crash.get("threads"), index)
        walk = self._stack_walk.over(frames, windows=crash.get("os") == WINDOWS)
        draft.events.append(Walked(self.name, "CSignatureTool", self._stack_walk, walk))
        if walk.frames:
            draft.normalized_frames = walk.texts
        if walk.kept:
            draft.signature = SEPARATOR.join(walk.kept)
        else:
            draft.signature = self.fallback(walk) or draft.signature
            self.note(draft, f"CSignatureTool: no frame data for crashing thread ({index})")

    def frames_of(self, threads: object, index: int) -> Any:
        """Look up the frames of a thread: a thread that does not exist has none, one that is no object raises."""
        try:
            thread = threads[index] if isinstance(threads, list) else {}
        except IndexError:
            return ()
        return thread.get("frames", ())

    def fallback(self, walk: Walk) -> str:
        """Choose a signature when the walk kept no frame; '' leaves the signature as it was."""
        return walk.texts_from_sentinel[0] if walk.frames else "EMPTY: no frame data available"

    def _use_java(self, draft: Draft, tool: str, signature: java.JavaSignature) -> None:
        draft.events.append(Walked(self.name, tool, self._stack_walk, None))
        draft.signature = signature.text
        for note in signature.notes:
            self.note(draft, note)


class DefaultSignatureGenerationRule(SignatureGenerationRule):
    """Build the signature from the stack without guesses: no thread is blamed that nobody named."""

    _strip_line = staticmethod(java.without_line)

    def thread_index(self, crash: CrashData) -> int | None:
        """Choose the thread that was named; without a name the only thread there is, if any."""
        index = crashing_thread(crash)
        if index is None:
            threads = crash.get("threads")
            return None if isinstance(threads, list) and len(threads) > 1 else 0
        return index

    def use_thread(self, crash: CrashData, draft: Draft, index: int | None) -> None:
        """Build the signature from the frames of one thread; an index below 0 names none."""
        if index is not None and index < 0:
            index = None
        super().use_thread(crash, draft, index)

    def frames_of(self, threads: object, index: int) -> Any:
        """Look up the frames of a thread; there are none when the thread does not exist or is no object."""
        return dig(threads, index, "frames")

    def fallback(self, walk: Walk) -> str:
        """Choose the first frame text that is no bare address, because an address is different in each crash."""
        texts = [text for text in walk.texts_from_sentinel if text]
        for text in texts:
            if not text.startswith("@"):
                return text
        return "EMPTY: only addresses in crashing thread" if texts else "EMPTY: no frame data available"


class StackwalkerErrorSignatureRule(Rule):
    """Tell apart stacks that are empty for different reasons."""

    name = "StackwalkerErrorSignatureRule"
    condition = "the signature begins with EMPTY and there is a stackwalker status"

    def why(self, crash: CrashData, draft: Draft) -> str:
        if draft.signature.startswith("EMPTY") and crash.get("mdsw_status_string"):
            return "the signature begins with EMPTY and there is a stackwalker status"
        return ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        draft.signature = f"{draft.signature}; {crash['mdsw_status_string']}"


class BadHardware(Rule):
    """Mark crashes whose disk or memory could not be read."""

    name = "BadHardware"
    condition = "the crash reason contains STATUS_DEVICE_DATA_ERROR"

    def why(self, crash: CrashData, draft: Draft) -> str:
        reason = crash.get("reason")
        return self.condition if reason and "STATUS_DEVICE_DATA_ERROR" in reason else ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        draft.signature = f"bad hardware | {draft.signature}"


class OOMSignature(Rule):
    """Mark crashes for want of memory; small allocations fail anywhere, so their stack is dropped."""

    name = "OOMSignature"
    condition = "an allocation size, the stack, the last error or the crash reason tells of exhausted memory"

    def why(self, crash: CrashData, draft: Draft) -> str:
        if crash.get("oom_allocation_size"):
            return "there is an allocation size"
        if not draft.signature:
            return ""
        if any(mark in draft.signature for mark in _OOM_MARKS):
            return "the signature names an out-of-memory function"
        thread = dig(crash.get("threads"), crashing_thread(crash) or 0)
        if dig(thread, "last_error_value") in _OOM_LAST_ERRORS:
            return "the crashing thread's last error tells of exhausted memory"
        if crash.get("reason") in _OOM_REASONS:
            return "the crash reason tells of exhausted memory"
        if crash.get("js_large_allocation_failure") == "Reporting":
            return "a large JavaScript allocation failed"
        return ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        if crash.get("js_large_allocation_failure") == "Reporting":
            draft.signature = f"OOM | large | {draft.signature}"
            return
        size = self.allocation_bytes(crash)
        if size is None:
            draft.signature = f"OOM | unknown | {draft.signature}"
        elif size <= SMALL_ALLOCATION_BYTES:
            draft.signature = "OOM | small"
        else:
            draft.signature = f"OOM | large | {draft.signature}"

    def allocation_bytes(self, crash: CrashData) -> int | None:
        """Read the size of the failed allocation; a size that is no number fails, 0 is a size."""
        size = crash.get("oom_allocation_size")
        return None if size is None else int(size)


class DefaultOOMSignature(OOMSignature):
    """Mark crashes for want of memory; a size of 0 or one that is no number is an unknown size."""

    def allocation_bytes(self, crash: CrashData) -> int | None:
        try:
            return super().allocation_bytes(crash) or None
        except (TypeError, ValueError, OverflowError):
            return None


class AbortSignature(Rule):
    """Put the text of a fatal assertion in front of the stack."""

    name = "AbortSignature"
    condition = "there is an abort message"

    _LONGEST_MESSAGE = 80

    def why(self, crash: CrashData, draft: Draft) -> str:
        return self.condition if crash.get("abort_message") else ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        message = crash["abort_message"]
        if "###!!! ABORT: file " in message:
            draft.signature = f"Abort | {draft.signature}"
        else:
            draft.signature = f"Abort | {self.shorten(message)} | {draft.signature}"

    def shorten(self, message: str) -> str:
        """Take out of the message what identifies the assertion, in at most 80 printable characters."""
        _, marker, behind = message.partition("###!!! ABORT:")
        message = (behind if marker else message).partition(": file ")[0]
        if "unable to find a usable font" in message:
            message = _without_localized_part(message)
        message = self.generalize(_UNPRINTABLE.sub("", message).strip())
        return _cut(message, self._LONGEST_MESSAGE)

    def generalize(self, message: str) -> str:
        """Leave the message as it is."""
        return message


class DefaultAbortSignature(AbortSignature):
    """Put the text of a fatal assertion in front of the stack, without what differs from crash to crash."""

    def generalize(self, message: str) -> str:
        """Replace numbers and the like in the message."""
        return without_values(message)


class SignatureShutdownTimeout(Rule):
    """Name what a shutdown waited for: its phase and the conditions that were not met. Replaces the stack."""

    name = "SignatureShutdownTimeout"
    condition = "there is an asynchronous shutdown timeout"

    def why(self, crash: CrashData, draft: Draft) -> str:
        return self.condition if crash.get("async_shutdown_timeout") else ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        parts = ["AsyncShutdownTimeout"]
        try:
            self.add_parts(json.loads(crash["async_shutdown_timeout"]), parts)
        except (ValueError, KeyError) as exc:
            parts.append("UNKNOWN")
            self.note(draft, f"Error parsing AsyncShutdownTimeout: {self.describe(exc)}")
        self.note(draft, f'Signature replaced with a Shutdown Timeout signature, was: "{self.old(draft)}"')
        draft.signature = SEPARATOR.join(parts)

    def old(self, draft: Draft) -> str:
        """Give the replaced signature as the note quotes it."""
        return draft.signature

    def add_parts(self, timeout: Any, parts: list[str]) -> None:
        """Add phase and conditions to the parts of the signature.

        Raises: KeyError when a condition has no name; AttributeError when the timeout is no JSON object.
        """
        phase = timeout.get("phase")
        parts.append(phase if isinstance(phase, str) else "(unknown)")
        names = self.condition_names(timeout.get("conditions") or ())
        parts.append(",".join(names) if names else "(none)")

    def condition_names(self, conditions: Iterable[Any]) -> list[str]:
        """Sort the names of conditions; a condition is an object with a name, or the name itself."""
        return sorted(str(each["name"] if isinstance(each, dict) else each) for each in conditions)

    def describe(self, error: Exception) -> str:
        """Say in a note what was wrong."""
        return str(error)


class DefaultSignatureShutdownTimeout(SignatureShutdownTimeout):
    """Name what a shutdown waited for, without numbers, and also when the timeout is no JSON object."""

    def add_parts(self, timeout: Any, parts: list[str]) -> None:
        if not isinstance(timeout, dict) or not isinstance(timeout.get("conditions") or [], list):
            raise ValueError("expected an object with a list of conditions")
        super().add_parts(timeout, parts)

    def condition_names(self, conditions: Iterable[Any]) -> list[str]:
        """Sort the names of conditions once numbers and the like are replaced, each name once."""
        return sorted({without_values(name) for name in super().condition_names(conditions)})

    def old(self, draft: Draft) -> str:
        return _cut(draft.signature, MAXIMUM_LENGTH)

    def describe(self, error: Exception) -> str:
        return "a condition has no name" if isinstance(error, KeyError) else "not the JSON that was expected"


class SignatureRunWatchDog(Rule):
    """Blame the main thread when the shutdown watchdog ended the process because that thread hung."""

    name = "SignatureRunWatchDog"
    condition = "the signature contains RunWatchdog"

    def __init__(self, stack_rule: SignatureGenerationRule) -> None:
        self._stack_rule = stack_rule

    def why(self, crash: CrashData, draft: Draft) -> str:
        return self.condition if "RunWatchdog" in draft.signature else ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        self._stack_rule.apply({**crash, "crashing_thread": 0}, draft)
        draft.signature = f"shutdownhang | {draft.signature}"


class SignatureIPCChannelError(Rule):
    """Group by the error of a broken channel between processes. Replaces the stack."""

    name = "SignatureIPCChannelError"
    condition = "there is an IPC channel error"

    _LONGEST_ERROR = 100

    def why(self, crash: CrashData, draft: Draft) -> str:
        return self.condition if crash.get("ipc_channel_error") else ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        error = crash["ipc_channel_error"][: self._LONGEST_ERROR]
        process = "browser" if BROWSER_MINIDUMP in (crash.get("additional_minidumps") or ()) else "content"
        draft.signature = f"IPCError-{process} | {error}"
        self.note(draft, "IPC Channel Error stomped on signature")


class SignatureIPCMessageName(Rule):
    """Add the name of the message that was too large."""

    name = "SignatureIPCMessageName"
    condition = "there is an IPC message name"

    def why(self, crash: CrashData, draft: Draft) -> str:
        return self.condition if crash.get("ipc_message_name") else ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        draft.signature = f"{draft.signature} | IPC_Message_Name={crash['ipc_message_name']}"


class StackOverflowSignature(Rule):
    """Mark crashes for want of stack."""

    name = "StackOverflowSignature"
    condition = "the crash reason is EXCEPTION_STACK_OVERFLOW"

    def why(self, crash: CrashData, draft: Draft) -> str:
        return self.condition if crash.get("reason") == "EXCEPTION_STACK_OVERFLOW" else ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        draft.signature = f"stackoverflow | {draft.signature}"


class HungProcess(Rule):
    """Mark processes that were ended because they hung."""

    name = "HungProcess"
    condition = "the crash tells of a hang"

    def why(self, crash: CrashData, draft: Draft) -> str:
        return self.condition if crash.get("hang") is not None else ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        draft.signature = f"hang: {crash['hang']} | {draft.signature}"


class SigPrintableCharsOnly(Rule):
    """Keep printable ASCII only."""

    name = "SigPrintableCharsOnly"
    condition = "the signature begins or ends with white space or holds anything but printable ASCII"

    def why(self, crash: CrashData, draft: Draft) -> str:
        signature = draft.signature
        if signature.isascii() and signature.isprintable() and signature.strip() == signature:
            return ""
        return self.condition

    def apply(self, crash: CrashData, draft: Draft) -> None:
        draft.signature = self.printable(draft.signature.strip())
        self.note(draft, "unprintable characters removed")

    def printable(self, text: str) -> str:
        """Leave out every character that is not printable ASCII."""
        return _UNPRINTABLE.sub("", text)


class DefaultSigPrintableCharsOnly(SigPrintableCharsOnly):
    """Keep printable ASCII only; other letters are spelt as escapes, so that different names stay different."""

    def printable(self, text: str) -> str:
        """Turn white space and control characters into spaces and spell letters outside of ASCII as escapes."""
        spaced = "".join(character if character.isprintable() else " " for character in text)
        return spaced.encode("ascii", "backslashreplace").decode("ascii")


class SigFixWhitespace(Rule):
    """Have one space where there is white space, and none at the ends."""

    name = "SigFixWhitespace"
    condition = "the signature holds runs of white space"

    def why(self, crash: CrashData, draft: Draft) -> str:
        return self.condition if draft.signature != " ".join(draft.signature.split()) else ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        draft.signature = " ".join(draft.signature.split())


class SigTruncate(Rule):
    """Cut long signatures at their end."""

    name = "SigTruncate"
    condition = "the signature is longer than 255 characters"

    def why(self, crash: CrashData, draft: Draft) -> str:
        return self.condition if len(draft.signature) > MAXIMUM_LENGTH else ""

    def apply(self, crash: CrashData, draft: Draft) -> None:
        draft.signature = self.shorten(draft.signature)
        self.note(draft, "SigTrunc: signature truncated due to length")

    def shorten(self, signature: str) -> str:
        """Keep the first 252 characters."""
        return _cut(signature, MAXIMUM_LENGTH)


class DefaultSigTruncate(SigTruncate):
    """Cut long signatures in the middle: the last frame is the one that tells stacks apart."""

    _LONGEST_LAST_FRAME = 150

    def shorten(self, signature: str) -> str:
        """Keep the beginning and, unless it is longer than 150 characters, the whole last frame."""
        beginning, separator, last = signature.rpartition(SEPARATOR)
        if not separator or len(last) > self._LONGEST_LAST_FRAME:
            return super().shorten(signature)
        return _cut(beginning, MAXIMUM_LENGTH - len(separator) - len(last)) + separator + last


def without_values(text: str) -> str:
    """Replace addresses, identifiers and numbers in a message, because they differ from crash to crash.

    What stands behind the first 1,000 characters is left out.

    >>> without_values("lost 3 tiles at 0x7f00a0 of 0badf00d-1234")
    'lost <n> tiles at <addr> of <id>'
    """
    text = _ADDRESS.sub("<addr>", text[:_GENERALIZED_CHARACTERS])
    text = _IDENTIFIER.sub("<id>", text)
    return _NUMBER.sub("<n>", text)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - len(_ELLIPSIS)] + _ELLIPSIS


def _without_localized_part(message: str) -> str:
    opening, closing = message.find("("), message.rfind(")")
    return message[:opening] + message[closing + 1 :] if 0 <= opening < closing else message
