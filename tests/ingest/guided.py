"""Coverage-guided fuzzing in a few lines: an input that takes the program a new way is kept, and changed further.

Why not atheris: it has no wheels for Linux on ARM and, from Python 3.12 on, none for macOS.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Set
from types import FrameType, TracebackType
from typing import Any, Generic, TypeVar

Case = TypeVar("Case")
_MOST_REDUCTIONS = 3000


class Trail:
    """Records which lines of some files run after which. A context manager: what runs inside is watched, and slow.

    It works by `sys.settrace`, which all Pythons have, and puts back what was there: a coverage measurement goes on.
    """

    def __init__(self, files: Set[str]) -> None:
        self._files = files
        self._arcs: Counter[tuple[str, int, int]] = Counter()

    @property
    def steps(self) -> int:
        """How many lines have run."""
        return self._arcs.total()

    def ways(self) -> set[Hashable]:
        """Give what tells this run from others: the pairs of lines, each with how often it ran, roughly."""
        return {(arc, min(count.bit_length(), 5)) for arc, count in self._arcs.items()}

    def __enter__(self) -> Trail:
        self._before = sys.gettrace()
        sys.settrace(self._enter_frame)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        sys.settrace(self._before)

    def _enter_frame(self, frame: FrameType, event: str, arg: Any) -> Any:
        file = frame.f_code.co_filename
        if file not in self._files:
            return None
        arcs, last = self._arcs, frame.f_lineno

        def step(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal last
            if event == "line":
                arcs[file, last, frame.f_lineno] += 1
                last = frame.f_lineno
            return step

        return step


class Finding(AssertionError):
    """An input made the program break a promise. The text holds the input, made smaller; the cause says which."""


class Explorer(Generic[Case]):
    """Finds inputs that take a program new ways.

    Args: ``run`` tries one input and gives what it did, as by `Trail.ways`; what it raises is a finding. ``change``
    makes a new input of one and another; ``reduce`` gives smaller ones.
    """

    def __init__(
        self,
        run: Callable[[Case], Set[Hashable]],
        change: Callable[[Case, Case, random.Random], Case],
        reduce: Callable[[Case], Iterable[Case]],
        dice: random.Random,
    ) -> None:
        self._run = run
        self._change = change
        self._reduce = reduce
        self._dice = dice
        #: All that inputs have done so far.
        self.seen: set[Hashable] = set()
        #: The inputs that did something first.
        self.kept: list[Case] = []
        self.cases = 0

    def try_out(self, case: Case) -> None:
        """Run an input, and keep it when it is the first to do something. Raises: Finding."""
        self.cases += 1
        try:
            done = self._run(case)
        except Exception as exc:
            raise Finding(f"case {self.cases}: {self._smaller(case, type(exc))!r}") from exc
        if not done <= self.seen:
            self.seen |= done
            self.kept.append(case)

    def explore(self, cases: int) -> None:
        """Try out as many changed inputs, most of them made of what was kept lately. Raises: Finding."""
        for _ in range(cases):
            lately = self.kept[-30:] if self._dice.random() < 0.5 else self.kept
            case, other = self._dice.choice(lately), self._dice.choice(self.kept)
            self.try_out(self._change(case, other, self._dice))

    def _smaller(self, case: Case, kind: type[Exception]) -> Case:
        """Give a smaller input that raises the same kind of exception, after a bounded number of attempts."""
        attempts = _MOST_REDUCTIONS
        candidates = iter(self._reduce(case))
        while attempts and (candidate := next(candidates, None)) is not None:
            attempts -= 1
            try:
                self._run(candidate)
            except kind:
                case, candidates = candidate, iter(self._reduce(candidate))
            except Exception:
                continue
        return case
