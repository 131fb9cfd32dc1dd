"""What a rule gets, and what a rule is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

#: Notes are for people: more of them, or longer ones, are dropped or cut.
MAX_NOTES = 200
MAX_NOTE_CHARACTERS = 500


@dataclass
class Context:
    """One crash on its way through the pipeline.

    ``raw_crash`` annotations and collector metadata; rules may clean it, it is not saved again · ``dumps`` dump name to
    the path of a private copy of the file · ``processed_crash`` what the rules fill in; the pipeline is handed the
    earlier document here, or ``{}`` · ``workdir`` an empty folder of this crash alone, removed afterwards · ``notes``
    public texts: no annotation values, paths or exception texts.
    """

    crash_id: str
    raw_crash: dict[str, Any]
    dumps: Mapping[str, Path]
    processed_crash: dict[str, Any]
    workdir: Path
    notes: list[str] = field(default_factory=list)

    def add_note(self, note: str) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.append(note[:MAX_NOTE_CHARACTERS])


class Rule(ABC):
    """One step of a ruleset. Made once per process and shared by threads: it keeps nothing about a crash."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Make the rule; ``settings`` holds the parts of the project's settings that rules may read, by name."""
        return cls()

    @property
    def name(self) -> str:
        return type(self).__name__

    def predicate(self, ctx: Context) -> bool:
        """Tell whether the rule applies to this crash."""
        return True

    @abstractmethod
    def action(self, ctx: Context) -> None:
        """Do the rule's work on the context."""
