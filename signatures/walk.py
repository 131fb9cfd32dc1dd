"""Walk over the frames of one thread and decide, with the lists, which of them make the signature."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from signatures.frames import Frame, FrameText, ReferenceFrames
from signatures.limits import MAXIMUM_FRAMES
from signatures.siglists import Entry, Matcher, SignatureLists

EMPTY = "empty"
IRRELEVANT = "irrelevant"
PREFIX = "prefix"
END = "end"
DUPLICATE = "duplicate"
BEFORE_SENTINEL = "before sentinel"
BEYOND_END = "beyond end"

SEPARATOR = " | "

# What may be kept in memory: at most this many functions and as many other frame texts, none of them longer than this.
# Measured: 11 MB once a usual process has filled it, 110 MB when all names are the longest and outside of ASCII.
_REMEMBERED_FUNCTIONS = 16_384
_REMEMBERED_LENGTH = 500


class KnownFrame(NamedTuple):
    """A frame text and what the lists say about it, whatever stands around it.

    ``kind`` is EMPTY, IRRELEVANT, PREFIX or END; ``is_sentinel``: the walk can start here.
    """

    frame: FrameText
    text: str
    kind: str
    is_sentinel: bool


class Walk(NamedTuple):
    """One walk: the frames, the decision about each, where it started, and the texts it kept.

    ``start`` is the index of the sentinel, -1 when there is none.
    """

    frames: list[KnownFrame]
    decisions: list[str]
    start: int
    kept: list[str]

    @property
    def texts(self) -> list[str]:
        """All frame texts in order, empty ones too."""
        return [known.text for known in self.frames]

    @property
    def texts_from_sentinel(self) -> list[str]:
        """The frame texts from the sentinel on; all when there is none."""
        return self.texts[max(self.start, 0) :]


class StackWalk:
    """Walks over stacks with one set of lists.

    What it found out about a function it remembers, within bounds, because the same functions occur in crash after
    crash.
    """

    def __init__(
        self,
        lists: SignatureLists,
        frames: type[ReferenceFrames],
        folds: Callable[[str], bool],
        empty_list_matches: bool,
    ) -> None:
        """Compile the lists.

        Args: ``frames`` makes frame texts; ``folds`` says whether a text is left out when it repeats the one kept
        before it; ``empty_list_matches``: a list without entries matches everything instead of nothing.
        Raises: InvalidSignatureList.
        """
        self.lists = lists
        self._irrelevant = Matcher(lists.irrelevant, empty_list_matches)
        self._prefix = Matcher(lists.prefix, empty_list_matches)
        self._sentinels = frozenset(entry.pattern for entry in lists.sentinels)
        self._frames = frames(Matcher(lists.line_numbers, empty_list_matches).matches)
        self._folds = folds
        self._remembered = lru_cache(maxsize=_REMEMBERED_FUNCTIONS)(self._know_function)
        self._remembered_verdict = lru_cache(maxsize=_REMEMBERED_FUNCTIONS)(self._judge)

    def over(self, frames: Iterable[Frame], windows: bool) -> Walk:
        """Walk over the frames of a thread, innermost first; inlined functions count, 40 frames are looked at.

        Raises: whatever a frame with wrong types causes, with the reference's frames only.
        """
        known = [self._know(frame, windows) for frame in islice(self._frames.expand(frames), MAXIMUM_FRAMES)]
        start = next((index for index, frame in enumerate(known) if frame.is_sentinel), -1)
        decisions = [BEFORE_SENTINEL] * start
        kept: list[str] = []
        last = None
        for _, text, kind, _ in known[start:] if start > 0 else known:
            if kind in (EMPTY, IRRELEVANT):
                decisions.append(kind)
            elif text == last and self._folds(text):
                decisions.append(DUPLICATE)
            else:
                decisions.append(kind)
                kept.append(text)
                last = text
                if kind == END:
                    break
        decisions += [BEYOND_END] * (len(known) - len(decisions))
        return Walk(known, decisions, start, kept)

    @property
    def remembered_functions(self) -> int:
        """How many functions are remembered at this moment."""
        return self._remembered.cache_info().currsize

    def deciding_entry(self, text: str, decision: str) -> Entry | None:
        """Find the list entry that led to a decision about a frame text; None when no entry did."""
        if decision == IRRELEVANT:
            return self._irrelevant.deciding_entry(text)
        if decision == PREFIX:
            return self._prefix.deciding_entry(text)
        return None

    def sentinel_entry(self, text: str) -> Entry | None:
        """Find the sentinel that equals a frame text."""
        return next((entry for entry in self.lists.sentinels if entry.pattern == text), None)

    def _know(self, frame: Frame, windows: bool) -> KnownFrame:
        function: Any = frame.get("function")
        if function:
            file: Any = frame.get("file")
            try:
                if len(function) <= _REMEMBERED_LENGTH and (not file or len(file) <= _REMEMBERED_LENGTH):
                    known = self._remembered(function, file)
                    if not known.frame.shows_line:
                        return known
            except TypeError:
                pass  # a function or file of a wrong type cannot be looked up; describing the frame tells
        described = self._frames.describe(frame, windows)
        judge = self._remembered_verdict if len(described.text) <= _REMEMBERED_LENGTH else self._judge
        return KnownFrame(described, described.text, *judge(described.text))

    def _know_function(self, function: str, file: str | None) -> KnownFrame:
        described = self._frames.describe_function(function, file, line=None)
        return KnownFrame(described, described.text, *self._judge(described.text))

    def _judge(self, text: str) -> tuple[str, bool]:
        """Ask the lists about a frame text: its kind, and whether it is a sentinel."""
        if not text:
            kind = EMPTY
        elif self._irrelevant.matches(text):
            kind = IRRELEVANT
        elif self._prefix.matches(text):
            kind = PREFIX
        else:
            kind = END
        return kind, text in self._sentinels


def is_repeatable_module(text: str) -> bool:
    """Say whether a frame text names no more than a module, so that repeating it tells nothing."""
    if text.startswith("(unloaded"):
        return False
    return (
        text[-4:].lower().endswith((".dll", ".so"))
        or text in ("XUL", "<name omitted>")
        or text.startswith("<unknown in")
    )
